"""The machine: quiet start of TensorFlow, precision, seeds. Import this module before TensorFlow."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # most of the start-up noise; the first lines come before it

# isort: split
import keras
import tensorflow as tf


def start(seed: int, precision: str) -> str:
    """Seed everything, let GPUs grow their memory, set the precision policy, say which one and why, and return it."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    keras.utils.set_random_seed(seed)
    policy, reason = (precision, "as asked") if precision != "auto" else fastest_precision()
    keras.mixed_precision.set_global_policy(policy)
    gpus = len(tf.config.list_physical_devices("GPU"))
    print(f"precision {policy} ({reason}) on {f'{gpus} GPU' if gpus else f'{os.cpu_count()} CPU cores'}")
    return policy


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
    flags = cpuinfo.read_text() if cpuinfo.exists() else ""
    for feature in ("amx_bf16", "avx512_bf16"):
        if feature in flags:
            return "mixed_bfloat16", f"the CPU has {feature}"
    return "float32", "the CPU has no fast 16-bit units"


def optimizer(learning_rate: float, beta_1: float) -> keras.optimizers.Optimizer:
    """Adam; under mixed_float16 with dynamic loss scaling, so that small gradients do not vanish."""
    adam = keras.optimizers.Adam(learning_rate, beta_1=beta_1)
    if keras.mixed_precision.global_policy().name == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(adam)
    return adam
