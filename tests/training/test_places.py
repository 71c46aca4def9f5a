"""Where a run lies does not matter: any path that the system takes, and a sentence for what it refuses."""

import errno
import os
import re
import shutil

import pytest
import tensorflow as tf
from PIL import Image

import edit
import export
import pix2pix
from facegan import checkpoints, devices, files
from facegan.errors import BadInput
from outcomes import TINY, refusal

NAMES = ["[a]", "*?", "back\\slash", "two  spaces ", "new\nline", "{x,y}", "\udcff", "%20~$HOME", "é" * 100]
"""What TensorFlow takes for a pattern, or for no text, and what a shell would."""


class Network:
    """A network of one weight."""

    def __init__(self, value: float):
        self.variables = [tf.Variable(value)]


@pytest.mark.parametrize("name", NAMES)
def test_checkpoints_lie_anywhere_and_two_are_kept(name, tmp_path):
    run, network = tmp_path / name / "run", Network(0.0)
    state = checkpoints.Checkpoints(run, network=network)
    assert state.restore() == 0
    for step in (1, 2, 3):
        network.variables[0].assign(step)
        state.save(step)
    kept = {path.name for path in (run / "checkpoints").glob("ckpt-*.index")}
    assert kept == {"ckpt-2.index", "ckpt-3.index"}
    again = Network(0.0)
    assert checkpoints.Checkpoints(run, network=again).restore(required=True) == 3
    assert float(again.variables[0]) == 3
    (run / "checkpoints" / "ckpt-3.index").write_bytes(b"")
    damaged = checkpoints.Checkpoints(run, network=again)
    assert damaged.restore() == 2
    damaged.save(4)
    assert checkpoints.Checkpoints(run, network=again).restore(required=True) == 4


def test_a_run_folder_may_be_moved_and_its_record_names_no_place(tmp_path):
    checkpoints.Checkpoints(tmp_path / "run", network=Network(5.0)).save(1)
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    assert "/" not in (tmp_path / "elsewhere" / "checkpoints" / "checkpoint").read_text()
    network = Network(0.0)
    assert checkpoints.Checkpoints(tmp_path / "elsewhere", network=network).restore(required=True) == 1
    assert float(network.variables[0]) == 5


def test_what_cannot_be_restored_is_named_by_its_own_name(tmp_path, capsys):
    run = tmp_path / "[a]"
    checkpoints.Checkpoints(run, network=Network(5.0)).save(1)
    (run / "checkpoints" / "ckpt-1.index").write_bytes(b"")
    with pytest.raises(BadInput, match="no usable checkpoint"):
        checkpoints.Checkpoints(run, network=Network(0.0)).restore()
    printed = capsys.readouterr().out
    assert f"{run}/checkpoints/ckpt-1 cannot be read" in printed
    assert "/proc" not in printed


def test_training_testing_exports_and_editing_in_a_folder_of_any_name(prepared_64, tmp_path, fake_step, call):
    """One folder whose name has everything at once."""
    place = tmp_path / "[a]*? \\b\nc\udcff"
    place.mkdir()
    data = shutil.copytree(prepared_64, place / "data", ignore=shutil.ignore_patterns("packed*"))
    run, out = place / "run", place / "out"
    fake_step()
    flags = (*TINY, "--data", data, "--run", run)
    trained = call(pix2pix, "--train", *flags, "--epochs", 2, "--cache", "off")
    assert trained.status == 0, trained.err
    assert list((run / "logs").iterdir())
    tested = call(pix2pix, "--train", "--test", "--run", run, "--out", out, "--epochs", 3, "--cache", "on")
    assert tested.status == 0, tested.err
    assert (out / "results.json").is_file()
    for form in ("savedmodel", "litert"):
        exported = call(export, "--run", run, "--format", form)
        assert exported.status == 0, exported.err
    assert (run / "export" / "saved_model" / "saved_model.pb").is_file()
    assert not (run / "export" / ".new").exists()
    edited = call(
        edit, "--run", run, "--data", data, "--sample", 8, "--color", "hair=#ff0000", "--out", place / "e.png"
    )
    assert edited.status == 0, edited.err
    assert Image.open(place / "e.png").size == (64, 64)


def test_a_file_in_place_of_a_folder_is_named(copy, call, fake_step):
    fake_step()
    shutil.rmtree(copy / "logs")
    (copy / "logs").write_text("not a folder")
    sentence = refusal(call(pix2pix, "--train", "--run", copy, "--epochs", 4))
    assert "cannot write: File exists: " in sentence
    assert str(copy / "logs") in sentence


def test_a_folder_in_place_of_a_file_is_named(copy, call, fake_step):
    fake_step()
    (copy / "metrics.csv").unlink()
    (copy / "metrics.csv").mkdir()
    sentence = refusal(call(pix2pix, "--train", "--run", copy, "--epochs", 4))
    assert f"{copy / 'metrics.csv'} is no regular file" in sentence


def test_a_name_that_is_too_long_is_a_sentence(prepared_64, tmp_path, call):
    run = tmp_path / ("x" * 300)
    sentence = refusal(call(pix2pix, "--train", "--data", prepared_64, "--run", run))
    assert "File name too long" in sentence
    assert "xxx" in sentence


@pytest.mark.parametrize("number", devices.REFUSALS)
def test_what_the_disk_refuses_tensorflow_is_a_sentence(number):
    message = f"runs/a/logs/events; {os.strerror(number)}\nmore"
    sentence = rf"^a file cannot be used \(runs/a/logs/events; {os.strerror(number)}\)"
    with pytest.raises(BadInput, match=sentence), devices.errors_as_sentences():
        raise tf.errors.UnknownError(None, None, message)


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_with_the_longest_name_is_written(tmp_path):
    for name in ("x" * 255, "é" * 127, "\udcff" * 255):
        files.write_bytes(tmp_path / name, b"1")
        assert (tmp_path / name).read_bytes() == b"1"
        assert len(list(tmp_path.iterdir())) == 1
        (tmp_path / name).unlink()


@pytest.mark.parametrize("number", [errno.EFBIG, errno.ENOSPC, errno.EIO])
def test_what_an_open_file_refuses_names_it(number, tmp_path):
    with pytest.raises(OSError, match=r"a\.txt"), files.atomic(tmp_path / "a.txt"):
        raise OSError(number, os.strerror(number))  # as write() says it


def test_names_that_are_not_utf_8_are_escaped_in_text_files(tmp_path):
    files.write_text(tmp_path / "a.md", "runs/\udcff")
    files.write_csv(tmp_path / "a.csv", [{"name": "runs/\udcff"}])
    assert (tmp_path / "a.md").read_bytes() == b"runs/\\udcff"
    assert b"runs/\\udcff" in (tmp_path / "a.csv").read_bytes()


def test_a_plain_name_is_the_folder_itself(tmp_path):
    folder = tmp_path / "[a]\udcff"
    folder.mkdir()
    before = len(os.listdir("/proc/self/fd"))
    with files.plain_name(folder) as plain:
        (plain / "x.txt").write_text("1")
        assert re.fullmatch("[a-z0-9/]+", str(plain))
    assert (folder / "x.txt").read_text() == "1"
    assert len(os.listdir("/proc/self/fd")) == before
