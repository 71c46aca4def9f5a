"""The modified discriminator: it also reads the colour map back from a picture, and scores the picture as a whole.

    python pix2pix_v2.py --train --test                      # data/prepared -> runs/pix2pix_v2 -> results/pix2pix_v2
    python pix2pix_v2.py --train --published --run runs/v2-published   # the recipe as published

What differs from pix2pix.py: the discriminator has two heads, a colour map of S/8 and one real/fake score for the whole
image, instead of patches; it must find the second map's colours again in the generator's manipulated picture, which
need not agree with the photograph where both maps do. Everything else is pix2pix.py, line by line: Args, dataset,
Generator, Discriminator, losses, train_step, train, test. B is the batch, S the working size; pictures are 0..1
everywhere. Shapes are those of seven regions; of the parts, under --parts, 7 is 18, 10 is 21 and 149 is 182.
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
    run: Annotated[Path, Kind.CALL] = Path("runs/pix2pix_v2")
    """folder of the run: flags, checkpoints, metrics.csv, result grids, TensorBoard logs"""
    out: Annotated[Path, Kind.CALL] = Path("results/pix2pix_v2")
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
    """weight of the L1 losses: of the reconstruction, and of colour maps read back"""
    gan_weight: Weight = 5.0
    """weight of the score's losses. Published: 100, at which our faces glowed and lost their features"""
    map_sees: Literal["picture", "both"] = "picture"
    """what the colour map is read back from. Published: both, picture and colour map, so that it can be copied"""
    dropout: Decay = 0.5
    """in the first three layers of the way up; the only noise"""

    identity: Weight = 15.0
    """weight of the squared distance of both painted faces to the person, by dlib's descriptor. Published: 0"""
    identity_sees: Literal["light", "color"] = "light"
    """light: this loss sees only light and shade, on top of the colour map's colours; color: it sees everything, which
    makes the generator paint coloured lines"""
    perceptual: Weight = 30.0
    """weight of the difference between dlib's network's features of target and reconstruction. Published: 0"""
    color_consistency: Weight = 30.0
    """weight of the difference between each region's mean colour in the painted pictures and the given one.
    Published: 0"""

    upsampling: Literal["blend", "resize", "subpixel", "transpose"] = "blend"
    """blend: a 3 x 3 convolution, then bilinear; resize: the other way round, slower; subpixel: four channels become
    2 x 2 pixels. Published: transpose, which leaves a checkerboard"""
    modulation: Literal["none", "code", "regions"] = "regions"
    """where colours and ID enter. code: at 1 x 1, and they scale and shift the channels of every level up; regions: the
    same, for each region apart. Published: none, at 1 x 1 only"""
    width: Annotated[Channels, Earlier(32)] = 32
    """filters of the generator's first layer; the next ones have 2, 4, 8, 8, ... times as many"""
    face_id_scale: Annotated[float, Bounds(0, 1e6)] = 24.0
    """the face ID's numbers, about 0.1 in size, are multiplied by this before they enter. Published: 1"""
    full_resolution: bool = True
    """one more convolution at full size, which sees masks and colour map again; --no-full-resolution as published"""
    residual: bool = True
    """paint the difference to the colour map, in logits; --no-residual, as published, paints from nothing"""
    norm: Literal["group", "batch", "instance"] = "group"
    """group, instance: the same in training and testing, at any batch size. Published: batch"""
    ema_decay: Decay = 0.999
    """test with a moving average of the generator's weights. Published: 0, the last weights"""
    flip: bool = True
    """half of the training faces and maps are mirrored; --no-flip mirrors none, as published"""
    second_map: Literal["split", "all"] = "split"
    """where a training face's second map comes from. Published: all, test faces too"""
    batch_statistics: Annotated[bool, Kind.FREE] = False
    """test with BatchNorm and dropout in training mode. Published: yes, so that a result depends on its batch"""


PUBLISHED = dict(
    learning_rate=2e-4,
    discriminator_learning_rate=2e-4,
    identity=0.0,
    identity_sees="color",
    perceptual=0.0,
    color_consistency=0.0,
    modulation="none",
    face_id_scale=1.0,
    gan_weight=100.0,
    map_sees="both",
    full_resolution=False,
    residual=False,
    upsampling="transpose",
    norm="batch",
    ema_decay=0.0,
    flip=False,
    second_map="all",
    batch_statistics=True,
)
"""The published recipe, where it differs; it also shrank photographs by g_simple_mask.py --resample nearest."""


# --- dataset ----------------------------------------------------------------------------------------------------------


def split(args: Args) -> run_folder.Split:
    """The numbers of the faces that train, that validate and that test."""
    faces = run_folder.checked_split(args, prepared.complete_indices(args.data))
    prepared.check_regions(args.data, args.parts)
    return faces


def training_batches(args: Args, records, numbers, pool, epoch: int, first_step: int, context) -> tf.data.Dataset:
    """The batches of one epoch from first_step on. Order, pairs and flips depend on seed and epoch alone, so a resumed
    epoch goes on with exactly the batches that are left. context: which of several machines this is."""
    rng = np.random.default_rng([args.seed, epoch])
    order = rng.permutation(numbers)
    others = pipeline.draw_others(order, pool, rng)
    flips = rng.random((len(order), 2)) < 0.5 if args.flip else np.zeros((len(order), 2), bool)
    mine = pipeline.share(context, args.batch_size, first_step, order, others, flips)
    return batches(records, *mine, context.get_per_replica_batch_size(args.batch_size))


def batches(records: pipeline.Records, numbers, others, flips, batch_size: int) -> tf.data.Dataset:
    """Batches of: k, k2 (B,); image (B, S, S, 3) uint8; bits, bits2 (B, S, S) uint8, of parts int32; colors (B, 7, 3)
    in 0..1; face_id (B, 128). flips (N, 2) bool: mirror the face; mirror the second map."""

    @tf.autograph.experimental.do_not_convert
    def load(k, k2, flip):
        face, bits2 = records.read(k), records.read(k2)["bits"]
        # the seven regions have no sides; left and right parts change places in a mirrored map
        image = tf.where(flip[0], tf.reverse(face["image"], [1]), face["image"])
        bits = tf.where(flip[0], pipeline.mirror_bits(face["bits"]), face["bits"])
        bits2 = tf.where(flip[1], pipeline.mirror_bits(bits2), bits2)
        colors = tf.where(flip[0], pipeline.mirror_colors(face["colors"]), face["colors"])
        return {**face, "image": image, "bits": bits, "bits2": bits2, "colors": colors, "k": k, "k2": k2}

    dataset = tf.data.Dataset.from_tensor_slices((numbers, others, flips))
    dataset = dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def batches_to_paint(records: pipeline.Records, numbers, others, batch_size: int) -> tf.data.Dataset:
    """batches() in which nothing is mirrored."""
    return batches(records, numbers, others, np.zeros((len(numbers), 2), bool), batch_size)


def network_inputs(batch: dict) -> dict[str, tf.Tensor]:
    """What the networks see of a batch: its masks, colour maps and code."""
    masks, masks2 = pipeline.unpack_masks(batch["bits"]), pipeline.unpack_masks(batch["bits2"])  # (B, S, S, 7)
    colors = tf.reshape(batch["colors"], (-1, 3 * masks.shape[-1]))  # (B, 21)
    return {
        "masks": masks,
        "masks2": masks2,
        "cmask": pipeline.color_map(masks, batch["colors"]),  # (B, S, S, 3)
        "cmask2": pipeline.color_map(masks2, batch["colors"]),  # the second map in the first face's colours
        "code": tf.concat([colors, batch["face_id"]], -1),  # (B, 149)
    }


def masked_photograph(batch: dict, masks: tf.Tensor) -> tf.Tensor:
    """The target: the photographs of a batch, (B, S, S, 3) in 0..1, black where no region is."""
    face = tf.reduce_max(masks, -1, keepdims=True)  # (B, S, S, 1): any region
    return tf.cast(batch["image"], keras.config.floatx()) / 255 * face


# --- networks ---------------------------------------------------------------------------------------------------------


def Generator(args: Args) -> keras.Model:
    """U-Net: masks and colour map (B, S, S, 10), colours and face ID (B, 149) -> picture (B, S, S, 3) in 0..1.
    W is --width."""
    levels = args.size.bit_length() - 1  # log2(S)
    w = args.width
    widths = [min(w * 2**i, 8 * w) for i in range(levels)]  # W, 2 W, 4 W, 8 W, 8 W, ...
    masks_and_colors = layers.Input((args.size, args.size, region_count(args.parts) + 3))
    code = layers.Input((3 * region_count(args.parts) + pipeline.FACE_ID,))

    face_id = layers.Rescaling(args.face_id_scale)(code[:, -pipeline.FACE_ID :])  # (B, 128)
    scaled = layers.Concatenate()([code[:, : -pipeline.FACE_ID], face_id])  # (B, 149)

    modulation = {} if args.modulation == "none" else {"code": scaled}
    if args.modulation == "regions":
        modulation["masks"] = masks_and_colors[..., :-3]  # (B, S, S, 7)
    x, skips = masks_and_colors, []
    for i, width in enumerate(widths):
        x = blocks.down(x, width, args.norm if i else "none")  # (B, S/2, S/2, W) ... (B, 1, 1, 8 W)
        skips.append(x)
    x = layers.Concatenate()([skips.pop(), layers.Reshape((1, 1, -1))(scaled)])  # (B, 1, 1, 8 W + 149)
    for i, skip in enumerate(reversed(skips)):
        dropout = args.dropout if i < 3 else 0.0
        x = blocks.up(x, skip.shape[-1], args.norm, args.upsampling, dropout, **modulation)  # ... (B, S/2, S/2, W)
        x = layers.Concatenate()([x, skip])  # (B, 2, 2, 16 W) ... (B, S/2, S/2, 2 W)
    if args.full_resolution:
        x = blocks.up(x, w, args.norm, args.upsampling, **modulation)  # (B, S, S, W)
        x = layers.Concatenate()([x, masks_and_colors])  # (B, S, S, W + 10)
        x = blocks.convolve(x, w, 3)  # (B, S, S, W)
        x = layers.Conv2D(3, 3, padding="same", kernel_initializer=blocks.initializer())(x)  # (B, S, S, 3)
    else:
        x = blocks.upsample(x, 3, args.upsampling)  # (B, S, S, 3)
    if args.residual:
        colors = keras.ops.clip(masks_and_colors[..., -3:], 0.01, 0.99)  # (B, S, S, 3)
        x = layers.Add(dtype=keras.config.floatx())([x, keras.ops.log(colors / (1 - colors))])  # (B, S, S, 3)
    picture = layers.Activation("sigmoid", dtype=keras.config.floatx())(x)
    return keras.Model([masks_and_colors, code], picture, name="generator")


def Discriminator(args: Args) -> keras.Model:
    """Colour map and picture, each (B, S, S, 3) -> colour map read back, (B, S/8, S/8, 3) in 0..1, and score (B, 1)."""
    cmask = layers.Input((args.size, args.size, 3))
    picture = layers.Input((args.size, args.size, 3))
    x = layers.Concatenate()([cmask, picture]) if args.map_sees == "both" else picture  # (B, S, S, 6 or 3)
    x = blocks.convolve(x, 64, 3, 2)  # (B, S/2, S/2, 64)
    x = blocks.convolve(x, 128, 3, 2, args.norm)  # (B, S/4, S/4, 128)
    x = blocks.convolve(x, 256, 3, 2, args.norm)  # (B, S/8, S/8, 256)
    x = blocks.convolve(x, 256, 3, 1, args.norm)  # (B, S/8, S/8, 256)
    read_back = layers.Conv2D(3, 3, padding="same", kernel_initializer=blocks.initializer())(x)  # (B, S/8, S/8, 3)
    read_back = layers.Activation("sigmoid", dtype=keras.config.floatx())(read_back)
    if args.map_sees == "picture":  # the score sees the colour map all the same
        x = layers.Concatenate()([x, layers.AveragePooling2D(8)(cmask)])  # (B, S/8, S/8, 259)
        x = blocks.convolve(x, 256, 3, 1, args.norm)  # (B, S/8, S/8, 256)
    x = layers.GlobalAveragePooling2D()(x)  # (B, 256)
    x = layers.Dense(1, kernel_initializer=blocks.initializer())(x)  # (B, 1)
    score = layers.Activation("linear", dtype=keras.config.floatx())(x)
    return keras.Model([cmask, picture], [read_back, score], name="discriminator")


# --- losses -----------------------------------------------------------------------------------------------------------


def gan_loss(logits: tf.Tensor, real: bool) -> tf.Tensor:
    """Binary cross-entropy of logits that should say real, or fake (pix2pix, equation 1)."""
    labels = tf.ones_like(logits) if real else tf.zeros_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def accuracy(logits: tf.Tensor, real: bool) -> tf.Tensor:
    """The share of logits with the right sign."""
    return tf.reduce_mean(tf.cast((logits > 0) == real, tf.float32))


def reconstruction_loss(target: tf.Tensor, reconstruction: tf.Tensor) -> tf.Tensor:
    """L1 between the masked photograph and the reconstruction, both (B, S, S, 3)."""
    return tf.reduce_mean(tf.abs(target - reconstruction))


def color_loss(picture: tf.Tensor, masks: tf.Tensor, colors: tf.Tensor) -> tf.Tensor:
    """L1 between each region's mean colour in a picture (B, S, S, 3) and the given one, colors (B, 7, 3): small
    regions, eyes above all, count as much as large ones; a region without a pixel counts as right."""
    pixels = tf.reduce_sum(masks, (1, 2))[..., None]  # (B, 7, 1)
    means = tf.einsum("bhwr,bhwc->brc", masks, picture) / tf.maximum(pixels, 1.0)  # (B, 7, 3)
    return tf.reduce_mean(tf.where(pixels > 0, tf.abs(means - colors), 0.0))


def map_loss(cmask: tf.Tensor, read_back: tf.Tensor) -> tf.Tensor:
    """L1 between a colour map (B, S, S, 3), averaged over 8 x 8 pixels, and the one read back, (B, S/8, S/8, 3)."""
    return tf.reduce_mean(tf.abs(tf.nn.avg_pool2d(cmask, 8, 8, "VALID") - read_back))


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
    loss_weights = {"gan": args.gan_weight, "l1": args.lambda_, "map_man": args.lambda_}
    loss_weights |= {"identity": args.identity, "perceptual": args.perceptual, "color": args.color_consistency}

    def losses_of(generator, batch: dict, training: bool) -> dict[str, tf.Tensor]:
        inputs = network_inputs(batch)
        masks, masks2, code = inputs["masks"], inputs["masks2"], inputs["code"]
        cmask, cmask2, target = inputs["cmask"], inputs["cmask2"], masked_photograph(batch, masks)  # (B, S, S, 3) each
        maps = tf.concat([masks, cmask], -1)  # (B, S, S, 10)
        maps2 = tf.concat([masks2, cmask2], -1)  # (B, S, S, 10)
        if args.norm == "batch":  # its means are of one map's pictures, as published
            rec = generator([maps, code], training=training)  # (B, S, S, 3)
            man = generator([maps2, code], training=training)  # (B, S, S, 3)
        else:  # one pass saves time
            both = [blocks.paired(maps, maps2), blocks.paired(code, code)]  # (2 B, S, S, 10), (2 B, 149)
            rec, man = blocks.unpaired(generator(both, training=training))  # (B, S, S, 3) each
        real_map, real_score = discriminator([cmask, target], training=training)  # (B, S/8, S/8, 3), (B, 1)
        # one pass for both fakes saves time
        fakes = [tf.concat([cmask, cmask2], 0), tf.concat([rec, man], 0)]
        fake_maps, fake_scores = discriminator(fakes, training=training)  # (2 B, S/8, S/8, 3), (2 B, 1)
        rec_score, man_score = tf.split(fake_scores, 2)  # (B, 1) each
        man_map = tf.split(fake_maps, 2)[1]  # (B, S/8, S/8, 3)

        losses = {"gan": gan_loss(rec_score, True)}
        losses["l1"] = reconstruction_loss(target, rec)
        losses["map_man"] = map_loss(cmask2, man_map)
        if args.identity:
            both, cmasks = tf.concat([rec, man], 0), tf.concat([cmask, cmask2], 0)  # (2 B, S, S, 3) each
            colors = cmasks if args.identity_sees == "light" else both
            losses["identity"] = 2 * identity_loss(face_network, tf.tile(batch["face_id"], (2, 1)), both, colors)
        if args.perceptual or not training:
            losses["perceptual"] = perceptual_loss(face_network, target, rec)
        if args.color_consistency:
            losses["color"] = color_loss(rec, masks, batch["colors"])
            losses["color"] += color_loss(man, masks2, batch["colors"])
        g_loss = sum(loss_weights[name] * loss for name, loss in losses.items())
        d_gan = gan_loss(real_score, True)
        d_gan += gan_loss(rec_score, False) + gan_loss(man_score, False)
        real_l1 = map_loss(cmask, real_map)
        d_loss = args.gan_weight * d_gan + args.lambda_ * real_l1
        losses = {"g": g_loss, "d": d_loss, **losses, "map_real": real_l1}
        losses |= {"acc_real": accuracy(real_score, True), "acc_fake": accuracy(fake_scores, False)}
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
    pool = faces.train if args.second_map == "split" else faces.all()
    records = pipeline.Records(args.data, faces.all(), args.size, args.cache)
    grid_faces, captions = loop.grid_faces(faces)
    grid_batch = make_grid_batch(records, grid_faces)
    validation_batches = batches_to_paint(records, faces.validation, np.roll(faces.validation, 1), args.batch_size)

    with loop.hold_run(args, faces) as training:
        with devices.strategy().scope():
            state = State(args)
        train_step = make_train_step(args, state)
        validation_step = make_validation_step(args, state) if args.validation else None
        training.resume(state.checkpoints)
        for epoch, first_step in training.epochs():
            epoch_batches = partial(training_batches, args, records, faces.train, pool, epoch, first_step)
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
    """The faces of each epoch's grid as a batch, each with the map of the one before it in its split."""
    numbers, others = np.concatenate(faces), np.concatenate([np.roll(n, 1) for n in faces])
    return next(iter(batches_to_paint(records, numbers, others, len(numbers))))


def dry_run(args: Args) -> None:
    """Print what --train would do."""
    faces = split(args)
    pipeline.check_size(args.data, args.size)
    with devices.strategy().scope():
        state = State(args)
    judged = 2 * bool(args.identity) + bool(args.perceptual)
    describe_training(args, faces, {state.generator: 2, state.discriminator: 3}, judged)


# --- testing ----------------------------------------------------------------------------------------------------------

ROWS = {
    "man": "manipulated",
    "cmask2": "new map,\nsame colours",
    "rec": "reconstruction",
    "cmask": "colour map",
    "real": "ground truth",
}
"""The result pictures and their labels, from the top row of a grid to the bottom."""


def paint(args: Args, generator: keras.Model, batch: dict) -> dict[str, np.ndarray]:
    """The pictures of ROWS for a batch, each (B, S, S, 3) in 0..1, and the masks, (B, S, S, 7)."""
    inputs = network_inputs(batch)
    maps = tf.concat([inputs["masks"], inputs["cmask"]], -1)  # (B, S, S, 10)
    maps2 = tf.concat([inputs["masks2"], inputs["cmask2"]], -1)  # (B, S, S, 10)
    rec = blocks.generate(generator, [maps, inputs["code"]], args.batch_statistics)
    man = blocks.generate(generator, [maps2, inputs["code"]], args.batch_statistics)
    results = {"man": man, "rec": rec, "real": masked_photograph(batch, inputs["masks"])}
    results |= {name: inputs[name] for name in ("cmask", "cmask2", "masks", "masks2")}
    return {name: x.numpy() for name, x in results.items()}


def grid(images: dict[str, np.ndarray], captions: list[str]) -> np.ndarray:
    """The labelled grid of what paint() returned, (H, W, 3) uint8."""
    return pictures.grid({label: images[name] for name, label in ROWS.items()}, captions)


def scores(images: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """L1 in 0..1 of each face, (B,): the reconstruction inside the regions, the colour map there for comparison, and
    the manipulated picture where both maps agree (NaN if they agree nowhere)."""
    inside = images["masks"].any(-1)
    agree = inside & (images["masks"] == images["masks2"]).all(-1)

    def l1(name, where):
        difference = np.abs(images["real"] - images[name]).mean(-1)  # (B, S, S)
        pixels = where.sum((1, 2))
        return np.where(pixels, (difference * where).sum((1, 2)) / np.maximum(pixels, 1), np.nan)

    return {"l1_rec": l1("rec", inside), "l1_cmask": l1("cmask", inside), "l1_man_agree": l1("man", agree)}


def test(args: Args) -> None:
    parts = run_folder.parts_to_test(args, split(args))
    numbers = np.concatenate(parts)
    records = pipeline.Records(args.data, numbers, args.size, args.cache)
    if not devices.is_chief():
        return
    # each split draws its second maps from itself, so they do not depend on --split
    others = np.concatenate([pipeline.draw_others(n, n, np.random.default_rng(args.seed)) for n in parts])
    generator = Generator(args)
    step = checkpoints.Checkpoints(args.run, average=generator).restore(required=True)
    with ResultsWriter(args.out, run_folder.about_test(args, step), numbers, ROWS) as results:
        for batch in batches_to_paint(records, numbers, others, args.batch_size):
            images = paint(args, generator, batch)
            about = {"k": batch["k"].numpy(), "map_k": batch["k2"].numpy()}
            results.add(images, about | scores(images))


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
