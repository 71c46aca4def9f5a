"""What does a training step of pix2pix.py, default and published, spend its time on? By kind of operation.

    python benchmarks/profile_step.py                  # 128 x 128 with batch 4 and 16, 256 x 256 with batch 4
    python benchmarks/profile_step.py --top 30

From TensorFlow's own profiler, two steps after two to warm up.
"""

import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facegan import runtime  # first: it sets TensorFlow's environment

# isort: split
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2
from train_step import noise

import pix2pix
from facegan import cli, devices

CASES = [(128, 4), (128, 16), (256, 4)]
"""Size, batch size."""
STEPS = 2
CONVOLUTIONS = ("Conv2D", "DepthwiseConv")
"""What names of operations that are convolutions, or their gradients, contain."""


@dataclass
class Args:
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    """auto is what the scripts choose here"""
    top: int = 15
    """kinds of operations in the tables; the others are added up"""


def profile(size: int, batch_size: int, published: bool, precision: str) -> Counter:
    """Kind of operation -> milliseconds a step, over all threads."""
    folder = Path(tempfile.mkdtemp())
    args = pix2pix.Args(size=size, batch_size=batch_size, precision=precision, run=folder, train=True)
    args = replace(args, **pix2pix.PUBLISHED) if published else args
    runtime.start(args)
    train_step = pix2pix.make_train_step(args, pix2pix.State(args), devices.strategy(), "off")
    batch = noise(size, batch_size)
    for step in range(2 * STEPS):
        if step == STEPS:
            tf.profiler.experimental.start(str(folder))
        float(train_step(batch, tf.constant(0))["g"])
    tf.profiler.experimental.stop()
    space = xplane_pb2.XSpace()
    space.ParseFromString(next(folder.rglob("*.xplane.pb")).read_bytes())
    milliseconds = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if name and not name.endswith(":") and kind.isidentifier():  # "name of the node:kind of operation"
                    milliseconds[kind.removeprefix("_Mkl").removeprefix("Native")] += event.duration_ps / 1e9 / STEPS
    return milliseconds


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    columns = {
        f"{'published' if published else 'default'}, {size}, batch {batch}": profile(
            size, batch, published, args.precision
        )
        for published in (False, True)
        for size, batch in CASES
    }
    total = sum(columns.values(), Counter())
    kinds = [kind for kind, _ in total.most_common(args.top)]
    convolutions = [kind for kind in total if any(name in kind for name in CONVOLUTIONS)]
    rows = {kind: [kind] for kind in kinds} | {"all others": [kind for kind in total if kind not in kinds]}
    rows |= {"**convolutions**": convolutions, "**all**": list(total)}
    print("\nMilliseconds a step, over all threads.\n")
    print("|", " | ".join(["operation", *columns]), "|")
    print("|---" * (1 + len(columns)) + "|")
    for row, members in rows.items():
        print(
            "|",
            row,
            "|",
            " | ".join(f"{sum(column[kind] for kind in members):.0f}" for column in columns.values()),
            "|",
        )


if __name__ == "__main__":
    cli.run(main)
