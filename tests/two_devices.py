"""What needs two devices, on two virtual CPUs, which only a process of its own can have: trainings, and an overflow.

python tests/two_devices.py OVERFLOW.json '[["pix2pix", "--train", ...], ["pix2pix_v2", ...]]'
"""

import importlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facegan import devices  # first: it sets TensorFlow's environment

# isort: split
import keras
import numpy as np
import tensorflow as tf

from facegan import steps


def overflow_on_the_second_device() -> list[list[list[float]]]:
    """A weight and the scale of the loss, each as both devices have it: before, after a step whose gradient overflows
    float16 on the second device, and after one where none does."""
    strategy = devices.strategy()
    keras.config.set_floatx("float32")  # after trainings in float64
    keras.mixed_precision.set_global_policy("mixed_float16")
    with strategy.scope():
        weight = keras.Variable(1.0)
        optimizer = steps.optimizer([weight], 0.1, 0.5)

    def replica_step(x):
        with tf.GradientTape() as tape:
            y = tf.cast(weight.value, tf.float16) * tf.cast(x, tf.float16)
            loss = optimizer.scale_loss(tf.reduce_mean(tf.cast(y, tf.float32)))
        optimizer.apply_gradients([(tape.gradient(loss, weight.value), weight)])

    @tf.function
    def step(batch):
        strategy.run(replica_step, args=(batch,))

    batches = np.array([[1, 1000], [1, 1]], np.float32)  # a step, a device
    dataset = strategy.distribute_datasets_from_function(
        lambda context: tf.data.Dataset.from_tensor_slices(batches.reshape(-1, 1, 1))
    )

    def now():
        pair = weight, optimizer.dynamic_scale
        return [[copy.numpy().item() for copy in variable.value.values] for variable in pair]

    states = [now()]
    for batch in dataset:
        step(batch)
        states.append(now())
    return states


def main() -> None:
    overflow, trainings = Path(sys.argv[1]), json.loads(sys.argv[2])
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    for script, *flags in trainings:
        sys.argv = [script, *flags]
        importlib.import_module(script).main()
    overflow.write_text(json.dumps(overflow_on_the_second_device()))


if __name__ == "__main__":
    main()
