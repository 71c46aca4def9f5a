"""How long does one 256 x 256 face take to paint, and how far is it from float32? pix2pix.py's default, random weights.

    python benchmarks/inference.py
    python benchmarks/inference.py --batch-size 16    # as --test paints

All ways take turns on the same faces, --rounds times; the first is what --test does, litert what the editor's page
does on a CPU. ONNX comes with `pip install -r requirements-export.txt`; its row is left out without it.
"""

import importlib.util
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facegan import devices  # first: it sets TensorFlow's environment

# isort: split
import numpy as np
import tensorflow as tf

import export
import pix2pix
from facegan import cli, precision


@dataclass
class Args:
    size: int = 256
    """side of the face"""
    batch_size: int = 1
    """faces at a time"""
    rounds: int = 20
    """rounds; the median counts"""


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    precision.set_policy("float32")
    flags = pix2pix.Args(size=args.size)
    run = export.Run(pix2pix, flags, pix2pix.Generator(flags), 0)
    rng = np.random.default_rng(0)
    for weight in run.generator.weights:
        weight.assign(weight + rng.normal(0, 0.02, weight.shape))
    ours, keras_own = export.named(run.generator), export.standalone(run)
    face = {name: rng.random((args.batch_size, *x.shape[1:]), np.float32) for name, x in ours.input.items()}
    face["masks"] = np.eye(7, dtype=np.float32)[rng.integers(0, 7, (args.batch_size, args.size, args.size))]
    graph, plain = (tf.function(lambda x, model=model: model(x, training=False)) for model in (ours, keras_own))
    ways = {
        "tf.function": lambda: graph(face)["picture"].numpy(),
        "tf.function, Keras's own layers": lambda: plain(face)["picture"].numpy(),
        "operation by operation": lambda: ours(face, training=False)["picture"].numpy(),
        "Keras predict": lambda: ours.predict(face, verbose=0)["picture"],
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, form in export.FORMATS.items():
            if all(importlib.util.find_spec(package) for package in form.packages) and name in ("litert", "onnx"):
                form.write(keras_own, Path(folder) / form.file)
                loaded = form.load(Path(folder) / form.file)
                ways[name] = lambda loaded=loaded: loaded.paint(face)
        reference = keras_own(face)["picture"].numpy()  # float32, layer by layer
        errors = {way: np.abs(paint() - reference).max() for way, paint in ways.items()}  # warms up, too
        seconds = {way: [] for way in ways}
        for _ in range(args.rounds):
            for way, paint in ways.items():
                begin = time.perf_counter()
                paint()
                seconds[way].append(time.perf_counter() - begin)
    print(f"\n{args.batch_size} at a time, {args.size} x {args.size}, {devices.in_words()}\n")
    print("| way | ms (quartiles) | largest error, of 255 |\n|---|---|---|")
    for way, times in seconds.items():
        low, middle, high = np.percentile(times, (25, 50, 75)) * 1000
        print(f"| {way} | {middle:.0f} ({low:.0f} to {high:.0f}) | {255 * errors[way]:.4f} |")


if __name__ == "__main__":
    cli.run(main)
