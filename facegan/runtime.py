"""The machine: devices and machines to train on, precision, XLA, seeds. Import this module before TensorFlow."""

import functools
import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # most of the start-up noise; the first lines come before it
# oneDNN computes convolutions 1.5 to 3 x as fast; of itself, TensorFlow turns it on only for CPUs with AVX-512 and more
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# isort: split
import keras
import tensorflow as tf

from facegan.errors import BadInput

AGREE_STEPS = 20
"""Several machines ask each other this often whether one was told to stop."""

NOISE = re.compile(r"\{\{.*?\}\} ?")
"""Names of graph nodes in TensorFlow's error messages."""
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
TELLING = re.compile("aborted by|[Ss]ocket|connect|No space|quota|memory|OOM|No such file")
"""What the line of a message has that says why."""


def start(args) -> None:
    """Find the devices, seed everything, set the precision policy, and say in a line what was chosen and why.

    args.precision "auto" becomes the policy that was chosen. Raises BadInput when the devices cannot share a batch.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    n = strategy().num_replicas_in_sync  # before anything else: several machines must meet first
    keras.utils.set_random_seed(args.seed)
    if not tf.config.list_physical_devices("GPU"):
        # In a large graph it adds up sums of three and more in the order in which their parts happen to be ready, so
        # that a resumed run differs in the last bits; without it steps are as fast. GPUs' kernels differ anyway.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    args.precision, reason = (args.precision, "as asked") if args.precision != "auto" else agreed_precision()
    set_precision(args.precision)
    xla = "" if tf.config.list_physical_devices("GPU") else "; XLA off unless asked (slower on CPUs)"
    print(f"precision {args.precision} ({reason}){xla}; on {devices_in_words()}")
    if (args.train or args.dry_run) and args.batch_size % n:
        lower = args.batch_size // n * n
        raise BadInput(
            f"--batch-size {args.batch_size} cannot be shared by {n} devices: use {f'{lower} or ' if lower else ''}"
            f"{lower + n}, or hide devices with CUDA_VISIBLE_DEVICES."
        )
    if n > 1 and args.xla == "on" and args.norm == "batch":
        raise BadInput("--xla on cannot compile --norm batch over several devices: leave one of them out.")


# --- devices and machines ---------------------------------------------------------------------------------------------


@functools.cache
def strategy() -> tf.distribute.Strategy:
    """What to train with: several machines when TF_CONFIG or Slurm say so, else all local GPUs, else the CPU."""
    if resolver := cluster_resolver():
        print(f"machine {resolver.task_id} of {machines()}: waiting for the others", flush=True)
        before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python would not hear a Ctrl-C in there
        try:
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
        except tf.errors.UnknownError as error:
            address = resolver.cluster_spec().task_address("worker", resolver.task_id)
            raise BadInput(f"cannot listen at {address} ({reason(error)}): is this machine started twice?") from None
        finally:
            signal.signal(signal.SIGINT, before)
    # more than one CPU device only where somebody configured virtual ones
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def machines() -> int:
    """How many machines train together."""
    return cluster_resolver().cluster_spec().num_tasks("worker") if cluster_resolver() else 1


def devices_in_words() -> str:
    """For instance "1 GPU", "2 CPU cores" or "2 machines with 8 devices"."""
    if machines() > 1:
        return f"{machines()} machines with {strategy().num_replicas_in_sync} devices"
    if n := len(tf.config.list_physical_devices("GPU")):
        return f"{n} GPU{'s' if n > 1 else ''}"
    n = strategy().num_replicas_in_sync
    return f"{len(os.sched_getaffinity(0))} CPU cores" + (f" as {n} devices" if n > 1 else "")


@functools.cache
def cluster_resolver() -> tf.distribute.cluster_resolver.ClusterResolver | None:
    """What TF_CONFIG, or else srun's environment, says about the machines; None for a single one. Raises BadInput."""
    if "TF_CONFIG" in os.environ:
        try:
            config = json.loads(os.environ["TF_CONFIG"])
            workers, task = config["cluster"]["worker"], config["task"]
            if (
                set(config["cluster"]) != {"worker"}
                or task["type"] != "worker"
                or not 0 <= task["index"] < len(workers)
            ):
                raise ValueError("one list of workers, and this one's place in it")
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(
                f"TF_CONFIG is not understood ({error!r}); expected "
                '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}.'
            ) from None
        return tf.distribute.cluster_resolver.TFConfigClusterResolver() if len(workers) > 1 else None
    if os.environ.get("SLURM_STEP_NUM_TASKS", "1") != "1":  # srun, not a shell inside an allocation
        port = 10000 + int(os.environ.get("SLURM_JOB_ID", 0)) % 20000  # jobs that share a node do not meet
        try:
            # Slurm itself shares out the GPUs; the resolver would need nvidia-smi to count them
            resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
                port_base=port, gpus_per_node=1000, gpus_per_task=1, auto_set_gpu=False
            )
            resolver.cluster_spec()  # finds out which of the tasks this is
        except (RuntimeError, ValueError) as error:
            raise BadInput(f"Slurm's environment is not understood: {error}") from None
        return resolver
    return None


def is_chief() -> bool:
    """Whether this process writes: the first of several machines, or the only one."""
    return cluster_resolver() is None or cluster_resolver().task_id == 0


def mean_over_machines(value: float) -> float:
    """The mean of a number that each machine says. They wait for each other: all must ask at the same time."""
    if cluster_resolver() is None:
        return value
    return float(reduced_mean(tf.constant(value, tf.float64)))


@tf.function
def reduced_mean(value: tf.Tensor) -> tf.Tensor:
    values = strategy().run(lambda x: x, args=(value,))
    return strategy().reduce(tf.distribute.ReduceOp.MEAN, values, axis=None)


def stop_agreed(stops: list[int], step: int) -> bool:
    """Whether to stop after this step; several machines do at the same one."""
    if cluster_resolver() is None:
        return bool(stops)
    return step % AGREE_STEPS == 0 and mean_over_machines(float(bool(stops))) > 0


@contextmanager
def explained() -> Iterator[None]:
    """Turn what a device or another machine may fail with into BadInput; several machines leave together."""
    try:
        yield
        mean_over_machines(0)
    except tf.errors.NotFoundError as error:
        raise BadInput(f"a file went away meanwhile ({reason(error)}); the same command makes it again.") from None
    except tf.errors.ResourceExhaustedError as error:
        if re.search("No space|quota", error.message):
            raise BadInput(f"the disk is full ({reason(error)}); make room, and the same command goes on.") from None
        raise BadInput(
            f"the device is out of memory ({reason(error)}). Lower --batch-size or --size, or say "
            "--precision mixed_bfloat16 (mixed_float16 on older GPUs) in a new --run. What was saved is kept."
        ) from None
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.InternalError,
        tf.errors.CancelledError,
    ) as error:
        if cluster_resolver() is None:
            raise
        raise BadInput(
            f"another machine is gone ({reason(error)}). Start all of them again with the same "
            "commands: they go on from the last checkpoint."
        ) from None


def reason(error: tf.errors.OpError) -> str:
    """The line of TensorFlow's message that says why."""
    lines = NOISE.sub("", error.message).splitlines()
    return next((line for line in lines if TELLING.search(line)), lines[0])


# --- precision ------------------------------------------------------------------------------------------------


def set_precision(precision: str) -> None:
    """Make it Keras's policy for what is built from now on. Layers whose values must not be rounded, and the losses,
    compute in keras.config.floatx(): float64 under "float64", else float32.

    Raises BadInput, on all machines together, for 16 bits in which TensorFlow cannot compute: it would end the process.
    """
    dtype = precision.removeprefix("mixed_")
    on_cpu = dtype != precision and not tf.config.list_physical_devices("GPU")
    if on_cpu and mean_over_machines(float(speedup(dtype) == 0)) > 0:
        raise BadInput(
            f"--precision {precision}: TensorFlow cannot compute in {dtype} on this CPU. --test works with --precision "
            "float32; to train, begin a run with it, or go on with this one on another machine."
        )
    keras.config.set_floatx("float64" if precision == "float64" else "float32")
    keras.mixed_precision.set_global_policy(precision)


def agreed_precision() -> tuple[str, str]:
    """fastest_precision() where all machines find the same one, else float32; and why."""
    precision, reason = fastest_precision()
    number = float(PRECISIONS.index(precision))
    if mean_over_machines(number**2) != mean_over_machines(number) ** 2:  # their variance is not 0
        return "float32", f"the machines differ: {reason}"
    return precision, reason


@contextmanager
def in_float32() -> Iterator[None]:
    """What is built meanwhile computes in float32, whatever --precision is."""
    floatx, policy = keras.config.floatx(), keras.mixed_precision.global_policy()
    set_precision("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.mixed_precision.set_global_policy(policy)


def fastest_precision() -> tuple[str, str]:
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
