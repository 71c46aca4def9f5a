"""How fast is a training step: the three scripts, float32, bfloat16, and XLA, beside the published recipe in float32?

    python benchmarks/train_step.py                              # 128 x 128, batch 8
    python benchmarks/train_step.py --size 256 --batch-size 16   # what README's table of a GPU wants

All ways step in turn, --rounds times, on one batch of noise; the table gives the median images/s and the median of the
ratios to the baseline in the same round.
"""

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facegan import runtime

# isort: split
import keras
import numpy as np
import tensorflow as tf

import pix2pix
import pix2pix_rec
import pix2pix_v2
from facegan import cli, pipeline
from facegan.regions import REGIONS


@dataclass
class Args:
    size: Literal[64, 128, 256, 512] = 128
    """working size"""
    batch_size: int = 8
    """faces a step"""
    steps: int = 5
    """steps of each way in a round"""
    rounds: int = 5
    """rounds; the median counts"""


def noise(args: Args) -> dict[str, tf.Tensor]:
    """A batch as the scripts' datasets give it."""
    rng, b, s = np.random.default_rng(0), args.batch_size, args.size
    bits = rng.integers(0, 2 ** len(REGIONS), (2, b, s, s), np.uint8)
    batch = {
        "k": np.arange(b),
        "k2": np.arange(b),
        "image": rng.integers(0, 256, (b, s, s, 3), np.uint8),
        "bits": bits[0],
        "bits2": bits[1],
        "colors": rng.random((b, len(REGIONS), 3), np.float32),
        "face_id": rng.random((b, pipeline.FACE_ID), np.float32),
    }
    return {name: tf.constant(value) for name, value in batch.items()}


def make_step(script, args: Args, folder: Path, precision: str, xla: str, published: bool):
    """A script's own train_step, with networks of that precision."""
    keras.mixed_precision.set_global_policy(precision)
    flags = script.Args(size=args.size, batch_size=args.batch_size, precision=precision, run=folder)
    flags = replace(flags, **script.PUBLISHED) if published else flags
    return script.make_train_step(flags, script.State(flags), tf.distribute.get_strategy(), xla)


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    fast = runtime.fastest_precision()[0]
    fast = "mixed_bfloat16" if fast == "float32" else fast
    baseline = "pix2pix.py --published, float32"
    ways = {baseline: (pix2pix, "float32", "off", True)}
    for script in (pix2pix, pix2pix_v2, pix2pix_rec):
        name = f"{script.__name__}.py"
        ways[f"{name}, float32"] = (script, "float32", "off", False)
        ways[f"{name}, {fast}"] = (script, fast, "off", False)
        ways[f"{name}, {fast}, XLA"] = (script, fast, "on", False)
    with tempfile.TemporaryDirectory() as folder:
        steps = {
            way: make_step(script, args, Path(folder), precision, xla, published)
            for way, (script, precision, xla, published) in ways.items()
        }
        rounds = [runtime.step_seconds(steps, noise(args), [], args.steps) for _ in range(args.rounds)]
    print(f"\n{args.size} x {args.size}, batch {args.batch_size}, {runtime.devices_in_words()}\n")
    print("| way | images/s | x baseline |\n|---|---|---|")
    for way in ways:
        seconds = np.array([found[way] for found in rounds])
        ratio = np.median([found[baseline] / found[way] for found in rounds])
        print(f"| {way} | {args.batch_size / np.median(seconds):.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    cli.run(main)
