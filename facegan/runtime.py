"""How a training script starts: devices, seed, precision, and whether XLA compiles the step."""

from facegan import devices, precision  # first: they set TensorFlow's environment

# isort: split
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from facegan.errors import BadInput


def start(args) -> None:
    """Find the devices, seed everything, set the precision policy, and say in a line what was chosen and why.

    args.precision "auto" becomes the policy that was chosen. Raises BadInput when the devices cannot share a batch.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    n = devices.strategy().num_replicas_in_sync  # before anything else: several machines must meet first
    keras.utils.set_random_seed(args.seed)
    if not tf.config.list_physical_devices("GPU"):
        # In a large graph it adds up sums of three and more in the order in which their parts happen to be ready, so
        # that a resumed run differs in the last bits; without it steps are as fast. GPUs' kernels differ anyway.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    reason = "as asked"
    if args.precision == "auto":
        args.precision, reason = precision.fastest_everywhere()
    precision.set_policy(args.precision)
    xla = "" if tf.config.list_physical_devices("GPU") else "; XLA off unless asked (slower on CPUs)"
    print(f"precision {args.precision} ({reason}){xla}; on {devices.in_words()}")
    if (args.train or args.dry_run) and args.batch_size % n:
        lower = args.batch_size // n * n
        raise BadInput(
            f"--batch-size {args.batch_size} cannot be shared by {n} devices: use {f'{lower} or ' if lower else ''}"
            f"{lower + n}, or hide devices with CUDA_VISIBLE_DEVICES."
        )
    if n > 1 and args.xla == "on" and args.norm == "batch":
        raise BadInput("--xla on cannot compile --norm batch over several devices: leave one of them out.")


def choose_xla(asked: str, make_step: Callable[[str], Callable], batches, variables: list) -> str:
    """ "on" or "off" for --xla: as asked; with auto, on one machine with GPUs, whichever steps faster there.

    make_step: "on" or "off" -> train_step(batch, step). The measurement trains; variables are put back afterwards.
    """
    if asked != "auto" or not tf.config.list_physical_devices("GPU"):
        return "off" if asked == "auto" else asked
    if devices.cluster_resolver():
        print("XLA off: not measured on several machines; --xla on forces it")
        return "off"
    seconds = step_seconds({xla: make_step(xla) for xla in ("off", "on")}, next(iter(batches)), variables)
    chosen = min(seconds, key=seconds.get)
    words = {
        xla: f"{1000 * s:.1f} ms a step" if s < float("inf") else "cannot be compiled" for xla, s in seconds.items()
    }
    print(f"XLA {chosen}: " + ", ".join(f"{word} {xla}" for xla, word in words.items()))
    return chosen


def step_seconds(steps: dict[str, Callable], batch, variables: list, repeats: int = 10) -> dict[str, float]:
    """Seconds a step of each kind, infinite for one that cannot be compiled; variables are put back afterwards."""
    before = [variable.numpy() for variable in variables]
    seconds = {}
    for name, train_step in steps.items():
        try:
            for losses in (train_step(batch, tf.constant(0)) for _ in range(2)):  # compiles, warms up
                tf.nest.map_structure(lambda x: x.numpy(), losses)
            begin = time.perf_counter()
            for _ in range(repeats):
                losses = train_step(batch, tf.constant(0))
            tf.nest.map_structure(lambda x: x.numpy(), losses)  # waits for the device
            seconds[name] = (time.perf_counter() - begin) / repeats
        except (tf.errors.OpError, RuntimeError):  # what XLA cannot compile, it refuses in many ways
            seconds[name] = float("inf")
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    return seconds
