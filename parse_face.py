"""A face parser: photograph -> which of CelebAMask-HQ's 18 parts, or background, every pixel shows.

    python parse_face.py --train --test                    # data/prepared -> runs/parse_face -> results/parse_face
    python own_photo.py me.jpg you.png --out mine          # what it draws maps for

A small U-Net, trained on the photographs and label maps that g_simple_mask.py prepared (no colour maps or face IDs are
needed), on the same training faces as the GANs, so that it never judges with faces it was trained on. In the order of
pix2pix.py: Args, dataset, Parser, losses, train_step, train, test. B is the batch, S the working size; pictures are
0..1 everywhere.
"""

from facegan import devices, precision, runtime  # first: devices sets TensorFlow's environment

# isort: split
import json
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import keras
import numpy as np
import tensorflow as tf
import tyro
from keras import layers

from facegan import (
    augment,
    blocks,
    checkpoints,
    cli,
    files,
    labelmaps,
    loop,
    norms,
    parsers,
    pictures,
    pipeline,
    prepared,
    regions,
    run_folder,
    steps,
)
from facegan.dry_run import describe_training
from facegan.errors import BadInput
from facegan.flags import Bounds, Channels, Decay, Kind, LearningRate, Share, Weight
from facegan.results import ResultsWriter


@dataclass
class Args(run_folder.TrainingArgs):
    test: Annotated[bool, Kind.CALL] = False
    """score the trained run on the faces of --split, into --out"""
    run: Annotated[Path, Kind.CALL] = Path("runs/parse_face")
    """folder of the run: flags, checkpoints, parser.keras, metrics.csv, result grids, TensorBoard logs"""
    out: Annotated[Path, Kind.CALL] = Path("results/parse_face")
    """where --test writes its pictures"""
    split: Annotated[Literal["test", "validation", "train", "all"], Kind.CALL] = "test"
    """which faces --test scores: the last 20 %; those of --validation; the others of the first 80 %; or all"""
    published: tyro.conf.Suppress[tyro.conf.Fixed[bool]] = False
    """there is no published recipe of a parser"""

    epochs: Annotated[int, Bounds(1, 10**9), Kind.FREE] = 60
    """passes over the training faces; may be raised later"""
    learning_rate: LearningRate = 2e-3
    """Adam's"""
    beta1: Decay = 0.9
    """Adam's first decay rate"""
    lambda_: Annotated[Weight, tyro.conf.arg(name="lambda")] = 3.0
    """weight of the Dice loss, in which a small part counts as much as a large one, against the cross-entropy; 0, 1, 3
    gave 0.35, 0.47, 0.54 mean IoU on eight drawn faces after 120 steps, and the accuracy rose too"""
    width: Channels = 32
    """channels at half size; a quarter of the work with half of them"""
    norm: Literal["group", "batch"] = "group"
    """group: the same in training and testing, at any batch size"""
    ema_decay: Decay = 0.995
    """test with a moving average of the weights"""
    flip: bool = True
    """half of the training faces are mirrored, their left and right parts exchanged"""
    black: Share = 0.5
    """share of the training photographs whose background is painted black"""
    soften: Share = 0.4
    """share of the training photographs that are blurred, as painted faces and small photographs are"""
    vary: bool = True
    """move, turn, scale and recolour the training photographs a little"""
    mend_sides: bool = True
    """exchange l_ and r_ parts of a training map whose left eye lies to the viewer's left; 6 % of real maps are so"""


# --- dataset ----------------------------------------------------------------------------------------------------------


def split(args: Args) -> run_folder.Split:
    """The numbers of the faces that train, that validate and that test: the same as the GANs', when all samples have
    their colour maps and face IDs."""
    return run_folder.checked_split(args, prepared.sample_indices(args.data))


def training_batches(args: Args, records, numbers, epoch: int, first_step: int, context) -> tf.data.Dataset:
    """The batches of one epoch from first_step on. Order and changes depend on seed and epoch alone, so a resumed
    epoch goes on with exactly the batches that are left. context: which of several machines this is."""
    rng = np.random.default_rng([args.seed, epoch])
    order = rng.permutation(numbers)
    mine = pipeline.share(context, args.batch_size, first_step, order, draw_changes(args, rng, len(order)))
    return batches(records, *mine, context.get_per_replica_batch_size(args.batch_size), args.mend_sides)


def draw_changes(args: Args, rng: np.random.Generator, n: int) -> np.ndarray:
    """Random changes for n faces, (n, 12) float32 in the order of augment.CHANGES.

    Half of the backgrounds are black, because the GANs paint no background and evaluate.py asks for the parts of what
    they painted, while a person's own photograph has one. The variations cover an alignment that is some per cent off.
    """
    changes = dict.fromkeys(augment.CHANGES, np.zeros(n))
    changes["flip"] = rng.random(n) < (0.5 if args.flip else 0)
    changes["black"] = rng.random(n) < args.black
    changes["soften"] = np.where(rng.random(n) < args.soften, rng.uniform(0, 1, n), 0)  # up to a quarter of the size
    if args.vary:
        changes["angle"] = rng.normal(0, 0.07, n)  # radians
        changes["scale"] = rng.normal(0, 0.08, n)  # of the logarithm
        changes["across"], changes["down"] = rng.normal(0, 0.03, (2, n))  # of the side
        changes["gain"], changes["gamma"] = rng.normal(0, 0.15, (2, n))
        changes["red"], changes["green"], changes["blue"] = rng.normal(0, 0.05, (3, n))
    return np.stack([changes[name] for name in augment.CHANGES], 1).astype(np.float32)


def batches(records: pipeline.LabelRecords, numbers, changes, batch_size: int, mend: bool = False) -> tf.data.Dataset:
    """Batches of: k (B,); image (B, S, S, 3) in 0..1; labels (B, S, S) int32, ids 0..18. changes (N, 12)."""

    @tf.autograph.experimental.do_not_convert
    def load(k, change):
        face = records.read(k)
        image, labels = tf.cast(face["image"], tf.float32) / 255, tf.cast(face["labels"], tf.int32)
        labels = mended(labels) if mend else labels
        image, labels = tf.cond(
            tf.reduce_any(change != 0), lambda: augment.changed(image, labels, change), lambda: (image, labels)
        )
        return {"k": k, "image": tf.ensure_shape(image, face["image"].shape), "labels": labels}

    dataset = tf.data.Dataset.from_tensor_slices((numbers, changes))
    dataset = dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def unchanged(numbers: np.ndarray) -> np.ndarray:
    """Changes that leave every face as it is, (N, 12)."""
    return np.zeros((len(numbers), len(augment.CHANGES)), np.float32)


def mended(labels: tf.Tensor) -> tf.Tensor:
    """A label map (S, S) whose l_eye lies left of its r_eye in the picture, with l_ and r_ exchanged: l_ and r_ are the
    person's own sides, so that only a wrong map looks like that."""
    column = tf.cast(tf.range(labels.shape[1])[None], tf.float32)

    def place(part):
        inside = tf.cast(labels == labelmaps.NAMES.index(part), tf.float32)
        return tf.reduce_sum(inside * column) / tf.reduce_sum(inside)  # NaN without the part: compares as False

    return tf.where(place("l_eye") < place("r_eye"), tf.gather(regions.MIRRORED_LABEL.astype(np.int32), labels), labels)


# --- network ----------------------------------------------------------------------------------------------------------


def Parser(args: Args) -> keras.Model:
    """U-Net: photograph (B, S, S, 3) in 0..1 -> logits (B, S, S, 19) of background and the 18 parts."""
    levels = args.size.bit_length() - 3  # down to 4 x 4
    widths = [args.width * min(2**i, 8) for i in range(levels)]  # 32, 64, 128, 256, 256, ...
    photo = layers.Input((args.size, args.size, 3))
    x = layers.Rescaling(4.0, offset=-2.0)(photo)  # (B, S, S, 3) in -2..2
    skips = []
    for width in widths:
        x = blocks.down(x, width, args.norm)  # (B, S/2, S/2, 32) ... (B, 4, 4, 256)
        x = blocks.convolve(x, width, 3, 1, args.norm)
        skips.append(x)
    skips.pop()
    for skip in reversed(skips):
        width = skip.shape[-1]
        x = blocks.up(x, width, args.norm, "resize")  # (B, 8, 8, 256) ... (B, S/2, S/2, 32)
        x = layers.Concatenate()([x, skip])  # (B, 8, 8, 512) ... (B, S/2, S/2, 64)
        x = blocks.convolve(x, width, 3, 1, args.norm)  # (B, 8, 8, 256) ... (B, S/2, S/2, 32)
    # Each pixel of half size says the logits of four (sub-pixel convolution, Shi et al., CVPR 2016), as layers at full
    # size took half of all time. A checkerboard does no harm here, for logits are not looked at.
    s, n = args.size // 2, labelmaps.IDS
    x = layers.Conv2D(4 * n, 1, kernel_initializer=blocks.initializer())(x)  # (B, S/2, S/2, 76)
    x = layers.Permute((1, 3, 2, 4))(layers.Reshape((s, s, 2, 2 * n))(x))  # (B, S/2, 2, S/2, 38)
    x = layers.Reshape((args.size, args.size, n), dtype=keras.config.floatx())(x)  # (B, S, S, 19)
    # Sure logits are large, the initial weights small and Adam's steps too: without this factor 120 steps on eight
    # drawn faces ended with a Dice loss of 0.73, with it 0.41.
    logits = layers.Rescaling(10.0, dtype=keras.config.floatx())(x)
    return keras.Model(photo, logits, name="parser")


# --- losses -----------------------------------------------------------------------------------------------------------


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The mean over all pixels: labels (B, S, S) int32, logits (B, S, S, 19)."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def dice_loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """1 - the soft Dice coefficient (Milletari et al., 3DV 2016), the mean over the parts that a face has, then over
    faces: an eye of 40 pixels counts as much as the hair. labels (B, S, S) int32, logits (B, S, S, 19)."""
    truth = tf.one_hot(labels, labelmaps.IDS, dtype=logits.dtype)  # (B, S, S, 19)
    probability = tf.nn.softmax(logits)
    both = tf.reduce_sum(truth * probability, (1, 2))  # (B, 19)
    area = tf.reduce_sum(truth, (1, 2))
    dice = (2 * both + 1) / (area + tf.reduce_sum(probability, (1, 2)) + 1)
    exists = tf.cast(area > 0, logits.dtype)
    return 1 - tf.reduce_mean(tf.reduce_sum(dice * exists, -1) / tf.reduce_sum(exists, -1))


def accuracy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The share of pixels that are named right."""
    return tf.reduce_mean(tf.cast(tf.argmax(logits, -1, tf.int32) == labels, tf.float32))


# --- training ---------------------------------------------------------------------------------------------------------


class State:
    """The network, its moving average, the optimizer, and their checkpoints."""

    def __init__(self, args: Args):
        self.parser, self.average = Parser(args), Parser(args)
        self.average.set_weights(self.parser.get_weights())
        self.optimizer = steps.optimizer(self.parser.trainable_variables, args.learning_rate, args.beta1)
        self.checkpoints = checkpoints.Checkpoints(
            args.run, parser=self.parser, average=self.average, optimizer=self.optimizer
        )


def losses_of(args: Args, parser: keras.Model, batch: dict, training: bool) -> dict[str, tf.Tensor]:
    """The losses of a batch by name; "loss" is what the parser minimises."""
    logits = parser(batch["image"], training=training)  # (B, S, S, 19)
    ce, dice = cross_entropy(batch["labels"], logits), dice_loss(batch["labels"], logits)
    accurate = accuracy(batch["labels"], logits)
    return {"loss": ce + args.lambda_ * dice, "ce": ce, "dice": dice, "accuracy": accurate}


def make_train_step(args: Args, state: State):
    """The training step as a graph: batch, step number -> losses by name, means over all devices."""
    parser, replicas = state.parser, devices.strategy().num_replicas_in_sync

    def gradients(batch: dict) -> tuple[dict, list]:
        """Losses of a device's part of the batch, and what they contribute to the gradients."""
        with tf.GradientTape() as tape:
            losses = losses_of(args, parser, batch, training=True)
            # each device adds its part to a mean over the whole batch; scaled under float16 only
            part = state.optimizer.scale_loss(losses["loss"] / replicas)
        return losses, [tape.gradient(part, parser.trainable_variables)]

    average = state.average, parser, args.ema_decay
    return steps.compile_step(gradients, [(state.optimizer, parser)], average, args.xla, state.checkpoints.variables)


def make_validation_step(args: Args, state: State):
    """The losses of the moving average as a graph: batch -> losses by name."""
    return tf.function(lambda batch: losses_of(args, state.average, batch, training=False), autograph=False)


def train(args: Args) -> None:
    faces = split(args)
    records = pipeline.LabelRecords(args.data, faces.all(), args.size, args.cache)
    grid_faces, captions = loop.grid_faces(faces)
    grid_batch = make_grid_batch(records, grid_faces)
    validation_batches = batches(records, faces.validation, unchanged(faces.validation), args.batch_size)

    with loop.hold_run(args, faces) as training:
        with devices.strategy().scope():
            state = State(args)
        train_step, whole = make_train_step(args, state), float32_parser(args)
        validation_step = make_validation_step(args, state)
        training.resume(state.checkpoints)
        for epoch, first_step in training.epochs():
            epoch_batches = partial(training_batches, args, records, faces.train, epoch, first_step)
            for batch in devices.strategy().distribute_datasets_from_function(epoch_batches):
                losses = train_step(batch, tf.constant(training.step))
                training.finish_step(losses, batch["k"])  # counts, logs
                if training.epoch_ended and devices.is_chief():
                    training.show(grid(parse(state.average, grid_batch), captions))
                    if args.validation:
                        training.log_validation(steps.mean_losses(validation_step, validation_batches))
                if training.save_in_time():
                    write_parser(args.run, whole, state.average)
                if training.stopped:
                    break
        # a kill may have come between a checkpoint and this
        if devices.is_chief() and not has_weights(args.run, state.average.get_weights()):
            write_parser(args.run, whole, state.average)


def float32_parser(args: Args) -> keras.Model:
    """A parser in float32, whatever the training's precision: what others load needs no fast 16-bit units."""
    with precision.in_float32():
        return Parser(args)


def write_parser(run: Path, whole: keras.Model, average: keras.Model) -> None:
    """Write run/parser.keras, the moving average, which keras.models.load_model reads without this repository."""
    if not devices.is_chief():
        return
    whole.set_weights(average.get_weights())
    with precision.in_float32(), tempfile.TemporaryDirectory() as folder:  # Keras insists on a name that ends in .keras
        path = Path(folder) / "parser.keras"
        with files.named_errors(path):
            norms.portable_copy(whole).save(path)
        files.write_bytes(run / "parser.keras", path.read_bytes())


def has_weights(run: Path, weights: list[np.ndarray]) -> bool:
    """Whether run/parser.keras can be read and has these. Then it stays: what it judged names it by its checksum, and
    Keras writes the date into it."""
    try:
        values = parsers.load(run).get_weights()
    except BadInput:
        return False
    weights = [weight.astype(np.float32) for weight in weights]
    return len(values) == len(weights) and all(map(np.array_equal, values, weights))


def make_grid_batch(records, faces: list[np.ndarray]) -> dict:
    """The faces of each epoch's grid as a batch."""
    numbers = np.concatenate(faces)
    return next(iter(batches(records, numbers, unchanged(numbers), len(numbers))))


def dry_run(args: Args) -> None:
    """Print what --train would do."""
    faces = split(args)
    pipeline.check_size(args.data, args.size)
    with devices.strategy().scope():
        state = State(args)
    describe_training(args, faces, {state.parser: 1})


# --- testing ----------------------------------------------------------------------------------------------------------

ROWS = {"parsed": "found", "given": "label map", "real": "photograph"}
"""The result pictures and their labels, from the top row of a grid to the bottom."""


def parse(parser: keras.Model, batch: dict) -> dict[str, np.ndarray]:
    """The pictures of ROWS, each (B, S, S, 3) in 0..1, and the found and given label maps, (B, S, S)."""
    photo, truth = batch["image"].numpy(), batch["labels"].numpy()
    prediction = parser(batch["image"], training=False).numpy().argmax(-1)
    over = {name: labelmaps.over_photo(photo, labels) for name, labels in (("parsed", prediction), ("given", truth))}
    return {**over, "real": photo, "found_labels": prediction, "given_labels": truth}


def grid(parsed: dict[str, np.ndarray], captions: list[str]) -> np.ndarray:
    """The labelled grid of some parsed faces, (H, W, 3) uint8."""
    return pictures.grid({label: parsed[name] for name, label in ROWS.items()}, captions)


def scores(confusions: np.ndarray) -> dict[str, np.ndarray]:
    """Of each face, (B,), from its confusion (B, 19, 19): pixel accuracy, mean IoU of the parts and of the regions that
    are given or found."""
    return {
        "accuracy": np.array([labelmaps.accuracy(c) for c in confusions]),
        "iou_parts": np.nanmean(labelmaps.iou(confusions)[:, 1:], -1),
        "iou_regions": np.nanmean(labelmaps.iou(labelmaps.of_regions(confusions))[:, 1:], -1),
    }


def test(args: Args) -> None:
    parts = run_folder.parts_to_test(args, split(args))
    numbers = np.concatenate(parts)
    records = pipeline.LabelRecords(args.data, numbers, args.size, args.cache)
    if not devices.is_chief():
        return
    parser = Parser(args)
    step = checkpoints.Checkpoints(args.run, average=parser).restore(required=True)
    about, total = run_folder.about_test(args, step), 0
    with ResultsWriter(args.out, about, numbers, ROWS) as results:
        for name in ("scores.json", "scores.md"):
            (args.out / name).unlink(missing_ok=True)  # of the test before
        for batch in batches(records, numbers, unchanged(numbers), args.batch_size):
            parsed = parse(parser, batch)
            pairs = zip(parsed["given_labels"], parsed["found_labels"], strict=True)
            confusions = np.stack([labelmaps.confusion(truth, prediction) for truth, prediction in pairs])
            results.add(parsed, {"k": batch["k"].numpy()} | scores(confusions))
            total = total + confusions.sum(0)
        scored = {**about, "faces": len(numbers), **labelmaps.summary(total)}
        files.write_text(args.out / "scores.json", json.dumps(scored, indent=2) + "\n")
        files.write_text(args.out / "scores.md", labelmaps.table(scored) + "\n")
    print(labelmaps.table(scored))


def main() -> None:
    args = run_folder.parse(Args, {}, __doc__)
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
