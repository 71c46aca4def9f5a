"""How exactly to compute: 64, 32 or 16 bits, and which of them is fast here."""

from facegan import devices  # first: it sets TensorFlow's environment

# isort: split
import functools
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from facegan.errors import BadInput

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
"""What --precision auto chooses from."""

BFLOAT16_UNITS = ("amx_bf16", "avx512_bf16", "bf16")
"""Names of what computes in bfloat16, in /proc/cpuinfo: of x86 processors, then of Arm's."""

WORTHWHILE = 1.2
"""So many times as fast as float32 must bfloat16 be on a CPU to be chosen: less is within the noise of the trial."""

TRIAL = """
import sys
sys.path.pop(0)  # the working folder may have modules of any name
import time
import tensorflow as tf

def seconds(dtype):
    picture, kernel, matrix = (tf.ones(shape, dtype) for shape in ((2, 32, 32, 64), (3, 3, 64, 64), (256, 256)))
    begin = time.perf_counter()
    with tf.GradientTape() as tape:
        tape.watch([picture, kernel, matrix])
        y = tf.reduce_sum(tf.nn.conv2d(picture, kernel, 1, "SAME")) + tf.reduce_sum(matrix @ matrix)
    tf.nest.map_structure(lambda x: x.numpy(), tape.gradient(y, [picture, kernel, matrix]))
    return time.perf_counter() - begin

rounds = [(seconds("float32"), seconds(sys.argv[1])) for _ in range(10)][2:]
print(min(a for a, _ in rounds) / min(b for _, b in rounds))
"""
"""Prints how many times as fast as in float32 a convolution and a product of matrices are in another type."""


def set_policy(precision: str) -> None:
    """Make it Keras's policy for what is built from now on. Layers whose values must not be rounded, and the losses,
    compute in keras.config.floatx(): float64 under "float64", else float32.

    Raises BadInput, on all machines together, for 16 bits in which TensorFlow cannot compute: it would end the process.
    """
    dtype = precision.removeprefix("mixed_")
    on_cpu = dtype != precision and not tf.config.list_physical_devices("GPU")
    if on_cpu and devices.mean_over_machines(float(speedup(dtype) == 0)) > 0:
        raise BadInput(
            f"--precision {precision}: TensorFlow cannot compute in {dtype} on this CPU. --test works with --precision "
            "float32; to train, begin a run with it, or go on with this one on another machine."
        )
    keras.config.set_floatx("float64" if precision == "float64" else "float32")
    keras.mixed_precision.set_global_policy(precision)


@contextmanager
def in_float32() -> Iterator[None]:
    """What is built meanwhile computes in float32, whatever --precision is."""
    floatx, policy = keras.config.floatx(), keras.mixed_precision.global_policy()
    set_policy("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.mixed_precision.set_global_policy(policy)


def fastest_everywhere() -> tuple[str, str]:
    """fastest() where all machines find the same one, else float32; and why."""
    policy, reason = fastest()
    number = float(PRECISIONS.index(policy))
    if devices.mean_over_machines(number**2) != devices.mean_over_machines(number) ** 2:  # their variance is not 0
        return "float32", f"the machines differ: {reason}"
    return policy, reason


def fastest() -> tuple[str, str]:
    """The Keras policy that is fast on this machine, and why."""
    if gpus := tf.config.list_physical_devices("GPU"):
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        name = f"GPU of compute capability {'.'.join(map(str, capability))}"
        if capability >= (8, 0):
            return "mixed_bfloat16", f"{name} has bfloat16 units"
        if capability >= (7, 0):
            return "mixed_float16", f"{name} has float16 units; losses are scaled"
        return "float32", f"{name} has no fast 16-bit units"
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text().split() if cpuinfo.exists() else []
    unit = next((flag for flag in BFLOAT16_UNITS if flag in flags), None)
    if unit is None:
        return "float32", "the CPU has no fast 16-bit units"
    factor = speedup("bfloat16")  # the unit alone says little: oneDNN may be off, or held to older instructions
    if factor == 0:
        return "float32", f"the CPU has {unit}, but TensorFlow cannot compute in bfloat16 here"
    if math.isnan(factor):
        return "float32", f"the CPU has {unit}, but bfloat16 could not be tried"
    words = f"the CPU has {unit}, and bfloat16 was {factor:.1f} x as fast as float32"
    return ("mixed_bfloat16" if factor >= WORTHWHILE else "float32"), words


@functools.cache
def speedup(dtype: str) -> float:
    """How fast a convolution and a product of matrices, forward and backward, are in a 16-bit type on this CPU, float32
    being 1; 0 when they cannot be computed, NaN when that could not be tried. It takes some seconds, in a process of
    its own: oneDNN ends one that asks for too much."""
    try:
        trial = subprocess.run(
            [sys.executable, "-c", TRIAL, dtype], env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        if -trial.returncode in (signal.SIGABRT, signal.SIGILL):
            return 0.0
        return float(trial.stdout.split()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
        return math.nan
