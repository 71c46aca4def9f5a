"""Precision, loss scaling, XLA and failing devices; the machines that this one is not are faked."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import pix2pix
from facegan import blocks, runtime
from facegan.errors import BadInput

# --- precision --------------------------------------------------------------------------------------------------------


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
    chosen, reason = runtime.fastest_precision()
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
    monkeypatch.setattr(runtime, "Path", lambda path: tmp_path / "cpuinfo")
    monkeypatch.setattr(runtime, "speedup", {"bfloat16": speedup}.__getitem__ if speedup is not None else None)
    chosen, words = runtime.fastest_precision()
    assert chosen == policy
    assert reason in words


@pytest.fixture
def trial(monkeypatch):
    """trial("import os; os.abort()"): runtime.speedup() tries that instead of its convolution."""

    def replace(code: str) -> None:
        monkeypatch.setattr(runtime, "TRIAL", code)
        runtime.speedup.cache_clear()

    yield replace
    runtime.speedup.cache_clear()


def test_a_type_is_tried_in_a_process_of_its_own(trial):
    assert runtime.speedup("float32") > 0
    trial("import os; os.abort()")  # what oneDNN does when it is asked for more than it is held to
    assert runtime.speedup("float32") == 0


@pytest.mark.parametrize("code", ["import nothing", "", "print('no number')", "import os; os.kill(os.getpid(), 9)"])
def test_a_trial_that_fails_for_another_reason_says_nothing_about_the_type(code, trial):
    trial(code)
    assert np.isnan(runtime.speedup("float32"))
    runtime.set_precision("mixed_bfloat16")  # so it is not refused


@pytest.mark.parametrize(("other", "chosen"), [("mixed_bfloat16", "mixed_bfloat16"), ("float32", "float32")])
def test_machines_choose_the_same_precision(other, chosen, monkeypatch):
    """Two machines; what the other one finds is faked."""
    monkeypatch.setattr(runtime, "fastest_precision", lambda: ("mixed_bfloat16", "it is fast here"))
    number = runtime.PRECISIONS.index(other)
    exponents = iter((2, 1))  # first the mean of the squares is asked for
    monkeypatch.setattr(runtime, "mean_over_machines", lambda mine: (mine + number ** next(exponents)) / 2)
    precision, reason = runtime.agreed_precision()
    assert precision == chosen
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
    runtime.set_precision("float64")
    np.testing.assert_allclose(blocks.resize(tf.cast(x, tf.float64), side), expected, atol=1e-5)


def test_float32_for_a_while_leaves_the_precision_as_it_was():
    runtime.set_precision("float64")
    with runtime.in_float32():
        assert keras.layers.Dense(1).dtype == keras.config.floatx() == "float32"
    assert keras.layers.Dense(1).dtype == keras.config.floatx() == "float64"


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


# --- what a device or a machine fails with ----------------------------------------------------------------------------


def test_a_full_disk_is_not_taken_for_full_memory():
    """TensorFlow says both with the same error."""
    with (
        pytest.raises(
            BadInput, match=r"^the disk is full \(logs/events; No space left on device\); make room"
        ) as sentence,
        runtime.explained(),
    ):
        raise tf.errors.ResourceExhaustedError(None, None, "logs/events; No space left on device")
    assert "--batch-size" not in str(sentence.value)


def test_a_record_that_went_away_during_training_is_one_sentence():
    message = "Graph execution error:\n\n{{function_node x}} packed/1.bin; No such file or directory\nmore"
    sentence = r"\(packed/1.bin; No such file or directory\); the same command makes it again"
    with pytest.raises(BadInput, match=sentence), runtime.explained():
        raise tf.errors.NotFoundError(None, None, message)


def test_out_of_memory_names_the_flags_that_help():
    with pytest.raises(BadInput) as sentence, runtime.explained():
        raise tf.errors.ResourceExhaustedError(
            None, None, "{{function_node __x}} OOM when allocating tensor with shape[16,3]\nand much more"
        )
    message = str(sentence.value)
    assert message.startswith("the device is out of memory (OOM when allocating tensor with shape[16,3]).")
    for flag in ("--batch-size", "--size", "--precision mixed_bfloat16"):
        assert flag in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("kind", [tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError])
def test_a_lost_machine_is_a_sentence_where_there_are_several_and_an_error_where_there_is_one(kind, monkeypatch):
    with pytest.raises(kind), runtime.explained():
        raise kind(None, None, "Connection reset by peer")
    monkeypatch.setattr(runtime, "cluster_resolver", lambda: "two machines")
    sentence = r"another machine is gone \(Connection reset by peer\)\. Start all of them"
    with pytest.raises(BadInput, match=sentence), runtime.explained():
        raise kind(None, None, "Connection reset by peer")


def test_a_machine_that_is_done_waits_for_the_others(monkeypatch):
    asked = []
    monkeypatch.setattr(runtime, "mean_over_machines", asked.append)
    with runtime.explained():
        assert asked == []
    assert len(asked) == 1


def test_other_errors_stay_what_they_are():
    for error in (BadInput("one sentence"), ValueError("a bug"), KeyboardInterrupt()):
        with pytest.raises(type(error)), runtime.explained():
            raise error
