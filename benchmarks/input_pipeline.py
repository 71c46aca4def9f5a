"""Does the input pipeline hold the training step up?

    python benchmarks/input_pipeline.py --size 128 --batch-size 8

An epoch of batches, read in turn by: the plain way (np.load of samples/, color_masks/ and face_ids/ in one Python
generator), the packed records from disk, and the packed records in memory; beside them the training step of pix2pix.py
alone, on one batch. The table gives the median images/s and how much faster than the step each way is.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facegan import devices, precision  # first: they set TensorFlow's environment

# isort: split
import keras
import numpy as np
import tensorflow as tf

import pix2pix
from facegan import cli, files, pipeline, prepared, regions, steps


@dataclass
class Args:
    size: Literal[64, 128, 256, 512] = 128
    """working size"""
    batch_size: int = 8
    """faces a step"""
    count: int = 400
    """faces in the epoch, of noise in blocks"""
    rounds: int = 5
    """rounds; the median counts"""


def write_faces(args: Args, data: Path) -> np.ndarray:
    """A prepared folder of noise in blocks of 16 pixels; the numbers of its faces."""
    rng, s = np.random.default_rng(0), args.size
    files.claim(data / "prepared.json", "", size=s, source="noise", layout="parts", resample="area")
    for folder in prepared.MAKERS:
        (data / folder).mkdir()
    for k in range(args.count):
        image = rng.integers(0, 256, (s, s, 3), np.uint8)
        masks = np.kron(rng.integers(0, 2, (s // 16, s // 16, 7), np.uint8), np.ones((16, 16, 1), np.uint8))
        colors = rng.uniform(0, 255, (7, 3)).astype(np.float32)
        cmask = regions.color_map(masks, colors)
        prepared.write_npz(data / "samples" / f"{k}.npz", ("Image",), Image=image, Masks=masks, Colors=colors)
        prepared.write_npz(data / "color_masks" / f"{k}.npz", cmask=cmask)
        prepared.write_npz(data / "face_ids" / f"{k}.npz", face_id=rng.random(128, np.float32))
    return np.arange(args.count)


def plain_batches(args: Args, data: Path, numbers: np.ndarray):
    """What one would write first: files opened in Python, one after the other, the whole photograph as float."""

    def faces():
        order = np.random.default_rng(0).permutation(numbers)
        for k, other in zip(order, np.roll(order, 1), strict=True):
            sample, sample2 = (np.load(data / "samples" / f"{j}.npz") for j in (k, other))
            cmask = np.load(data / "color_masks" / f"{k}.npz")["cmask"]
            face_id = np.load(data / "face_ids" / f"{k}.npz")["face_id"]
            masks, masks2 = sample["Masks"].astype(np.float32), sample2["Masks"].astype(np.float32)
            yield sample["Image"].astype(np.float32), masks, masks2, cmask, sample["Colors"], face_id

    s = args.size
    shapes = [(s, s, 3), (s, s, 7), (s, s, 7), (s, s, 3), (7, 3), (128,)]
    kinds = tuple(tf.TensorSpec(shape, tf.float32) for shape in shapes)
    return tf.data.Dataset.from_generator(faces, output_signature=kinds).batch(args.batch_size).prefetch(2)


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    keras.mixed_precision.set_global_policy(precision.fastest()[0])
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        numbers = write_faces(args, data)
        flags = pix2pix.Args(size=args.size, batch_size=args.batch_size, data=data, run=data / "run")
        records = {cache: pipeline.Records(data, numbers.tolist(), args.size, cache) for cache in ("off", "on")}
        alone = tf.distribute.InputContext()

        def ours(cache: str):
            return pix2pix.training_batches(flags, records[cache], numbers, numbers, 0, 0, alone)

        ways = {
            "plain": lambda: plain_batches(args, data, numbers),
            "packed records, disk": lambda: ours("off"),
            "packed records, memory": lambda: ours("on"),
        }
        train_step = pix2pix.make_train_step(flags, pix2pix.State(flags))
        batch = next(iter(ours("on")))
        rates = {name: [] for name in [*ways, "training step alone"]}
        for _ in range(args.rounds):
            for name, batches in ways.items():
                begin = time.perf_counter()
                n = sum(1 for _ in batches())
                rates[name].append(n * args.batch_size / (time.perf_counter() - begin))
            seconds = steps.step_seconds({"step": train_step}, batch, [], 5)["step"]
            rates["training step alone"].append(args.batch_size / seconds)
    print(f"\n{args.size} x {args.size}, batch {args.batch_size}, {devices.in_words()}\n")
    print("| way | images/s | x the step |\n|---|---|---|")
    for name, own in rates.items():
        print(f"| {name} | {np.median(own):.0f} | {np.median(np.divide(own, rates['training step alone'])):.1f} |")


if __name__ == "__main__":
    cli.run(main)
