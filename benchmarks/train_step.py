"""How fast is a training step, and how much memory does it take? The three scripts, published and default, beside the
same networks and losses in PyTorch, and beside the fastest convolution that this machine does.

    python benchmarks/train_step.py                                    # 128 x 128, batch 16
    python benchmarks/train_step.py --size 256 --batch-size 4 --only pix2pix.py
    git worktree add ../before 0304f4d
    python benchmarks/train_step.py --only pix2pix.py --before ../before    # and beside another commit's

Every way steps on one batch of noise, in a process of its own, so that its memory is its own; all take turns, --rounds
times. The table gives medians, the spread of the rounds, and the median of the ratios within a round. PyTorch comes
with `pip install -r requirements-eval.txt`; torch.compile needs a C++ compiler.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

HERE = Path(__file__).resolve()
WAY = json.loads(os.environ.get("TRAIN_STEP_WAY", "{}"))
"""What a process measures that this script has started; {} in the one that a person starts."""
sys.path.insert(0, WAY.get("checkout", str(HERE.parent.parent)))


@dataclass
class Args:
    size: Literal[64, 128, 256, 512] = 128
    """working size"""
    batch_size: int = 16
    """faces a step"""
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    """of all ways; auto is what the scripts choose here"""
    steps: int = 3
    """steps of a way in a round, after two to warm up"""
    rounds: int = 3
    """rounds"""
    only: str = ""
    """ways whose names contain this"""
    before: Path | None = None
    """checkout of another commit, to compare with"""


# --- one way, in its own process --------------------------------------------------------------------------------------


def noise(size: int, batch_size: int) -> dict:
    """A batch as the scripts' datasets give it."""
    import numpy as np
    import tensorflow as tf

    rng, b, s = np.random.default_rng(0), batch_size, size
    bits = rng.integers(0, 128, (2, b, s, s), np.uint8)
    batch = {
        "image": rng.integers(0, 256, (b, s, s, 3), np.uint8),
        "bits": bits[0],
        "bits2": bits[1],
        "colors": rng.random((b, 7, 3), np.float32),
        "face_id": rng.normal(0, 0.1, (b, 128)).astype(np.float32),
    }
    return {name: tf.constant(value) for name, value in batch.items()}


def our_step(script: str, published: bool, size: int, batch_size: int, precision: str, xla: str = "off"):
    """A script's own train_step on a batch of noise, its networks, and GFLOP a step."""
    from facegan import runtime  # first: it sets TensorFlow's environment

    # isort: split
    import importlib
    import inspect

    import tensorflow as tf

    script = importlib.import_module(script)
    folder = Path(tempfile.gettempdir())
    args = script.Args(size=size, batch_size=batch_size, precision=precision, xla=xla, run=folder, train=True)
    args = replace(args, **script.PUBLISHED) if published else args
    runtime.start(args)
    state, batch = script.State(args), noise(size, batch_size)
    several = len(inspect.signature(script.make_train_step).parameters) > 2  # until November 2026
    train_step = script.make_train_step(args, state, *((runtime.strategy(), xla) if several else ()))
    gflop = convolutions(train_step.get_concrete_function(batch, tf.constant(0)).graph) / 1e9  # 0 where XLA has them
    networks = state.generator, state.discriminator
    parameters = [sum(weight.value.shape.num_elements() for weight in net.trainable_weights) for net in networks]
    return lambda: float(train_step(batch, tf.constant(0))["g"]), parameters, gflop


def convolutions(graph) -> int:
    """FLOP of the convolutions that a function's graph needs: TensorFlow leaves out gradients that nothing needs."""
    reached, ahead = set(), [*graph.control_outputs, *(tensor.op for tensor in graph.outputs)]
    while ahead:
        op = ahead.pop()
        if op not in reached:
            reached.add(op)
            ahead += [*op.control_inputs, *(tensor.op for tensor in op.inputs)]
    flop = 0
    for op in reached:
        if op.type.startswith("Conv2D"):
            forward = op.type == "Conv2D"  # the two gradients have as many products as the convolution itself
            y = op.outputs[0] if forward else op.inputs[2]
            kernel = op.outputs[0] if op.type.endswith("Filter") else op.inputs[1]
            flop += 2 * y.shape.num_elements() * kernel.shape[0] * kernel.shape[1] * kernel.shape[2]
    return flop


def pytorch_step(published: bool, compiled: bool, size: int, batch_size: int, precision: str):
    """The same of pytorch_peer.py."""
    import pytorch_peer

    step = pytorch_peer.Step(size, batch_size, published, precision == "mixed_bfloat16", compiled)
    return step, step.parameters, 0.0


def fastest_convolution(size: int, batch_size: int, precision: str):
    """One convolution of 3 x 3, 128 to 128 channels, on what a level of the networks sees at most."""
    from facegan import runtime  # noqa: F401

    # isort: split
    import tensorflow as tf

    shape, dtype = (batch_size, size // 2, size // 2, 128), precision.removeprefix("mixed_")
    x, kernel = tf.ones(shape, dtype), tf.ones((3, 3, 128, 128), dtype)
    step = tf.function(lambda: tf.reduce_sum(tf.nn.conv2d(x, kernel, 1, "SAME")[0, 0, 0]), autograph=False)
    return lambda: float(step()), [], 2 * x.shape.num_elements() * 9 * 128 / 1e9


MEASURED = {"ours": our_step, "pytorch": pytorch_step, "limit": fastest_convolution}


def measure(kind: str, steps: int, checkout: str, **way) -> None:
    """Print what a way took, as JSON."""
    step, parameters, gflop = MEASURED[kind](**way)
    for _ in range(2):
        step()
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    seconds = (time.perf_counter() - begin) / steps
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "gb": peak, "parameters": parameters, "gflop": gflop}))


# --- all ways ---------------------------------------------------------------------------------------------------------


def ways(args: Args) -> dict[str, dict]:
    """Name -> what its process is told."""
    ways = {"the fastest convolution": {"kind": "limit"}}
    for published in (True, False):
        recipe = "--published" if published else "default"
        for compiled in (False, True):
            name = f"PyTorch: pix2pix.py {recipe}, {'compiled' if compiled else 'eager'}"
            ways[name] = {"kind": "pytorch", "published": published, "compiled": compiled}
        for script in ("pix2pix", "pix2pix_v2", "pix2pix_rec"):
            way = {"kind": "ours", "script": script, "published": published}
            ways[f"{script}.py {recipe}"] = way
            if args.before:
                ways[f"{script}.py {recipe}, before"] = way | {"checkout": str(args.before.resolve())}
    ways["pix2pix.py default, XLA"] = {"kind": "ours", "script": "pix2pix", "published": False, "xla": "on"}
    return {name: way for name, way in ways.items() if args.only in name or way["kind"] == "limit"}


def run(way: dict, args: Args, precision: str, environment: dict) -> dict:
    """What a process of its own measured."""
    way = {"checkout": str(HERE.parent.parent)} | way
    way |= {"steps": args.steps, "size": args.size, "batch_size": args.batch_size, "precision": precision}
    environment = {**environment, "TRAIN_STEP_WAY": json.dumps(way), "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{way}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    environment = dict(os.environ)  # before devices adds to it: another commit sets its own
    from facegan import cli, devices  # first: it sets TensorFlow's environment

    # isort: split
    import numpy as np

    from facegan.errors import BadInput
    from facegan.precision import fastest

    args = cli.parse(Args, description=__doc__)
    precision = fastest()[0] if args.precision == "auto" else args.precision
    rounds = [
        {name: run(way, args, precision, environment) for name, way in ways(args).items()} for _ in range(args.rounds)
    ]
    first = rounds[0]
    for recipe in ("--published", "default"):
        same = [x["parameters"] for name, x in first.items() if f"pix2pix.py {recipe}" in name and "before" not in name]
        if any(parameters != same[0] for parameters in same):
            raise BadInput(
                f"the peer is another network: it has other numbers of parameters, {same}; mend pytorch_peer.py."
            )
    limit = np.median([x["the fastest convolution"]["gflop"] / x["the fastest convolution"]["seconds"] for x in rounds])
    print(f"\n{args.size} x {args.size}, batch {args.batch_size}, {precision}, {devices.in_words()}; ", end="")
    print(f"the fastest convolution: {limit:.0f} GFLOP/s\n")
    print("| way | images/s (rounds) | x PyTorch's best | x before | share of the limit | peak memory |")
    print("|---|---|---|---|---|---|")
    for name in first:
        if name == "the fastest convolution":
            continue
        speeds = np.array([args.batch_size / x[name]["seconds"] for x in rounds])
        script, recipe = name.removeprefix("PyTorch: ").split(",")[0].split()
        peers = [other for other in first if other.startswith(f"PyTorch: {script} {recipe}")]
        best = max(peers, key=lambda peer: np.median([1 / x[peer]["seconds"] for x in rounds]), default=None)
        before = f"{name}, before" if f"{name}, before" in first else None

        def ratio(other: str | None, name=name) -> str:
            """How many times as fast as another way in the same round."""
            return f"{np.median([x[other]['seconds'] / x[name]['seconds'] for x in rounds]):.2f}" if other else ""

        gflop = first[name]["gflop"] or next((first[x]["gflop"] for x in (f"{script} {recipe}",) if x in first), 0)
        share = f"{gflop / np.median([x[name]['seconds'] for x in rounds]) / limit:.0%}" if gflop else ""
        memory = max(x[name]["gb"] for x in rounds)
        print(f"| {name} | {np.median(speeds):.2f} ({speeds.min():.2f} to {speeds.max():.2f}) ", end="")
        print(f"| {ratio(best)} | {ratio(before)} | {share} | {memory:.1f} GB |", flush=True)


if __name__ == "__main__":
    if WAY:
        measure(**WAY)
    else:
        from facegan import cli

        cli.run(main)
