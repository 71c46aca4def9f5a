"""From the gradients of a batch to a training step on all devices: optimizers, the moving average of weights, XLA."""

import time
from collections import Counter
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from facegan import devices

# --- the step ---------------------------------------------------------------------------------------------------------


def compile_step(gradients: Callable, updates: Sequence[tuple], average: tuple, xla: str, variables: list) -> Callable:
    """The training step as a graph on all devices: batch, step number -> losses by name, means over the devices.

    gradients(batch): losses by name of a device's part of the batch, and for each of updates a list of gradients.
    updates: pairs of optimizer and network. average: arguments of update_average() but the step. xla: --xla; on GPUs
    "auto" measures both at the first batch, which trains, and sets variables, all that the step changes, back.
    """
    if not measures_xla(xla):
        return graph(gradients, updates, average, xla == "on")
    steps = {choice: graph(gradients, updates, average, choice == "on") for choice in ("off", "on")}
    fastest = None

    def train_step(batch, step):
        nonlocal fastest
        if fastest is None:
            fastest = steps[faster_xla(step_seconds(steps, batch, variables))]
            steps.clear()  # the other graph's memory
        return fastest(batch, step)

    return train_step


def graph(gradients: Callable, updates: Sequence[tuple], average: tuple, xla: bool) -> Callable:
    """compile_step(), with XLA or without."""
    if xla:
        gradients = tf.function(gradients, jit_compile=True, autograph=False)

    def replica_step(batch: dict) -> dict[str, tf.Tensor]:
        losses, all_gradients = gradients(batch)
        for (optimizer, network), values in zip(updates, all_gradients, strict=True):
            optimizer.apply_gradients(zip(values, network.trainable_variables, strict=True))
        return losses

    @tf.function(autograph=False)  # nothing to convert, and looking for it takes seconds
    def train_step(batch: dict, step: tf.Tensor) -> dict[str, tf.Tensor]:
        strategy = devices.strategy()
        losses = strategy.run(replica_step, args=(batch,))
        update_average(*average, step)
        return {name: strategy.reduce(tf.distribute.ReduceOp.MEAN, loss, axis=None) for name, loss in losses.items()}

    return train_step


def update_average(average: keras.Model, network: keras.Model, decay: float, step: tf.Tensor) -> None:
    """average <- d * average + (1 - d) * network, BatchNorm's statistics included, inside a tf.function.

    d rises as (1 + step) / (10 + step) to decay, so that early steps do not linger. Each device updates its own copy.
    """
    step = tf.cast(step, keras.config.floatx())
    rate = 1 - tf.minimum(tf.cast(decay, step.dtype), (1.0 + step) / (10.0 + step))

    def update(m, v):
        return m.assign_sub(rate * (m - v)) if decay else m.assign(v)

    for mean, value in zip(average.weights, network.weights, strict=True):
        devices.strategy().extended.update(mean.value, update, args=(value.value,))


def mean_losses(validation_step: Callable, batches: tf.data.Dataset) -> dict[str, float]:
    """validation_step(batch), losses by name, over all batches: means over faces."""
    sums, faces = Counter(), 0
    for batch in batches:
        n = len(batch["k"])
        faces += n
        sums.update({name: n * float(loss) for name, loss in validation_step(batch).items()})
    return {name: total / faces for name, total in sums.items()}


# --- optimizers -------------------------------------------------------------------------------------------------------


def optimizer(variables: list, learning_rate: float, beta_1: float) -> keras.optimizers.Optimizer:
    """Adam for some variables; under mixed_float16 with dynamic loss scaling, so that small gradients do not vanish."""
    adam = Adam(learning_rate, beta_1=beta_1)
    if keras.mixed_precision.global_policy().name == "mixed_float16":
        adam = LossScaleOptimizer(adam)
    adam.build(variables)
    return adam


class Adam(keras.optimizers.Adam):
    """Keras's Adam without amsgrad, a variable and its moments updated in one pass over memory (one node of the graph
    instead of 25)."""

    def apply(self, grads, trainable_variables=None):
        step = tf.cast(self.iterations.value + 1, keras.config.floatx())
        beta1, beta2, epsilon = (tf.constant(x, step.dtype) for x in (self.beta_1, self.beta_2, self.epsilon))
        self.shared = dict(beta1=beta1, beta2=beta2, epsilon=epsilon)  # by all variables: nodes made once
        self.shared |= dict(beta1_power=beta1**step, beta2_power=beta2**step)
        super().apply(grads, trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=self._momentums[index].value.handle, v=self._velocities[index].value.handle,
            lr=learning_rate, grad=gradient, **self.shared,
        )  # fmt: skip


class LossScaleOptimizer(keras.optimizers.LossScaleOptimizer):
    """Skips a step in which the gradients of any device overflowed; Keras would only ask the first device."""

    def apply(self, grads, trainable_variables=None):
        overflow = 0.0 * tf.add_n([tf.reduce_sum(g) for g in grads])  # 0, or NaN
        overflow = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, overflow)
        super().apply([g + overflow for g in grads], trainable_variables)


# --- XLA --------------------------------------------------------------------------------------------------------------


def measures_xla(xla: str) -> bool:
    """Whether --xla asks to measure: "auto", on one machine with GPUs; on a CPU XLA was slower."""
    if xla != "auto" or not tf.config.list_physical_devices("GPU"):
        return False
    if devices.machines() > 1:
        print("XLA off: not measured on several machines; --xla on forces it")
        return False
    return True


def faster_xla(seconds: dict[str, float]) -> str:
    """ "off" or "on", whichever takes fewer seconds a step; says so."""
    chosen = min(seconds, key=seconds.get)
    words = []
    for xla, s in seconds.items():
        words.append(f"{1000 * s:.1f} ms a step {xla}" if s < float("inf") else f"cannot be compiled {xla}")
    print(f"XLA {chosen}: {', '.join(words)}")
    return chosen


def step_seconds(steps: dict[str, Callable], batch, variables: list, repeats: int = 10) -> dict[str, float]:
    """Seconds a step of each kind, infinite for one that cannot be compiled; variables are put back afterwards."""
    before = [variable.numpy() for variable in variables]
    seconds = {}
    for name, train_step in steps.items():
        try:
            for _ in range(2):  # compiles, warms up
                losses = train_step(batch, tf.constant(0))
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
