"""How a training script starts: devices, seed, precision."""

from facegan import devices, precision  # first: they set TensorFlow's environment

# isort: split
import keras
import tensorflow as tf

from facegan.errors import BadInput


def start(args) -> None:
    """Find the devices, seed everything, set the precision policy, and say in a line what was chosen and why.

    args.precision "auto" becomes the policy that was chosen. Raises BadInput when the devices cannot share a batch, or
    cannot compute as asked: in 16 bits, or --norm batch over several of them with --xla on.
    """
    devices.share_gpus()
    n = devices.strategy().num_replicas_in_sync  # before anything else: several machines must meet first
    keras.utils.set_random_seed(args.seed)
    if not tf.config.list_physical_devices("GPU"):
        # TensorFlow's graph optimizer adds up sums of three or more in whatever order their parts are ready, so
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
