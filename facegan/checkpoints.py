"""Save and resume: checkpoints, the moving average of weights, Ctrl-C."""

import signal
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from facegan.errors import BadInput


class Checkpoints:
    """The whole state of a training run in run/checkpoints: networks, optimizers, dropout seeds, step.

    state: name -> network or optimizer. The newest two checkpoints are kept; TensorFlow writes each under a temporary
    name, so that a kill leaves the one before.
    """

    def __init__(self, run: Path, **state):
        self.step = tf.Variable(0, dtype=tf.int64)
        # lists of variables, not the objects: Keras models do not show TensorFlow the state of their dropout seeds
        tracked = {name: list(thing.variables) for name, thing in state.items()}
        self.checkpoint = tf.train.Checkpoint(step=self.step, **tracked)
        self.manager = tf.train.CheckpointManager(self.checkpoint, str(run / "checkpoints"), max_to_keep=2)

    def restore(self, required: bool = False) -> int:
        """Load the newest checkpoint that can be read, if there is one, and return its step.

        Raises BadInput when there are some and none can be read, or when there is none and one is required.
        """
        for path in reversed(self.manager.checkpoints):
            try:
                self.checkpoint.restore(path).assert_consumed()
                return int(self.step)
            except Exception as error:  # TensorFlow reports damage as anything from IndexError to DataLossError
                print(f"{path} cannot be read ({str(error).splitlines()[0]}); trying the one before")
        if required or self.manager.checkpoints:
            raise BadInput(f"no usable checkpoint in {self.manager.directory}: train into a new --run.")
        return 0

    def save(self, step: int) -> None:
        self.step.assign(step)
        self.manager.save(step)


def update_average(average: keras.Model, network: keras.Model, decay: float, step: tf.Tensor) -> None:
    """average <- d * average + (1 - d) * network, BatchNorm's statistics included, inside a tf.function.

    d rises as (1 + step) / (10 + step) to decay, so that early steps do not linger.
    """
    step = tf.cast(step, tf.float32)
    d = tf.minimum(decay, (1.0 + step) / (10.0 + step))
    for mean, value in zip(average.weights, network.weights, strict=True):
        mean.assign(d * mean + (1.0 - d) * value)


@contextmanager
def stop_on_signal():
    """Ctrl-C and SIGTERM ask the loop to stop after its step: yields a list that is empty until one came."""
    stops: list[int] = []

    def request(number, frame):
        stops.append(number)
        signal.signal(number, signal.default_int_handler)  # a second one does not wait

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
