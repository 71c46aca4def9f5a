"""A training that was killed or stopped ends as one that was not; damaged checkpoints."""

import json
import os
import re
import shutil
import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import pix2pix
import pix2pix_rec
import pix2pix_v2
from facegan import checkpoints
from facegan.errors import BadInput
from facegan.progress import Progress
from outcomes import contents, refusal


@pytest.mark.parametrize("script", [pix2pix, pix2pix_v2, pix2pix_rec], ids=lambda script: script.__name__)
def test_a_run_that_goes_on_in_an_epoch_ends_with_the_weights_of_an_uninterrupted_one(
    script, trained, same, weights, metrics, tmp_path, call, monkeypatch
):
    """From what a kill leaves; test_machines.py kills, in float64, and so does benchmarks/kills.py, every script. The
    second start says no flag again."""
    run = shutil.copytree(trained(script).at_step_9, tmp_path / "run")
    assert weights(run)["step"] == 9
    monkeypatch.setattr(Progress, "LOG_STEPS", 1)
    finished = call(script, "--train", "--run", run)
    assert finished.status == 0, finished.err
    assert same(run, trained(script).run)
    losses = [[{**row, "images_per_second": 0} for row in metrics(folder)] for folder in (run, trained(script).run)]
    assert losses[0] == losses[1]  # every step is there once
    assert len(json.loads((run / "starts.json").read_text())["starts"]) == 2


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(copy, weights, metrics, fake_step, call):
    """Steps 8 and 12 were saved. 9 to 12 are made again, and logged once."""
    fake_step()
    (newest,) = (copy / "checkpoints").glob("ckpt-12.data*")
    newest.write_bytes(newest.read_bytes()[:-5000])
    (copy / "checkpoints" / "ckpt-16_temp").mkdir()  # what a kill during a save leaves
    resumed = call(pix2pix, "--train", "--run", copy)
    assert "ckpt-12 cannot be read" in resumed.out
    assert (resumed.status, weights(copy)["step"]) == (0, 12)
    assert [row["step"] for row in metrics(copy)] == list(range(1, 13))
    assert [row["g"] for row in metrics(copy)][8:] == [8, 9, 10, 11]
    assert not (copy / "checkpoints" / "ckpt-16_temp").exists()


def test_an_end_of_an_epoch_that_cannot_be_saved_leaves_no_grid_out(copy, fake_step, call, monkeypatch):
    """Whether a kill, or a full disk, comes before the checkpoint or after it, its epoch has its grid."""
    fake_step()

    def full(self, step):
        raise BadInput("no room")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoints, "save", full)
        assert refusal(call(pix2pix, "--train", "--run", copy, "--epochs", 4)) == "error: no room"
    grid = copy / "grids" / "epoch_0004.png"
    before = grid.read_bytes()
    assert call(pix2pix, "--train", "--run", copy, "--epochs", 4).status == 0
    assert grid.read_bytes() == before


def test_a_checkpoint_that_cannot_be_read_does_not_count_as_one_of_the_newest_two(copy, fake_step, call):
    """From step 8 on, as 12 is damaged, to 10, where the loop hears of the Ctrl-C that came between 9 and 10: 8 must
    stay beside 10."""
    (newest,) = (copy / "checkpoints").glob("ckpt-12.data*")
    newest.write_bytes(newest.read_bytes()[:-5000])

    def stop_at_9(number):  # of steps done before
        if number == 9:
            signal.raise_signal(signal.SIGINT)
        return number

    fake_step(stop_at_9)
    stopped = call(pix2pix, "--train", "--run", copy)
    assert stopped.status == 130
    assert stopped.err.endswith("stopped; the same command goes on from here.\n")
    assert sorted(path.name for path in (copy / "checkpoints").glob("*.index")) == ["ckpt-10.index", "ckpt-8.index"]


def test_without_a_checkpoint_that_can_be_read_nothing_is_trained_or_tested(copy, call, tmp_path):
    for data in (copy / "checkpoints").glob("ckpt-*.data*"):
        data.write_bytes(b"")
    before = contents(copy / "checkpoints")
    for step in ("--train", "--test"):
        outcome = call(pix2pix, step, "--run", copy, "--out", tmp_path / "out")
        assert "no usable checkpoint" in refusal(outcome)
        assert contents(copy / "checkpoints") == before


def test_without_the_list_of_checkpoints_training_goes_on_from_the_newest(copy, weights, metrics, fake_step, call):
    """TensorFlow's list lost, of files that are gone, or from the future, as after a clock was set back: the seed, the
    rows and the weights stay, and the newest two are listed again."""
    fake_step()
    before = metrics(copy)
    path = copy / "checkpoints" / "checkpoint"
    future = re.sub(r"(timestamps?): 1", r"\1: 9", path.read_text()).replace("ckpt-12", "ckpt-16")
    for step, text in ((16, ""), (20, future), (24, 'model_checkpoint_path: "ckpt-7"')):
        path.unlink()
        if text:
            path.write_text(text)
        resumed = call(pix2pix, "--train", "--run", copy, "--epochs", step // 4)
        assert (resumed.status, weights(copy)["step"]) == (0, step), resumed.err
        assert "does not say which checkpoints there are" in resumed.out
        names = sorted(path.name for path in (copy / "checkpoints").glob("*.index"))
        assert names == [f"ckpt-{step - 4}.index", f"ckpt-{step}.index"]
    assert metrics(copy)[: len(before)] == before
    assert "trained with --seed 0, now it is --seed 1" in refusal(call(pix2pix, "--train", "--run", copy, "--seed", 1))


def test_parts_of_checkpoints_that_nothing_names_are_never_trained_over(copy, call, tmp_path):
    for path in (copy / "checkpoints").glob("*"):
        if ".data" not in path.name:
            path.unlink()
    before = contents(copy)
    for step in ("--train", "--test"):
        sentence = refusal(call(pix2pix, step, "--run", copy, "--out", tmp_path / "out"))
        assert "no usable checkpoint" in sentence
        assert "bring the missing files back" in sentence
    for name in ("checkpoints", "metrics.csv"):
        assert {k: v for k, v in contents(copy).items() if k.startswith(name)} == {
            k: v for k, v in before.items() if k.startswith(name)
        }


@pytest.mark.parametrize("name", ["checkpoint", "ckpt-12.index"])
def test_a_fifo_in_place_of_a_checkpoint_is_not_waited_for(name, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    os.mkfifo(tmp_path / "checkpoints" / name)
    network = SimpleNamespace(variables=[keras.Variable(np.ones(2))])
    with pytest.raises(BadInput, match=rf"{name} is no regular file"):
        checkpoints.Checkpoints(tmp_path, generator=network)


def test_a_list_that_names_checkpoints_leaves_others_alone(copy, fake_step, call):
    """A checkpoint that somebody put aside in the folder is neither taken nor removed."""
    fake_step()
    for path in (copy / "checkpoints").glob("ckpt-8.*"):
        shutil.copy(path, path.with_name(path.name.replace("ckpt-8", "ckpt-99")))
    assert call(pix2pix, "--train", "--run", copy, "--epochs", 4).status == 0
    steps = sorted(path.name for path in (copy / "checkpoints").glob("*.index"))
    assert steps == ["ckpt-12.index", "ckpt-16.index", "ckpt-99.index"]


def test_weights_in_another_order_are_refused_in_a_sentence(tmp_path):
    """As earlier versions have them, whose networks were built otherwise; nothing is guessed, and nothing lost."""
    few, many = keras.Variable(np.ones(2)), keras.Variable(np.ones(3))
    network = SimpleNamespace(variables=[few, many])
    checkpoints.Checkpoints(tmp_path, generator=network).save(5)
    before = contents(tmp_path)
    network.variables.reverse()
    for required in (True, False):
        with pytest.raises(
            BadInput, match=r"another order: .* commit that .*starts\.json names; or train into a new --run"
        ):
            checkpoints.Checkpoints(tmp_path, generator=network).restore(required)
    assert contents(tmp_path) == before
