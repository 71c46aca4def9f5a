"""From gradients to a step: optimizers, the moving average, XLA; the GPU that this machine has not is faked."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import pix2pix
from compare import assert_equal_but_for_rounding
from facegan import blocks, devices, pipeline, steps

# --- optimizers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scaled", [True, False])
def test_gradients_too_small_for_float16_train_only_when_losses_are_scaled(scaled):
    keras.mixed_precision.set_global_policy("mixed_float16")
    weight = keras.Variable(1.0)
    adam = steps.optimizer([weight], 0.1, 0.5) if scaled else keras.optimizers.Adam(0.1, beta_1=0.5)
    with tf.GradientTape() as tape:
        y = tf.cast(weight.value, tf.float16)  # a product of matrices would end the process on some CPUs
        loss = adam.scale_loss(2e-8 * tf.cast(y, tf.float32))  # float16 ends at 6e-8
    adam.apply_gradients([(tape.gradient(loss, weight.value), weight)])
    assert (weight.numpy().item() < 1) == scaled


def test_adams_steps_by_hand(float64):
    """Kingma and Ba, ICLR 2015, at the end of section 2, with the epsilon there."""
    rng, rate, beta1, beta2 = np.random.default_rng(0), 1e-3, 0.5, 0.999
    weight = keras.Variable(np.linspace(-1, 1, 7))
    adam = steps.optimizer([weight], rate, beta1)
    expected, m, v = weight.numpy(), 0, 0
    for t in (1, 2, 3):
        gradient = rng.normal(0, 0.01, 7)
        adam.apply_gradients([(tf.constant(gradient), weight)])
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        expected = expected - rate * np.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (np.sqrt(v) + 1e-7)
    np.testing.assert_allclose(weight, expected, rtol=0, atol=1e-12)


def test_losses_are_scaled_under_float16_only():
    for policy, kind in {
        "float32": steps.Adam,
        "mixed_bfloat16": steps.Adam,
        "mixed_float16": steps.LossScaleOptimizer,
    }.items():
        keras.mixed_precision.set_global_policy(policy)
        assert type(steps.optimizer([], 2e-4, 0.5)) is kind


# --- the moving average -----------------------------------------------------------------------------------------------


def test_moving_average_by_hand():
    network, average = (keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)]) for _ in range(2))
    network.set_weights([np.array([[1.0]]), np.array([3.0])])
    average.set_weights([np.array([[0.0]]), np.array([0.0])])
    steps.update_average(average, network, 0.75, tf.constant(0))  # (1 + 0) / (10 + 0) = 0.1 kept
    np.testing.assert_allclose(average.get_weights()[1], [2.7])
    steps.update_average(average, network, 0.75, tf.constant(1000))  # 0.75 kept
    np.testing.assert_allclose(average.get_weights()[1], [0.75 * 2.7 + 0.25 * 3])
    network.set_weights([np.array([[1 / 3]]), np.array([1e-9])])
    steps.update_average(average, network, 0.0, tf.constant(1000))  # the last weights, to the bit
    assert [w.tolist() for w in average.get_weights()] == [w.tolist() for w in network.get_weights()]


# --- XLA --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("xla", ["on", "off"])
def test_xla_is_not_measured_where_it_is_said(xla, gpu):
    gpu(8, 0)
    assert not steps.measures_xla(xla)


def test_xla_is_measured_on_one_machine_with_a_gpu(gpu, monkeypatch, capsys):
    assert not steps.measures_xla("auto")
    gpu(8, 0)
    assert steps.measures_xla("auto")
    monkeypatch.setattr(devices, "machines", lambda: 2)
    assert not steps.measures_xla("auto")
    assert "not measured on several machines" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        ({"off": 0.02, "on": 0.0154}, "XLA on: 20.0 ms a step off, 15.4 ms a step on\n"),
        ({"off": 0.02, "on": 0.03}, "XLA off: 20.0 ms a step off, 30.0 ms a step on\n"),
        ({"off": 0.02, "on": float("inf")}, "XLA off: 20.0 ms a step off, cannot be compiled on\n"),
    ],
)
def test_the_faster_one_is_measured_once_and_then_taken(seconds, line, monkeypatch, capsys):
    measured = []

    def step_seconds(steps, batch, variables):
        measured.append((list(steps), batch, variables))
        return seconds

    monkeypatch.setattr(steps, "measures_xla", lambda xla: True)
    monkeypatch.setattr(steps, "step_seconds", step_seconds)
    monkeypatch.setattr(steps, "graph", lambda *_: lambda batch, step: (_[-1], batch, step))
    train_step = steps.compile_step(None, [], (), "auto", ["weights"])
    xla = seconds["on"] < seconds["off"]
    assert [train_step("first batch", 0), train_step("next", 1)] == [(xla, "first batch", 0), (xla, "next", 1)]
    assert measured == [(["off", "on"], "first batch", ["weights"])]
    assert capsys.readouterr().out == line


def test_measuring_gives_seconds_a_step_and_leaves_no_trace(monkeypatch):
    """A clock that only steps move: 0.2 s and 0.1 s each."""
    clock = [0.0]
    monkeypatch.setattr(steps.time, "perf_counter", lambda: clock[0])
    weight, moment = tf.Variable([1.0, 2.0]), keras.Variable(3, dtype="int32")

    def step_of(seconds):
        def train_step(batch, step):
            clock[0] += seconds
            weight.assign_add(batch)
            moment.assign_add(1)
            return {"g": tf.reduce_sum(weight)}

        return train_step

    seconds = steps.step_seconds({"off": step_of(0.2), "on": step_of(0.1)}, [0.5, 0.5], [weight, moment])
    assert seconds == {"off": pytest.approx(0.2), "on": pytest.approx(0.1)}
    np.testing.assert_array_equal(weight, [1, 2])
    assert int(moment) == 3


def test_a_step_that_xla_cannot_compile_counts_as_infinitely_slow():
    def step(batch, number):
        return {"g": tf.strings.length(tf.strings.as_string(batch))}

    def over_devices(batch, number):  # what BatchNorm over several devices ends with
        raise RuntimeError("`merge_call` called while defining a new graph or a tf.function.")

    kinds = {"off": tf.function(step), "on": tf.function(step, jit_compile=True), "several": over_devices}
    seconds = steps.step_seconds(kinds, tf.constant(1.0), [])
    assert seconds["off"] < seconds["on"] == seconds["several"] == float("inf")


@pytest.mark.parametrize("upsampling", ["resize", "transpose"])
def test_xla_compiles_the_way_up_in_sixteen_bits(upsampling, computes_in):
    if not computes_in("bfloat16"):
        pytest.skip("TensorFlow cannot compute in bfloat16 on this CPU")
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    inputs = keras.Input((4, 4, 8))
    model = keras.Model(inputs, blocks.up(blocks.up(inputs, 16, "group", upsampling), 16, "group", upsampling, 0.5))

    @tf.function(jit_compile=True)
    def gradients(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.cast(model(x, training=True), tf.float32) ** 2)
        return tape.gradient(loss, model.trainable_variables)

    values = gradients(tf.random.stateless_normal((2, 4, 4, 8), (0, 1)))
    assert all(np.isfinite(value).all() for value in values)
    assert any(np.any(value) for value in values)


def test_a_step_with_xla_learns_what_one_without_does(float64):
    inputs = [keras.Input((8, 8, 3)) for _ in range(2)]
    outputs = [blocks.up(blocks.down(x, 8, "group"), 3, "group", "blend") for x in inputs]
    network, average = (keras.Model(x, y) for x, y in zip(inputs, outputs, strict=True))
    adam = steps.optimizer(network.trainable_variables, 1e-3, 0.5)
    picture, wanted = np.random.default_rng(0).random((2, 2, 8, 8, 3))

    def gradients(batch):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((network(batch["picture"], training=True) - wanted) ** 2)
        return {"g": loss}, [tape.gradient(loss, network.trainable_variables)]

    variables = {f"{i} {v.name}": v for i, v in enumerate([*network.weights, *average.weights, *adam.variables])}
    before, learnt = {name: variable.numpy() for name, variable in variables.items()}, {}
    for xla in ("on", "off"):
        for name, variable in variables.items():
            variable.assign(before[name])
        step = steps.compile_step(gradients, [(adam, network)], (average, network, 0.9), xla, [])
        losses = step({"picture": tf.constant(picture)}, tf.constant(3))
        learnt[xla] = {name: variable.numpy() for name, variable in variables.items()} | {"g": np.float64(losses["g"])}
    assert any((learnt["on"][name] != value).any() for name, value in before.items())
    assert_equal_but_for_rounding(learnt["on"], learnt["off"])


def test_xla_can_compile_the_whole_step(tmp_path, prepared_64, monkeypatch):
    """As far as its own language; from there to machine code takes a minute, and needs nothing of ours."""
    args = pix2pix.Args(run=tmp_path, size=64, width=8)
    records = pipeline.Records(prepared_64, np.arange(2), 64)
    (batch,) = pix2pix.batches_to_paint(records, np.arange(2), np.arange(2), 2)
    monkeypatch.setattr(steps, "compile_step", lambda gradients, *_: gradients)
    gradients = pix2pix.make_train_step(args, pix2pix.State(args))
    lowered = tf.function(gradients, jit_compile=True, autograph=False).experimental_get_compiler_ir(batch)(stage="hlo")
    assert lowered.count("convolution(") > 100
