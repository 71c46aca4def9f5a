"""The flags of a run: recorded, bound, free; and the dry run."""

import json
import re

import pytest
import tensorflow as tf

import pix2pix
import pix2pix_rec
import pix2pix_v2
from outcomes import TINY, contents, refusal
from three_scripts import SCRIPTS

# --- flags ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "flag", "sentence"),
    [
        (pix2pix, ("--norm", "batch"), "trained with --norm group, now it is --norm batch"),
        (pix2pix, ("--dropout", "0.25"), "trained with --dropout 0.5, now it is --dropout 0.25"),
        (pix2pix, ("--no-residual",), "trained with --residual, now it is --no-residual"),
        (pix2pix, ("--lambda", "1"), "trained with --lambda 100.0, now it is --lambda 1.0"),
        (pix2pix_v2, ("--map-sees", "both"), "trained with --map-sees picture, now it is --map-sees both"),
        (pix2pix_rec, ("--style", "32"), "trained with --style 64, now it is --style 32"),
        (pix2pix_rec, ("--condition", "map"), "trained with --condition pair, now it is --condition map"),
    ],
    ids=lambda value: value[0].strip("-") if isinstance(value, tuple) else None,
)
@pytest.mark.parametrize("step", ["--train", "--test"])
def test_another_network_than_was_trained_is_refused_with_both_values(script, flag, sentence, step, trained, call):
    before = {path: path.stat().st_mtime_ns for path in trained(script).run.rglob("*")}
    assert sentence in refusal(call(script, step, "--run", trained(script).run, *flag))
    assert {path: path.stat().st_mtime_ns for path in trained(script).run.rglob("*")} == before


@SCRIPTS
def test_a_run_of_one_script_is_refused_by_another(script, trained, call):
    run = trained(pix2pix_rec if script is pix2pix else pix2pix).run
    for step in ("--train", "--test"):
        sentence = refusal(call(script, step, "--run", run))
        assert re.search(rf"was trained by pix2pix(_rec)?\.py, this is {script.__name__}\.py: name another", sentence)


def test_flags_of_a_run_need_not_be_said_again_but_may_be(prepared_64, tmp_path, fake_step, call):
    """--published, then the same line, one without any flag, and one that contradicts."""
    fake_step()
    run = ("--run", tmp_path / "run")
    first = ("--train", *run, "--data", prepared_64, "--published", "--flip", *TINY, "--epochs", 1)
    for flags in (first, first, ("--train", *run)):
        outcome = call(pix2pix, *flags)
        assert outcome.status == 0, outcome.err
    recorded = json.loads((tmp_path / "run" / "args.json").read_text())
    assert {name: recorded[name] for name in pix2pix.PUBLISHED} == {**pix2pix.PUBLISHED, "flip": True}
    assert "trained with --flip, now it is --no-flip" in refusal(call(pix2pix, "--train", *run, "--no-flip"))
    tested = call(pix2pix, "--test", *run, "--no-batch-statistics", "--out", tmp_path / "out")
    assert tested.status == 0, tested.err


def test_a_run_that_saved_nothing_binds_nothing(prepared_64, tmp_path, fake_step, call):
    def break_down(step):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    fake_step(break_down)
    flags = ("--train", "--data", prepared_64, "--run", tmp_path / "run", *TINY, "--epochs", 1)
    refusal(call(pix2pix, *flags))
    fake_step()
    assert call(pix2pix, *flags, "--batch-size", 4, "--norm", "batch").status == 0


# --- dry run ----------------------------------------------------------------------------------------------------------


SHAPES = {
    pix2pix: [
        "generator: 64 x 64 x 10 + 149 -> 64 x 64 x 3",
        "discriminator: 64 x 64 x 7 + 64 x 64 x 3 -> 6 x 6 x 1",
    ],
    pix2pix_v2: [
        "generator: 64 x 64 x 10 + 149 -> 64 x 64 x 3",
        "discriminator: 64 x 64 x 3 + 64 x 64 x 3 -> 8 x 8 x 3 + 1",
    ],
    pix2pix_rec: [
        "generator: 64 x 64 x 10 + 149 + 64 x 64 x 3 -> 64 x 64 x 3",
        "discriminator: 64 x 64 x 7 + 64 x 64 x 3 -> 6 x 6 x 1",
    ],
}


@SCRIPTS
def test_a_dry_run_says_what_training_would_do_and_writes_nothing(script, data, tmp_path, call):
    before = contents(tmp_path)
    flags = ("--data", data, "--run", tmp_path / "run", "--size", 64, "--batch-size", 4)
    outcome = call(script, "--dry-run", "--train", *flags, "--epochs", 5)
    assert outcome.status == 0, outcome.err
    assert re.search(r"^precision \w+ \(.+\)", outcome.out)  # which one, and why
    args = script.Args(size=64)
    for network, shapes in zip((script.Generator(args), script.Discriminator(args)), SHAPES[script], strict=True):
        assert f"{shapes}, {network.count_params():,} parameters\n" in outcome.out
    assert re.search(r"^memory of a device: about 1\.[1-9] GB", outcome.out, re.MULTILINE)
    assert "8 training and 2 test faces: 2 steps an epoch\n5 epochs: 10 steps." in outcome.out
    assert contents(tmp_path) == before
    assert not (tmp_path / "run").exists()
    assert not (data / "packed").exists()


def test_a_dry_run_of_a_trained_run_leaves_it_as_it_is(copy, call):
    before = contents(copy)
    outcome = call(pix2pix, "--dry-run", "--run", copy, "--epochs", 5)
    assert "5 epochs: 20 steps" in outcome.out  # with the run's own batch size
    assert "--batch-size 2, now it is --batch-size 4" in refusal(
        call(pix2pix, "--dry-run", "--run", copy, "--batch-size", 4)
    )
    assert contents(copy) == before


def forget_flag(run, flag: str) -> None:
    """Make the record that of a run from before the flag existed."""
    recorded = json.loads((run / "args.json").read_text())
    del recorded[flag]
    (run / "args.json").write_text(json.dumps(recorded))


def test_a_run_from_before_a_flag_whose_value_is_known_goes_on(copy, call):
    forget_flag(copy, "validation")
    assert "5 epochs: 20 steps" in call(pix2pix, "--dry-run", "--run", copy, "--epochs", 5).out
    forget_flag(copy, "width")  # 32, as it was for all; this one has another
    refused = call(pix2pix, "--dry-run", "--run", copy, "--width", 8)
    assert "was trained with --width 32, now it is --width 8" in refusal(refused)


def test_a_run_from_before_any_other_flag_is_refused(copy, call):
    forget_flag(copy, "residual")
    assert "was trained before --residual existed" in refusal(call(pix2pix, "--dry-run", "--run", copy))
