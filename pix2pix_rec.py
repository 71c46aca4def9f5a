"""Reconstruction only: the generator is given the photograph and its map, and rebuilds all of it, background included.

    python pix2pix_rec.py --train --test                     # data/prepared -> runs/pix2pix_rec -> results/pix2pix_rec
    python pix2pix_rec.py --train --condition map --run runs/rec-map   # from map, colours and face ID alone

What differs from pix2pix.py: there is no second map, the target keeps its background (and nothing is painted as a
difference to the colour map, whose hard edges showed against it), and with `--condition pair`, as in MaskGAN's
training, the generator also gets the photograph. It cannot copy it: the photograph's only way in is a style code of 64
numbers for each of the seven regions and the background, 512 numbers a face, averaged over the region (as SEAN's, Zhu
et al., CVPR 2020); a photograph of 256 x 256 has 196,608. There is no --modulation and no --color-consistency, and the
discriminator is twice as wide. The rest follows pix2pix.py: Args, dataset, Generator, Discriminator, losses,
train_step, train, test. B is the batch, S the working size; pictures are 0..1 everywhere. Shapes are those of seven
regions; of the parts, under --parts, 7 is 18, 8 is 19, 10 is 21, 26 is 37 and 149 is 182.
"""

from facegan import devices, runtime  # first: devices sets TensorFlow's environment

# isort: split
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import keras
import numpy as np
import tensorflow as tf
import tyro
from keras import layers

from facegan import blocks, checkpoints, cli, dlibnet, loop, pictures, pipeline, prepared, run_folder, steps
from facegan.dry_run import describe_training
from facegan.flags import Bounds, Channels, Decay, Earlier, Kind, LearningRate, Weight
from facegan.regions import region_count
from facegan.results import ResultsWriter


@dataclass
class Args(run_folder.TrainingArgs):
    run: Annotated[Path, Kind.CALL] = Path("runs/pix2pix_rec")
    """folder of the run: flags, checkpoints, metrics.csv, result grids, TensorBoard logs"""
    out: Annotated[Path, Kind.CALL] = Path("results/pix2pix_rec")
    """where --test writes its pictures"""

    parts: Annotated[bool, Earlier(False)] = False
    """masks and colours of the 18 parts instead of the seven regions; the prepared folder must have the same, by
    g_simple_mask.py --regions parts"""

    learning_rate: LearningRate = 4e-4
    """Adam's, for the generator. Published: 2e-4"""
    discriminator_learning_rate: LearningRate = 4e-4
    """Adam's, for the discriminator. Published: 2e-4"""
    beta1: Decay = 0.5
    """Adam's first decay rate"""
    lambda_: Annotated[Weight, tyro.conf.arg(name="lambda")] = 100.0
    """weight of the L1 loss against the GAN loss"""
    condition: Literal["pair", "map"] = "pair"
    """pair: the generator sees the photograph, through its style codes, and the map; map: the map, colours, face ID"""
    style: Channels = 64
    """numbers in the style code of a region; eight codes a face are all that --condition pair sees of the photograph"""
    dropout: Decay = 0.5
    """in the first three layers of the way up; the only noise"""

    identity: Weight = 15.0
    """weight of the squared distance of the reconstruction to the person, by dlib's descriptor. Published: 0"""
    identity_sees: Literal["light", "color"] = "light"
    """light: this loss sees only light and shade, on top of the colour map's colours; color: it sees everything, which
    makes the generator paint coloured lines"""
    perceptual: Weight = 30.0
    """weight of the difference between dlib's network's features of target and reconstruction. Published: 0"""

    upsampling: Literal["blend", "resize", "subpixel", "transpose"] = "blend"
    """blend: a 3 x 3 convolution, then bilinear; resize: the other way round, slower; subpixel: four channels become
    2 x 2 pixels. Published: transpose, which leaves a checkerboard"""
    width: Annotated[Channels, Earlier(32)] = 32
    """filters of the generator's first layer; the next ones have 2, 4, 8, 8, ... times as many"""
    face_id_scale: Annotated[float, Bounds(0, 1e6)] = 24.0
    """the face ID's numbers, about 0.1 in size, are multiplied by this before they enter. Published: 1"""
    discriminator_width = 64  # no flag: as published
    full_resolution: bool = True
    """one more convolution at full size, which sees masks and colour map again; --no-full-resolution as published"""
    norm: Literal["group", "batch", "instance"] = "group"
    """group, instance: the same in training and testing, at any batch size. Published: batch"""
    ema_decay: Decay = 0.999
    """test with a moving average of the generator's weights. Published: 0, the last weights"""
    flip: bool = True
    """half of the training faces are mirrored; --no-flip mirrors none, as published"""
    batch_statistics: Annotated[bool, Kind.FREE] = False
    """test with BatchNorm and dropout in training mode. Published: yes, so that a result depends on its batch"""


PUBLISHED = dict(
    learning_rate=2e-4,
    discriminator_learning_rate=2e-4,
    identity=0.0,
    identity_sees="color",
    perceptual=0.0,
    face_id_scale=1.0,
    full_resolution=False,
    upsampling="transpose",
    norm="batch",
    ema_decay=0.0,
    flip=False,
    batch_statistics=True,
)
"""The published recipe, where it differs; it also shrank photographs by g_simple_mask.py --resample nearest."""


# --- dataset ----------------------------------------------------------------------------------------------------------


def split(args: Args) -> run_folder.Split:
    """The numbers of the faces that train, that validate and that test."""
    faces = run_folder.checked_split(args, prepared.complete_indices(args.data))
    prepared.check_regions(args.data, args.parts)
    return faces


def training_batches(args: Args, records, numbers, epoch: int, first_step: int, context) -> tf.data.Dataset:
    """The batches of one epoch from first_step on. Order and flips depend on seed and epoch alone, so a resumed epoch
    goes on with exactly the batches that are left. context: which of several machines this is."""
    rng = np.random.default_rng([args.seed, epoch])
    order = rng.permutation(numbers)
    flips = rng.random(len(order)) < 0.5 if args.flip else np.zeros(len(order), bool)
    mine = pipeline.share(context, args.batch_size, first_step, order, flips)
    return batches(records, *mine, context.get_per_replica_batch_size(args.batch_size))


def batches(records: pipeline.Records, numbers, flips, batch_size: int) -> tf.data.Dataset:
    """Batches of: k (B,); image (B, S, S, 3) uint8; bits (B, S, S) uint8, of parts int32; colors (B, 7, 3) in 0..1;
    face_id (B, 128). flips (N,) bool: mirror the face."""

    @tf.autograph.experimental.do_not_convert
    def load(k, flip):
        face = records.read(k)
        # the seven regions have no sides; left and right parts change places in a mirrored map
        image = tf.where(flip, tf.reverse(face["image"], [1]), face["image"])
        bits = tf.where(flip, pipeline.mirror_bits(face["bits"]), face["bits"])
        colors = tf.where(flip, pipeline.mirror_colors(face["colors"]), face["colors"])
        return {**face, "image": image, "bits": bits, "colors": colors, "k": k}

    dataset = tf.data.Dataset.from_tensor_slices((numbers, flips))
    dataset = dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def network_inputs(batch: dict) -> dict[str, tf.Tensor]:
    """What the networks see of a batch: masks, colour map, code, and the photograph in 0..1, which is the target."""
    masks = pipeline.unpack_masks(batch["bits"])  # (B, S, S, 7)
    colors = tf.reshape(batch["colors"], (-1, 3 * masks.shape[-1]))  # (B, 21)
    return {
        "masks": masks,
        "cmask": pipeline.color_map(masks, batch["colors"]),  # (B, S, S, 3)
        "code": tf.concat([colors, batch["face_id"]], -1),  # (B, 149)
        "photo": tf.cast(batch["image"], keras.config.floatx()) / 255,  # (B, S, S, 3)
    }


def generator_inputs(args: Args, inputs: dict) -> list[tf.Tensor]:
    """What Generator() takes, from network_inputs()."""
    maps = tf.concat([inputs["masks"], inputs["cmask"]], -1)  # (B, S, S, 10)
    return [maps, inputs["code"], inputs["photo"]] if args.condition == "pair" else [maps, inputs["code"]]


# --- networks ---------------------------------------------------------------------------------------------------------


def style_codes(args: Args, photo, areas):
    """The bottleneck: photo (B, S, S, 3) and areas (B, S, S, 8) -> (B, 8, style) in -1..1, one code an area: the mean,
    over the area, of what a small encoder makes of the photo. An empty area's code is 0."""
    ops, s = keras.ops, args.size // 4
    x = blocks.down(photo, 64, "none")  # (B, S/2, S/2, 64)
    x = blocks.down(x, 128, args.norm)  # (B, S/4, S/4, 128)
    x = blocks.convolve(x, 128, 3, 1, args.norm)  # (B, S/4, S/4, 128)
    x = layers.Conv2D(args.style, 1, activation="tanh", kernel_initializer=blocks.initializer())(x)  # (..., style)
    x = ops.cast(layers.Reshape((s * s, args.style))(x), keras.config.floatx())  # (B, S*S/16, style)
    weights = layers.AveragePooling2D(4, dtype=keras.config.floatx())(areas)  # (B, S/4, S/4, 8)
    weights = layers.Reshape((s * s, areas.shape[-1]))(weights)  # (B, S*S/16, 8)
    sums = ops.matmul(ops.transpose(weights, (0, 2, 1)), x)  # (B, 8, style)
    return sums / (ops.sum(weights, 1)[..., None] + 1e-3)


def Generator(args: Args) -> keras.Model:
    """U-Net: masks and colour map (B, S, S, 10), colours and face ID (B, 149), under --condition pair also the photo
    (B, S, S, 3) -> picture (B, S, S, 3) in 0..1. W is --width."""
    levels = args.size.bit_length() - 1  # log2(S)
    w = args.width
    widths = [min(w * 2**i, 8 * w) for i in range(levels)]  # W, 2 W, 4 W, 8 W, 8 W, ...
    masks_and_colors = layers.Input((args.size, args.size, region_count(args.parts) + 3))
    code = layers.Input((3 * region_count(args.parts) + pipeline.FACE_ID,))

    inputs = [masks_and_colors, code]
    face_id = layers.Rescaling(args.face_id_scale)(code[:, -pipeline.FACE_ID :])  # (B, 128)
    code = layers.Concatenate()([code[:, : -pipeline.FACE_ID], face_id])  # (B, 149)
    x, skips = masks_and_colors, []
    if args.condition == "pair":
        inputs.append(layers.Input((args.size, args.size, 3)))
        masks = masks_and_colors[..., :-3]  # (B, S, S, 7)
        background = 1 - keras.ops.max(masks, -1, keepdims=True)  # (B, S, S, 1): no region
        areas = layers.Concatenate()([masks, background])  # (B, S, S, 8)
        styles = style_codes(args, inputs[-1], areas)  # (B, 8, style)
        code = layers.Concatenate()([code, layers.Flatten(name="style_codes")(styles)])  # (B, 149 + 8 * style)
        shares = layers.Reshape((-1, areas.shape[-1]))(areas / keras.ops.sum(areas, -1, keepdims=True))  # (B, S*S, 8)
        style_map = keras.ops.matmul(shares, layers.Dense(16, dtype=keras.config.floatx())(styles))  # (B, S*S, 16)
        style_map = layers.Reshape((args.size, args.size, 16))(style_map)  # each pixel shows its areas' styles
        x = layers.Concatenate()([x, style_map])  # (B, S, S, 26)
    for i, width in enumerate(widths):
        x = blocks.down(x, width, args.norm if i else "none")  # (B, S/2, S/2, W) ... (B, 1, 1, 8 W)
        skips.append(x)
    x = layers.Concatenate()([skips.pop(), layers.Reshape((1, 1, -1))(code)])  # (B, 1, 1, 8 W + 149 or more)
    for i, skip in enumerate(reversed(skips)):
        dropout = args.dropout if i < 3 else 0.0
        x = blocks.up(x, skip.shape[-1], args.norm, args.upsampling, dropout)  # (B, 2, 2, 8 W) ... (B, S/2, S/2, W)
        x = layers.Concatenate()([x, skip])  # (B, 2, 2, 16 W) ... (B, S/2, S/2, 2 W)
    if args.full_resolution:
        x = blocks.up(x, w, args.norm, args.upsampling)  # (B, S, S, W)
        x = layers.Concatenate()([x, masks_and_colors])  # (B, S, S, W + 10)
        x = blocks.convolve(x, w, 3)  # (B, S, S, W)
        x = layers.Conv2D(3, 3, padding="same", kernel_initializer=blocks.initializer())(x)  # (B, S, S, 3)
    else:
        x = blocks.upsample(x, 3, args.upsampling)  # (B, S, S, 3)
    picture = layers.Activation("sigmoid", dtype=keras.config.floatx())(x)
    return keras.Model(inputs, picture, name="generator")


def Discriminator(args: Args) -> keras.Model:
    """70 x 70 PatchGAN: masks (B, S, S, 7), picture (B, S, S, 3) -> logits (B, S/8 - 2, S/8 - 2, 1), one a patch.
    W is --discriminator-width."""
    masks = layers.Input((args.size, args.size, region_count(args.parts)))
    picture = layers.Input((args.size, args.size, 3))
    w, norm = args.discriminator_width, args.norm
    x = layers.Concatenate()([masks, picture])  # (B, S, S, 10)
    x = blocks.down(x, w, "none")  # (B, S/2, S/2, W)
    x = blocks.down(x, 2 * w, norm)  # (B, S/4, S/4, 2 W)
    x = blocks.down(x, 4 * w, norm)  # (B, S/8, S/8, 4 W)
    x = layers.ZeroPadding2D()(x)  # (B, S/8 + 2, S/8 + 2, 4 W)
    x = blocks.convolve(x, 8 * w, 4, 1, norm, "valid")  # (B, S/8 - 1, S/8 - 1, 8 W)
    x = layers.ZeroPadding2D()(x)  # (B, S/8 + 1, S/8 + 1, 8 W)
    x = layers.Conv2D(1, 4, kernel_initializer=blocks.initializer())(x)  # (B, S/8 - 2, S/8 - 2, 1)
    logits = layers.Activation("linear", dtype=keras.config.floatx())(x)
    return keras.Model([masks, picture], logits, name="discriminator")


# --- losses -----------------------------------------------------------------------------------------------------------


def gan_loss(logits: tf.Tensor, real: bool) -> tf.Tensor:
    """Binary cross-entropy of logits that should say real, or fake (pix2pix, equation 1)."""
    labels = tf.ones_like(logits) if real else tf.zeros_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def accuracy(logits: tf.Tensor, real: bool) -> tf.Tensor:
    """The share of logits with the right sign."""
    return tf.reduce_mean(tf.cast((logits > 0) == real, tf.float32))


def reconstruction_loss(target: tf.Tensor, reconstruction: tf.Tensor) -> tf.Tensor:
    """L1 between the photograph and the reconstruction, both (B, S, S, 3)."""
    return tf.reduce_mean(tf.abs(target - reconstruction))


def identity_loss(network: dlibnet.FaceNetwork, face_id: tf.Tensor, picture: tf.Tensor, colors: tf.Tensor) -> tf.Tensor:
    """Squared distance between face IDs (B, 128) and the descriptors of pictures, mean over faces. picture, colors:
    (B, S, S, 3) in 0..1.

    The network judges the picture's brightness in the colours of another one, the colour map: so the loss moves light
    and shade alone. With the picture itself for colors it sees everything, and the generator pleases it with colours:
    blue eyes, red and yellow lines along lids and lips.
    """
    shaded = colors + tf.reduce_mean(picture - colors, -1, keepdims=True)  # (B, S, S, 3)
    return tf.reduce_mean(tf.reduce_sum((face_id - network.descriptors(shaded)) ** 2, -1))


def perceptual_loss(network: dlibnet.FaceNetwork, target: tf.Tensor, picture: tf.Tensor) -> tf.Tensor:
    """Squared difference between the features of the first three levels, each place's vector of length 1 as in LPIPS
    (Zhang et al., CVPR 2018), but without linear layers: mean over places and levels, 0..4.

    target, picture: whole pictures (B, S, S, 3) in 0..1. These levels see hair and clothes as well as faces.
    """
    losses = []
    for a, b in zip(network.features(target, 3), network.features(picture, 3), strict=True):  # (B, H, W, C) each
        difference = tf.math.l2_normalize(a, -1, 1e-6) - tf.math.l2_normalize(b, -1, 1e-6)
        losses.append(tf.reduce_mean(tf.reduce_sum(difference**2, -1)))
    return tf.add_n(losses) / len(losses)


# --- training ---------------------------------------------------------------------------------------------------------


class State:
    """The two networks, the moving average of the generator, the two optimizers, and their checkpoints."""

    def __init__(self, args: Args):
        self.generator, self.average, self.discriminator = Generator(args), Generator(args), Discriminator(args)
        self.average.set_weights(self.generator.get_weights())
        variables = self.generator.trainable_variables
        self.generator_optimizer = steps.optimizer(variables, args.learning_rate, args.beta1)
        variables = self.discriminator.trainable_variables
        self.discriminator_optimizer = steps.optimizer(variables, args.discriminator_learning_rate, args.beta1)
        self.checkpoints = checkpoints.Checkpoints(
            args.run,
            generator=self.generator,
            average=self.average,
            discriminator=self.discriminator,
            generator_optimizer=self.generator_optimizer,
            discriminator_optimizer=self.discriminator_optimizer,
        )


def make_losses(args: Args, state: State):
    """A function: generator, batch, training -> losses by name; "g" and "d" are what the two networks minimise. Without
    training there is the perceptual loss in any case, to choose by."""
    discriminator = state.discriminator
    face_network = dlibnet.FaceNetwork() if args.identity or args.perceptual or args.validation else None
    loss_weights = {"gan": 1.0, "l1": args.lambda_}
    loss_weights |= {"identity": args.identity, "perceptual": args.perceptual}

    def losses_of(generator, batch: dict, training: bool) -> dict[str, tf.Tensor]:
        inputs = network_inputs(batch)
        target, masks, cmask = inputs["photo"], inputs["masks"], inputs["cmask"]
        rec = generator(generator_inputs(args, inputs), training=training)  # (B, S, S, 3)
        real_logits = discriminator([masks, target], training=training)  # (B, S/8 - 2, S/8 - 2, 1)
        rec_logits = discriminator([masks, rec], training=training)  # (B, S/8 - 2, S/8 - 2, 1)

        losses = {"gan": gan_loss(rec_logits, True), "l1": reconstruction_loss(target, rec)}
        if args.identity:
            colors = cmask if args.identity_sees == "light" else rec
            losses["identity"] = identity_loss(face_network, batch["face_id"], rec, colors)
        if args.perceptual or not training:
            losses["perceptual"] = perceptual_loss(face_network, target, rec)
        g_loss = sum(loss_weights[name] * loss for name, loss in losses.items())
        d_loss = gan_loss(real_logits, True) + gan_loss(rec_logits, False)
        losses = {"g": g_loss, "d": d_loss, **losses}
        losses |= {"acc_real": accuracy(real_logits, True), "acc_fake": accuracy(rec_logits, False)}
        return losses

    return losses_of


def make_train_step(args: Args, state: State):
    """The training step as a graph: batch, step number -> losses by name, means over all devices."""
    generator, discriminator, losses_of = state.generator, state.discriminator, make_losses(args, state)
    replicas = devices.strategy().num_replicas_in_sync

    def gradients(batch: dict) -> tuple[dict, list]:
        """Losses of a device's part of the batch, and what they contribute to the two networks' gradients."""
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            losses = losses_of(generator, batch, training=True)
            # each device adds its part to a mean over the whole batch; scaled under float16 only
            g_part = state.generator_optimizer.scale_loss(losses["g"] / replicas)
            d_part = state.discriminator_optimizer.scale_loss(losses["d"] / replicas)
        return losses, [
            generator_tape.gradient(g_part, generator.trainable_variables),
            discriminator_tape.gradient(d_part, discriminator.trainable_variables),
        ]

    updates = (state.generator_optimizer, generator), (state.discriminator_optimizer, discriminator)
    average = state.average, generator, args.ema_decay
    return steps.compile_step(gradients, updates, average, args.xla, state.checkpoints.variables)


def make_validation_step(args: Args, state: State):
    """The losses of the moving average, which paints as in testing, as a graph: batch -> losses by name."""
    losses_of = make_losses(args, state)

    def generator(inputs, training):
        return blocks.unchanged(state.average, inputs, args.batch_statistics)

    return tf.function(lambda batch: losses_of(generator, batch, training=False), autograph=False)


def train(args: Args) -> None:
    faces = split(args)
    records = pipeline.Records(args.data, faces.all(), args.size, args.cache)
    grid_faces, captions = loop.grid_faces(faces)
    grid_batch = make_grid_batch(records, grid_faces)
    validation_batches = batches(records, faces.validation, np.zeros(len(faces.validation), bool), args.batch_size)

    with loop.hold_run(args, faces) as training:
        with devices.strategy().scope():
            state = State(args)
        train_step = make_train_step(args, state)
        validation_step = make_validation_step(args, state) if args.validation else None
        training.resume(state.checkpoints)
        for epoch, first_step in training.epochs():
            epoch_batches = partial(training_batches, args, records, faces.train, epoch, first_step)
            for batch in devices.strategy().distribute_datasets_from_function(epoch_batches):
                losses = train_step(batch, tf.constant(training.step))
                training.finish_step(losses, batch["k"])  # counts, logs
                if training.epoch_ended and devices.is_chief():
                    training.show(grid(paint(args, state.average, grid_batch), captions))
                    if args.validation:
                        training.log_validation(steps.mean_losses(validation_step, validation_batches))
                training.save_in_time()
                if training.stopped:
                    break


def make_grid_batch(records, faces: list[np.ndarray]) -> dict:
    """The faces of each epoch's grid as a batch."""
    numbers = np.concatenate(faces)
    return next(iter(batches(records, numbers, np.zeros(len(numbers), bool), len(numbers))))


def dry_run(args: Args) -> None:
    """Print what --train would do."""
    faces = split(args)
    pipeline.check_size(args.data, args.size)
    with devices.strategy().scope():
        state = State(args)
    judged = bool(args.identity) + bool(args.perceptual)
    describe_training(args, faces, {state.generator: 1, state.discriminator: 2}, judged)


# --- testing ----------------------------------------------------------------------------------------------------------

ROWS = {"rec": "reconstruction", "real": "ground truth"}
"""The result pictures and their labels, from the top row of a grid to the bottom."""


def paint(args: Args, generator: keras.Model, batch: dict) -> dict[str, np.ndarray]:
    """The pictures of ROWS and the colour map, each (B, S, S, 3) in 0..1, and the masks, (B, S, S, 7)."""
    inputs = network_inputs(batch)
    rec = blocks.generate(generator, generator_inputs(args, inputs), args.batch_statistics)
    results = {"rec": rec, "cmask": inputs["cmask"], "real": inputs["photo"], "masks": inputs["masks"]}
    return {name: x.numpy() for name, x in results.items()}


def grid(images: dict[str, np.ndarray], captions: list[str]) -> np.ndarray:
    """The labelled grid of what paint() returned, (H, W, 3) uint8."""
    return pictures.grid({label: images[name] for name, label in ROWS.items()}, captions)


def scores(images: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """L1 in 0..1 of each face, (B,): the reconstruction inside the regions, the colour map there for comparison, and
    the reconstruction over the whole picture."""
    inside = images["masks"].any(-1)

    def l1(name, where):
        difference = np.abs(images["real"] - images[name]).mean(-1)  # (B, S, S)
        return (difference * where).sum((1, 2)) / where.sum((1, 2))

    return {"l1_rec": l1("rec", inside), "l1_cmask": l1("cmask", inside), "l1_whole": l1("rec", np.ones_like(inside))}


def test(args: Args) -> None:
    parts = run_folder.parts_to_test(args, split(args))
    numbers = np.concatenate(parts)
    records = pipeline.Records(args.data, numbers, args.size, args.cache)
    if not devices.is_chief():
        return
    generator = Generator(args)
    step = checkpoints.Checkpoints(args.run, average=generator).restore(required=True)
    about, also = run_folder.about_test(args, step), {"cmask": "colour map"}
    with ResultsWriter(args.out, about, numbers, ROWS, also) as results:
        for batch in batches(records, numbers, np.zeros(len(numbers), bool), args.batch_size):
            images = paint(args, generator, batch)
            k = batch["k"].numpy()
            results.add(images, {"k": k, "map_k": k} | scores(images))


def main() -> None:
    args = run_folder.parse(Args, PUBLISHED, __doc__)
    with devices.errors_as_sentences():
        runtime.start(args)
        if args.dry_run:
            return dry_run(args)
        if args.train:
            train(args)
        if args.test:
            test(args)


if __name__ == "__main__":
    cli.run(main)
