"""Misuse of the training scripts: one sentence, exit status not 0, nothing lost. What is the same code for all of them
runs once, with pix2pix.py."""

import errno
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import pix2pix
from facegan import files, pipeline
from facegan.errors import BadInput
from facegan.progress import Progress
from outcomes import TINY, contents, refusal
from three_scripts import SCRIPTS


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], r"say --train, --test or both, or --dry-run"),
        (["--train", "--size", "128"], r"size 64, not --size 128"),
        (["--dry-run", "--size", "128"], r"size 64, not --size 128"),
        (["--train", "--size", "64", "--batch-size", "16"], r"--batch-size 16 is more than the 8 training faces"),
        (["--train", "--epochs", "0"], r"--epochs 0: expected 1 to"),
        (["--train", "--seed", "-1"], r"--seed -1: expected 0 to"),
        (["--train", "--dropout", "1"], r"--dropout 1.0: expected 0 to"),
        (["--test"], r"no trained run in .*run: train first, with --train"),
    ],
)
def test_misuse_is_one_sentence(flags, sentence, prepared_64, tmp_path, call):
    assert re.search(sentence, refusal(call(pix2pix, *flags, "--data", prepared_64, "--run", tmp_path / "run")))


def keep_one_sample(data: Path) -> None:
    for path in data.glob("*/*.npz"):
        if path.stem != "3":
            path.unlink()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda data: shutil.rmtree(data), r"no samples in .*data/make_sample\.py.*g_simple_mask\.py"),
        (lambda data: shutil.rmtree(data / "samples"), r"no samples in .*data/make_sample\.py.*g_simple_mask\.py"),
        (keep_one_sample, r"1 samples are too few to train and test on; prepare at least 4"),
        (lambda data: shutil.rmtree(data / "face_ids"), r"10 of 10 samples .* run `python face_recognition/face_reco"),
        (
            lambda data: (data / "face_ids" / "7.npz").unlink(),
            r"1 of 10 samples .*\(first: 7\): run `python face_recognition/face_recognition\.py --data",
        ),
        (lambda data: (data / "samples" / "3.npz").write_bytes(b"PK"), r"samples/3\.npz is damaged"),
    ],
    ids=["no folder", "no samples", "one sample", "no face IDs", "one face ID less", "damaged sample"],
)
@SCRIPTS
def test_data_that_is_not_complete_is_one_sentence(script, spoil, sentence, data, tmp_path, call):
    spoil(data)
    for path in data.glob("*/*.npz"):  # the damaged sample does not count as newer than what was made of it
        if path.parent.name != "samples":
            path.touch()
    assert re.search(sentence, refusal(call(script, "--train", "--data", data, "--run", tmp_path / "run", *TINY)))


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("--train", "begun with 8 training faces"),
        ("--dry-run", "begun with 8 training faces"),
        ("--test", "first: 7"),
    ],
)
def test_removed_samples_do_not_move_trained_faces_into_the_test_split(step, sentence, trained, data, tmp_path, call):
    """Faces 0..7 of ten train. Without face 8, 0..6 of nine would: 7 would be judged although it trained."""
    for name in ("samples", "color_masks", "face_ids"):
        (data / name / "8.npz").unlink()
    flags = ("--data", data, "--run", trained(pix2pix).run, "--out", tmp_path / "out")
    assert sentence in refusal(call(pix2pix, step, *flags))
    if step == "--test":  # nor do the same faces, prepared in another way
        settings = json.loads((data / "prepared.json").read_text())
        (data / "prepared.json").write_text(json.dumps(settings | {"resample": "nearest"}))
        assert sentence in refusal(call(pix2pix, step, *flags))


def test_two_trainings_in_one_folder_are_refused(copy, call):
    before = contents(copy)
    with files.lock(copy / ".lock"):
        assert "another job is writing" in refusal(call(pix2pix, "--train", "--run", copy))
    assert contents(copy) == before


def test_a_refused_training_leaves_the_record_of_the_one_before_its_first_checkpoint(data, tmp_path, call):
    run = tmp_path / "run"
    run.mkdir()
    (run / "split.json").write_text("the other job's")
    with files.lock(run / ".lock"):
        assert "another job is writing" in refusal(call(pix2pix, "--train", "--data", data, "--run", run, *TINY))
    assert (run / "split.json").read_text() == "the other job's"


def test_another_dataset_with_the_same_numbers_is_refused_in_training(trained, data, tmp_path, call):
    settings = json.loads((data / "prepared.json").read_text())
    (data / "prepared.json").write_text(json.dumps(settings | {"resample": "nearest"}))
    sentence = refusal(call(pix2pix, "--train", "--data", data, "--run", trained(pix2pix).run))
    assert "area" in sentence
    assert "nearest" in sentence
    outcome = call(pix2pix, "--test", "--data", data, "--run", trained(pix2pix).run, "--out", tmp_path / "out")
    assert outcome.status == 0, outcome.err


def test_testing_may_take_batches_of_another_size(trained, prepared_64, tmp_path, call):
    run = trained(pix2pix).run
    assert call(pix2pix, "--test", "--run", run, "--out", tmp_path / "out", "--batch-size", 1).status == 0
    assert "--batch-size 2, now it is --batch-size 1" in refusal(
        call(pix2pix, "--train", "--run", run, "--batch-size", 1)
    )


@pytest.mark.parametrize(("name", "value"), [("seed", "x"), ("flip", 1), ("epochs", None)])
def test_damaged_flags_of_a_run_are_refused_and_nothing_is_told_to_be_deleted(name, value, copy, call):
    flags = json.loads((copy / "args.json").read_text())
    (copy / "args.json").write_text(json.dumps(flags | {name: value}))
    assert f"{name} is {value!r}" in refusal(call(pix2pix, "--train", "--run", copy))
    (copy / "args.json").unlink()
    sentence = refusal(call(pix2pix, "--train", "--run", copy))
    assert "what was trained is kept" in sentence
    assert "delete" not in sentence


@pytest.mark.parametrize("step", ["--train", "--test"])
def test_flags_that_describe_other_networks_than_were_saved_are_refused(step, copy, tmp_path, call):
    flags = json.loads((copy / "args.json").read_text())
    (copy / "args.json").write_text(json.dumps(flags | {"width": 2 * flags["width"]}))
    before = contents(copy / "checkpoints")
    sentence = refusal(call(pix2pix, step, "--run", copy, "--out", tmp_path / "out"))
    assert re.search(r"ckpt-\d+ holds other networks than .*args\.json describes: bring that file back", sentence)
    assert contents(copy / "checkpoints") == before


@pytest.mark.parametrize("damage", [{"train": None}, {"train": [[1]]}, {"test": 3}, {"source": 5}, {"source": {}}])
def test_a_damaged_record_of_the_split_is_refused(damage, copy, call):
    split = json.loads((copy / "split.json").read_text())
    (copy / "split.json").write_text(json.dumps(split | damage))
    assert re.search(
        r"split.json is damaged .*: what was trained is kept", refusal(call(pix2pix, "--train", "--run", copy))
    )


@pytest.mark.parametrize("step", ["--train", "--test", "--dry-run"])
def test_without_the_record_of_the_split_nobody_knows_which_faces_trained(step, copy, tmp_path, call):
    (copy / "split.json").unlink()
    before = contents(copy)
    sentence = refusal(call(pix2pix, step, "--run", copy, "--out", tmp_path / "out"))
    assert re.search(r"split.json is missing: what was trained is kept; bring the file back", sentence)
    assert contents(copy) == before


@pytest.mark.parametrize("change", [{"format": 2}, {"gan": "hinge"}])
def test_flags_of_another_version_are_refused(change, copy, call):
    recorded = json.loads((copy / "args.json").read_text())
    assert recorded["format"] == 1
    (copy / "args.json").write_text(json.dumps(recorded | change))
    sentence = refusal(call(pix2pix, "--train", "--run", copy, "--epochs", 5))
    assert re.search(r"args\.json is (damaged or )?of another version", sentence)


@SCRIPTS
def test_painting_in_training_mode_leaves_no_trace_in_the_network(script, prepared_64):
    """A grid an epoch must not change what goes on training: test faces are in it, and a resumed run draws it less."""
    args = script.Args(size=64, data=prepared_64, norm="batch", batch_statistics=True)
    numbers = np.arange(4)
    batch = script.make_grid_batch(pipeline.Records(prepared_64, np.arange(8), 64), [numbers, numbers + 4])
    generator = script.Generator(args)
    before = [variable.numpy() for variable in generator.variables]
    in_training = script.paint(args, generator, batch)["rec"]
    assert all((v.numpy() == b).all() for v, b in zip(generator.variables, before, strict=True))
    inference = script.paint(script.Args(size=64, norm="batch"), generator, batch)["rec"]
    assert np.abs(in_training - inference).max() > 1e-3


def test_a_loss_that_is_not_finite_stops_the_run_and_is_never_saved(prepared_64, tmp_path, weights, fake_step, call):
    """The first epoch was saved at step 4; NaN comes at step 6."""
    fake_step(lambda step: float("nan") if step == 5 else 1.0)
    flags = ("--data", prepared_64, "--run", tmp_path / "run", *TINY)
    sentence = refusal(call(pix2pix, "--train", *flags))
    assert re.search(r"loss g is nan at step 6; .* last good state.*--learning-rate.*--precision float32", sentence)
    assert "not finite either: d, gan, l1" in sentence
    assert "checkpoints keeps the last good state, of step 4." in sentence
    faces = [int(k) for k in re.search(r"the batch: faces (\d+), (\d+);", sentence).groups()]
    numbers = np.arange(8)  # that train, two a batch; step 6 is the second of the second epoch
    args, context = pix2pix.Args(size=64, batch_size=2), tf.distribute.InputContext()
    batches = pix2pix.training_batches(args, Numbers(), numbers, numbers, 1, 1, context)
    assert faces == next(iter(batches))["k"].numpy().tolist()
    assert weights(tmp_path / "run")["step"] == 4


class Numbers:
    """Records without content: which faces a batch has."""

    def read(self, k):
        face = {"image": tf.zeros((1, 1, 3), tf.uint8), "bits": tf.zeros((1, 1), tf.uint8)}
        return face | {"colors": tf.zeros((7, 3))}


def test_the_first_step_that_is_not_finite_is_named_though_losses_are_fetched_later(tmp_path):
    sentence = r"^loss l1 is nan at step 47; the batch: faces 47, 1; .* the last good state, of step 44\."
    with Progress(tmp_path, step=40, last=100, batch_size=2) as progress:
        progress.saved_step = 44
        for step in range(41, 60):
            losses = {"d": tf.constant(1.0), "l1": tf.constant(np.nan if step >= 47 else 1.0)}
            progress.update(step, losses, faces=tf.constant([step, 1]))
        with pytest.raises(BadInput, match=sentence):
            progress.update(60, losses, faces=tf.constant([60, 1]))


def test_before_a_checkpoint_there_is_no_state_to_name(tmp_path):
    sentence = r"loss l1 is inf at step 1; .*checkpoints keeps no state from before\. Start"
    with Progress(tmp_path, step=0, last=100, batch_size=2) as progress, pytest.raises(BadInput, match=sentence):
        progress.update(1, {"l1": tf.constant(np.inf)}, log=True)


def test_a_weight_that_is_not_finite_is_never_saved(tmp_path, weights):
    """The last step before a save may break a weight while its losses were still finite."""
    state = pix2pix.State(pix2pix.Args(size=64, run=tmp_path))
    state.checkpoints.save(1)
    bias = state.generator.trainable_variables[1]
    bias.assign(np.full(bias.shape, np.nan))
    with pytest.raises(BadInput, match=r"generator is not finite at step 2 .* good state, of step 1\."):
        state.checkpoints.save(2)
    assert weights(tmp_path)["step"] == 1


def test_a_full_disk_during_a_checkpoint_keeps_what_was_saved(copy, trained, same, fake_step, call, monkeypatch):
    def no_room(manager, step):
        Path(manager.directory, f"ckpt-{step}_temp").mkdir()
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    fake_step()
    monkeypatch.setattr(tf.train.CheckpointManager, "save", no_room)
    sentence = refusal(call(pix2pix, "--train", "--run", copy, "--epochs", 4))
    assert re.search(r"cannot save step 16 .*No space left on device.*make room", sentence)
    assert not (copy / "checkpoints" / "ckpt-16_temp").exists()
    assert same(copy, trained(pix2pix).run)


def test_a_device_out_of_memory_names_the_flags_that_help(copy, trained, same, fake_step, call):
    def no_memory(step):
        message = "{{function_node __wrapped__}} OOM when allocating tensor with shape[16,64,256,256]\nand more"
        raise tf.errors.ResourceExhaustedError(None, None, message)

    fake_step(no_memory)
    sentence = refusal(call(pix2pix, "--train", "--run", copy, "--epochs", 4))
    assert re.search(r"out of memory \(OOM when .*\[16,64,256,256\]\).*--batch-size.*--size.*--precision", sentence)
    assert same(copy, trained(pix2pix).run)


@pytest.fixture
def read_only(monkeypatch):
    """read_only(folder, EROFS): whoever writes there is refused, as on a disk that is mounted read-only. Permissions
    would not do: the tests may run as root."""

    def read_only(folder: Path, number: int) -> None:
        real_mkdir, real_open = Path.mkdir, io.open

        def refuse_in(path) -> None:
            if Path(path).is_relative_to(folder):
                raise OSError(number, "Read-only file system", str(path))

        def mkdir(path, *args, **options):
            if not path.is_dir():
                refuse_in(path)
            real_mkdir(path, *args, **options)

        def write_bytes(path, content):
            refuse_in(path)
            with real_open(path, "wb") as file:
                file.write(content)

        def open_path(path, mode="r", *args, **options):
            if mode[0] != "r":
                refuse_in(path)
            return real_open(path, mode, *args, **options)

        for name, function in {"mkdir": mkdir, "write_bytes": write_bytes, "open": open_path}.items():
            monkeypatch.setattr(Path, name, function)

    return read_only


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES], ids=["EROFS", "EACCES"])
def test_a_read_only_run_folder_is_one_sentence(number, copy, prepared_64, read_only, call):
    before = contents(copy)
    read_only(copy, number)
    for flags in (("--run", copy, "--epochs", 4), ("--run", copy / "below", "--data", prepared_64, *TINY)):
        assert "cannot write: " in refusal(call(pix2pix, "--train", *flags))
    assert contents(copy) == before
