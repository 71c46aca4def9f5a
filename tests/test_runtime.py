"""facegan/runtime.py: what a training says when it starts, and XLA; GPUs that this machine has not are faked."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import pix2pix
import pix2pix_rec
from compare import assert_equal_but_for_rounding
from facegan import blocks, devices, pipeline, precision, runtime


def test_the_first_line_says_what_was_chosen_and_why(gpu, capsys):
    args = pix2pix.Args(train=True, precision="float32")
    runtime.start(args)
    line = capsys.readouterr().out
    assert line.startswith("precision float32 (as asked); XLA off unless asked (slower on CPUs); on ")
    assert line.endswith(" CPU cores\n")
    gpu(7, 0)
    args.precision = "auto"
    runtime.start(args)
    expected = (
        "precision mixed_float16 (GPU of compute capability 7.0 has float16 units; losses are scaled); on 1 GPU\n"
    )
    assert capsys.readouterr().out == expected
    assert args.precision == keras.mixed_precision.global_policy().name == "mixed_float16"


def no_step(xla: str):
    raise AssertionError("nothing is to be measured")


@pytest.mark.parametrize("asked", ["on", "off"])
def test_xla_is_as_asked(asked, gpu):
    gpu(8, 0)
    assert runtime.choose_xla(asked, no_step, [], []) == asked


def test_xla_is_off_on_a_cpu_and_on_several_machines_unless_asked(gpu, monkeypatch, capsys):
    assert runtime.choose_xla("auto", no_step, [], []) == "off"
    gpu(8, 0)
    monkeypatch.setattr(devices, "cluster_resolver", lambda: "two machines")
    assert runtime.choose_xla("auto", no_step, [], []) == "off"
    assert "not measured on several machines" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        ({"off": 0.02, "on": 0.0154}, "XLA on: 20.0 ms a step off, 15.4 ms a step on\n"),
        ({"off": 0.02, "on": 0.03}, "XLA off: 20.0 ms a step off, 30.0 ms a step on\n"),
    ],
)
def test_xla_on_a_gpu_is_what_steps_faster(seconds, line, gpu, monkeypatch, capsys):
    gpu(8, 0)
    measured = []

    def step_seconds(steps, batch, variables):
        measured.append((steps, batch, variables))
        return seconds

    monkeypatch.setattr(runtime, "step_seconds", step_seconds)
    chosen = runtime.choose_xla("auto", "step with XLA {}".format, ["batch", "next batch"], ["weights"])
    assert measured == [({"off": "step with XLA off", "on": "step with XLA on"}, "batch", ["weights"])]
    assert chosen == min(seconds, key=seconds.get)
    assert capsys.readouterr().out == line


def test_measuring_gives_seconds_a_step_and_leaves_no_trace(monkeypatch):
    """A clock that only steps move: 0.2 s and 0.1 s each."""
    clock = [0.0]
    monkeypatch.setattr(runtime.time, "perf_counter", lambda: clock[0])
    weight, moment = tf.Variable([1.0, 2.0]), keras.Variable(3, dtype="int32")

    def step_of(seconds):
        def train_step(batch, step):
            clock[0] += seconds
            weight.assign_add(batch)
            moment.assign_add(1)
            return {"g": tf.reduce_sum(weight)}

        return train_step

    seconds = runtime.step_seconds({"off": step_of(0.2), "on": step_of(0.1)}, [0.5, 0.5], [weight, moment])
    assert seconds == {"off": pytest.approx(0.2), "on": pytest.approx(0.1)}
    np.testing.assert_array_equal(weight, [1, 2])
    assert int(moment) == 3


def test_a_step_that_xla_cannot_compile_counts_as_infinitely_slow():
    def step(batch, number):
        return {"g": tf.strings.length(tf.strings.as_string(batch))}

    def over_devices(batch, number):  # what BatchNorm over several devices ends with
        raise RuntimeError("`merge_call` called while defining a new graph or a tf.function.")

    steps = {"off": tf.function(step), "on": tf.function(step, jit_compile=True), "several": over_devices}
    seconds = runtime.step_seconds(steps, tf.constant(1.0), [])
    assert seconds["off"] < seconds["on"] == seconds["several"] == float("inf")


@pytest.mark.parametrize("upsampling", ["resize", "transpose"])
def test_xla_compiles_the_way_up_in_sixteen_bits(upsampling):
    if not precision.speedup("bfloat16"):
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


def test_a_step_with_xla_learns_what_one_without_does(float64, tmp_path, prepared_64):
    """Without dropout, for which XLA draws other numbers, and of the script that is compiled in the shortest time."""
    args = pix2pix_rec.Args(run=tmp_path, size=64, condition="map", dropout=0.0, identity=0.0, perceptual=0.0)
    records = pipeline.Records(prepared_64, np.arange(8), 64)
    batch = next(iter(pix2pix_rec.batches(records, np.arange(2), np.zeros(2, bool), 2)))
    state = pix2pix_rec.State(args)
    variables = {f"{i} {variable.name}": variable for i, variable in enumerate(state.checkpoints.variables)}
    before = {name: variable.numpy() for name, variable in variables.items()}
    learnt = {}
    for xla in ("on", "off"):
        for name, variable in variables.items():
            variable.assign(before[name])
        losses = pix2pix_rec.make_train_step(args, state, devices.strategy(), xla)(batch, tf.constant(0))
        learnt[xla] = {name: variable.numpy() for name, variable in variables.items()}
        learnt[xla] |= {name: np.float64(losses[name]) for name in ("g", "d", "gan", "l1")}
    assert any((learnt["on"][name] != value).any() for name, value in before.items())
    assert_equal_but_for_rounding(learnt["on"], learnt["off"])
