"""facegan/precision.py: what is fast on a machine (machines that this one is not are faked), and the optimizer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import pix2pix
from facegan import blocks, devices, precision


@pytest.mark.parametrize(
    ("capability", "policy"),
    [
        ((9, 0), "mixed_bfloat16"),
        ((8, 0), "mixed_bfloat16"),
        ((7, 5), "mixed_float16"),
        ((7, 0), "mixed_float16"),
        ((6, 1), "float32"),
    ],
)
def test_a_gpu_gets_the_precision_that_it_has_units_for(capability, policy, gpu):
    gpu(*capability)
    chosen, reason = precision.fastest()
    assert chosen == policy
    assert "{}.{}".format(*capability) in reason


@pytest.mark.parametrize(
    ("cpuinfo", "speedup", "policy", "reason"),
    [
        ("flags : fpu avx512f avx512_bf16", 1.31, "mixed_bfloat16", "avx512_bf16, and bfloat16 was 1.3 x as fast as"),
        ("flags : fpu amx_bf16 amx_tile", 2.04, "mixed_bfloat16", "amx_bf16, and bfloat16 was 2.0 x as fast as"),
        ("Features : fp asimd bf16", 1.5, "mixed_bfloat16", "bf16, and bfloat16 was 1.5 x as fast as"),
        ("flags : fpu amx_bf16 amx_tile", 1.1, "float32", "amx_bf16, and bfloat16 was 1.1 x as fast as"),
        ("flags : fpu amx_bf16 amx_tile", np.nan, "float32", "amx_bf16, but bfloat16 could not be tried"),
        ("flags : fpu amx_bf16 amx_tile", 0.35, "float32", "amx_bf16, and bfloat16 was 0.3 x as fast as"),
        ("flags : fpu amx_bf16 amx_tile", 0.0, "float32", "amx_bf16, but TensorFlow cannot compute in bfloat16 here"),
        ("flags : fpu avx2 avx512f", None, "float32", "the CPU has no fast 16-bit units"),
        (None, None, "float32", "the CPU has no fast 16-bit units"),
    ],
)
def test_a_cpu_computes_in_bfloat16_only_where_that_is_faster(cpuinfo, speedup, policy, reason, tmp_path, monkeypatch):
    """speedup None: it is not even tried, which would take seconds."""
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(precision, "Path", lambda path: tmp_path / "cpuinfo")
    monkeypatch.setattr(precision, "speedup", {"bfloat16": speedup}.__getitem__ if speedup is not None else None)
    chosen, words = precision.fastest()
    assert chosen == policy
    assert reason in words


@pytest.fixture
def trial(monkeypatch):
    """trial("import os; os.abort()"): precision.speedup() tries that instead of its convolution."""

    def replace(code: str) -> None:
        monkeypatch.setattr(precision, "TRIAL", code)
        precision.speedup.cache_clear()

    yield replace
    precision.speedup.cache_clear()


def test_a_type_is_tried_in_a_process_of_its_own(trial):
    assert precision.speedup("float32") > 0
    trial("import os; os.abort()")  # what oneDNN does when it is asked for more than it is held to
    assert precision.speedup("float32") == 0


@pytest.mark.parametrize("code", ["import nothing", "", "print('no number')", "import os; os.kill(os.getpid(), 9)"])
def test_a_trial_that_fails_for_another_reason_says_nothing_about_the_type(code, trial):
    trial(code)
    assert np.isnan(precision.speedup("float32"))
    precision.set_policy("mixed_bfloat16")  # so it is not refused


@pytest.mark.parametrize(("other", "chosen"), [("mixed_bfloat16", "mixed_bfloat16"), ("float32", "float32")])
def test_machines_choose_the_same_precision(other, chosen, monkeypatch):
    """Two machines; what the other one finds is faked."""
    monkeypatch.setattr(precision, "fastest", lambda: ("mixed_bfloat16", "it is fast here"))
    number = precision.PRECISIONS.index(other)
    exponents = iter((2, 1))  # first the mean of the squares is asked for
    monkeypatch.setattr(devices, "mean_over_machines", lambda mine: (mine + number ** next(exponents)) / 2)
    policy, reason = precision.fastest_everywhere()
    assert policy == chosen
    assert ("the machines differ" in reason) == (chosen == "float32")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_sixteen_bits_that_would_end_the_process_are_refused(dtype, trial, prepared_64, tmp_path, call):
    trial("import os; os.abort()")
    flags = ("--data", prepared_64, "--run", tmp_path / "run", "--size", 64, "--batch-size", 2)
    outcome = call(pix2pix, "--train", *flags, "--precision", f"mixed_{dtype}")
    assert outcome.status == 1
    assert f"TensorFlow cannot compute in {dtype} on this CPU" in outcome.err
    assert not (tmp_path / "run").exists()


def test_a_level_up_in_float64_is_rounded_nowhere(float64):
    network = keras.Input((4, 4, 8))
    model = keras.Model(network, blocks.up(network, 16, "group", "blend", 0.5))
    x = tf.random.stateless_normal((2, 4, 4, 8), (0, 1), dtype=tf.float64)
    tiny = model(x * (1 + 1e-12)) - model(x)
    assert {variable.dtype for variable in model.weights} == {"float64"}
    assert 0 < float(tf.reduce_max(tf.abs(tiny))) < 1e-9


@pytest.mark.parametrize(("size", "side"), [(64, 150), (64, 128), (64, 40)])
def test_resizing_is_tensorflows_in_both_precisions(size, side):
    """In float64 it is a formula of its own, as TensorFlow would round to float32."""
    x = tf.random.stateless_uniform((2, size, size, 3), (0, 1))
    expected = tf.image.resize(x, (side, side))
    np.testing.assert_array_equal(blocks.resize(x, side), expected)
    if side == 2 * size:
        np.testing.assert_array_equal(blocks.Enlarge()(x), expected)
    precision.set_policy("float64")
    np.testing.assert_allclose(blocks.resize(tf.cast(x, tf.float64), side), expected, atol=1e-5)


def test_float32_for_a_while_leaves_the_precision_as_it_was():
    precision.set_policy("float64")
    with precision.in_float32():
        assert keras.layers.Dense(1).dtype == keras.config.floatx() == "float32"
    assert keras.layers.Dense(1).dtype == keras.config.floatx() == "float64"
