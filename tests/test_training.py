"""The three training scripts from their command lines: run tiny, killed, resumed, misused. What is the same code for
all of them runs once, with pix2pix.py."""

import ast
import csv
import errno
import io
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import pix2pix
import pix2pix_rec
import pix2pix_v2
from conftest import TINY
from facegan import checkpoints, files, pictures, pipeline
from facegan.errors import BadInput
from facegan.progress import Progress

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = pytest.mark.parametrize("script", [pix2pix, pix2pix_v2, pix2pix_rec], ids=lambda script: script.__name__)
LOSSES = {
    pix2pix: ["g", "d", "gan", "l1", "l1_agree", "push", "identity", "perceptual", "color", "acc_real", "acc_fake"],
    pix2pix_v2: [
        "g",
        "d",
        "gan",
        "l1",
        "map_man",
        "identity",
        "perceptual",
        "color",
        "map_real",
        "acc_real",
        "acc_fake",
    ],
    pix2pix_rec: ["g", "d", "gan", "l1", "identity", "perceptual", "acc_real", "acc_fake"],
}


@pytest.fixture
def copy(trained, tmp_path) -> Iterator[Path]:
    """A trained run of pix2pix.py, 12 steps long, that a test may change."""
    yield shutil.copytree(trained(pix2pix).run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run")  # a quarter of a gigabyte


@pytest.fixture
def data(prepared_64, tmp_path) -> Path:
    """A prepared folder that a test may change; nothing is packed in it yet."""
    return shutil.copytree(prepared_64, tmp_path / "data", ignore=shutil.ignore_patterns("packed"))


@pytest.fixture
def fake_step(monkeypatch):
    """fake_step(function): in pix2pix.py's training step every loss becomes function(step number), and nothing needs
    compiling; every step is logged. fake_step() alone: losses that are the step number."""

    def fake(loss=float) -> None:
        def step(batch, number):
            return dict.fromkeys(LOSSES[pix2pix], tf.constant(loss(int(number))))

        monkeypatch.setattr(pix2pix, "make_train_step", lambda *_: step)
        monkeypatch.setattr(Progress, "LOG_STEPS", 1)

    return fake


def refusal(outcome) -> str:
    """The one sentence with which a call ended that was refused."""
    (sentence,) = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert outcome.status == 1
    assert outcome.err.endswith(sentence + "\n")
    return sentence


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- three scripts, one house -----------------------------------------------------------------------------------------


def outline(script) -> list[str]:
    """The sections of a script and what each defines, from top to bottom."""
    source = Path(script.__file__).read_text(encoding="utf-8")
    names = {
        node.lineno: node.targets[0].id if isinstance(node, ast.Assign) else node.name
        for node in ast.parse(source).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Assign))
    }
    sections = {n: line for n, line in enumerate(source.splitlines(), 1) if line.startswith("# --- ")}
    return [name for _, name in sorted((names | sections).items())]


@pytest.mark.parametrize("script", [pix2pix_v2, pix2pix_rec], ids=lambda script: script.__name__)
def test_the_scripts_keep_the_same_order(script):
    here, there = outline(script), outline(pix2pix)
    shared = set(here) & set(there)
    assert [name for name in here if name in shared] == [name for name in there if name in shared]
    assert [name for name in here if name.startswith("# ---")] == [name for name in there if name.startswith("# ---")]
    assert {"Args", "splits", "Generator", "Discriminator", "gan_loss", "make_train_step", "train", "test"} <= shared


def test_v2_differs_from_pix2pix_where_its_docstring_says_and_nowhere_else():
    def definitions(script) -> dict[str, str]:
        return {
            node.name: ast.unparse(without_docstring(node))
            for node in ast.parse(Path(script.__file__).read_text(encoding="utf-8")).body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        }

    def without_docstring(node):
        node.body = node.body[1:] if ast.get_docstring(node) else node.body
        return node

    here, there = definitions(pix2pix_v2), definitions(pix2pix)
    assert {name for name in here if here[name] != there.get(name)} == {
        "Args", "Discriminator", "map_loss", "make_train_step"
    }  # fmt: skip


@SCRIPTS
def test_every_published_flag_departs_from_the_default(script):
    args = script.Args()
    assert {name: value for name, value in script.PUBLISHED.items() if getattr(args, name) == value} == {}


# --- train and test ---------------------------------------------------------------------------------------------------


@SCRIPTS
def test_training_leaves_all_that_a_run_needs(script, trained, weights, metrics, prepared_64):
    run = trained(script).run
    flags = json.loads((run / "args.json").read_text())
    assert (flags["script"], flags["size"], flags["data"]) == (f"{script.__name__}.py", 64, str(prepared_64))
    (start,) = json.loads((run / "starts.json").read_text())["starts"]
    assert start["command"][1:3] == ["--train", "--test"]
    assert start["tensorflow"] == tf.__version__
    assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?", start["commit"] or 40 * "0")  # None outside a git checkout
    split = json.loads((run / "split.json").read_text())
    assert (split["train"], split["test"]) == (list(range(8)), [8, 9])
    assert weights(run)["step"] == 12
    assert sorted(path.name for path in (run / "grids").iterdir()) == [f"epoch_{i:04d}.png" for i in (1, 2, 3)]
    assert len(list((run / "checkpoints").glob("*.index"))) == 2
    assert [list(row) for row in metrics(run)] == 12 * [["step", "images_per_second", *LOSSES[script]]]
    assert [row["step"] for row in metrics(run)] == list(range(1, 13))


@SCRIPTS
def test_training_shows_its_choices_its_speed_and_its_losses_by_name(script, trained):
    outcome = trained(script).outcome
    assert re.search(r"^precision float32 \(as asked\).* on \d+ CPU cores$", outcome.out, re.MULTILINE)
    bar = [line for line in outcome.err.splitlines() if " 24/24 " in line][-1]
    assert re.search(r"24/24 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+(img/s|s/img)", bar)
    assert all(f"{name}=" in bar for name in LOSSES[script])


@SCRIPTS
def test_tensorboard_gets_the_losses_and_the_grids(script, trained):
    (events,) = (trained(script).run / "logs").glob("events.*")
    tags = [
        value.tag
        for record in tf.data.TFRecordDataset(str(events))
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value
    ]
    assert tags.count("faces") == 3
    assert all(tags.count(f"train/{name}") == 12 for name in ["images_per_second", *LOSSES[script]])


PICTURES = {
    pix2pix: ["real", "cmask", "rec", "cmask2", "man"],
    pix2pix_v2: ["real", "cmask", "rec", "cmask2", "man"],
    pix2pix_rec: ["real", "cmask", "rec"],
}


@SCRIPTS
def test_testing_writes_pictures_scores_grid_and_page(script, trained, prepared_64):
    out = trained(script).results
    rows = list(csv.DictReader((out / "results.csv").open()))
    assert [int(row["k"]) for row in rows] == list(range(10))
    assert list(rows[0])[:2] == ["k", "map_k"]
    assert {row["k"] == row["map_k"] for row in rows} == {script is pix2pix_rec}
    found = {path.name for path in out.glob("*_*.png")}
    assert found == {f"{k}_{name}.png" for k in range(10) for name in PICTURES[script]}
    assert {Image.open(out / name).size for name in found} == {(64, 64)}
    real, rec = (np.asarray(Image.open(out / f"3_{name}.png")).astype(float) for name in ("real", "rec"))
    inside = np.load(prepared_64 / "samples" / "3.npz")["Masks"].any(-1)
    assert float(rows[3]["l1_rec"]) == pytest.approx(np.abs(real - rec)[inside].mean() / 255, abs=0.004)
    assert Image.open(out / "grid.png").width > 8 * 64
    page = (out / "index.html").read_text()
    assert '"k": 9' in page
    assert all(f'"{name}": ' in page for name in PICTURES[script])
    assert "(mean of 10 faces)" in trained(script).outcome.out


@SCRIPTS
def test_the_pictures_of_a_face_do_not_depend_on_the_split(script, trained, prepared_64, tmp_path, call):
    flags = ("--data", prepared_64, "--run", trained(script).run, "--out", tmp_path)
    assert call(script, "--test", *flags).status == 0
    rec, among_all = (
        np.asarray(Image.open(folder / "9_rec.png")).astype(int) for folder in (tmp_path, trained(script).results)
    )
    assert np.abs(rec - among_all).max() <= 1
    assert not (tmp_path / "0_rec.png").exists()


def test_grid_puts_the_first_row_on_top_and_keeps_pixels():
    rows = {"red": np.tile([1.0, 0, 0], (2, 32, 32, 1)), "blue": np.tile([0, 0, 1.0], (2, 32, 32, 1))}
    picture = pictures.grid(rows, ["a", "b"])
    reds, blues = ((picture == color).all(-1) for color in ([255, 0, 0], [0, 0, 255]))
    assert reds.sum() == blues.sum() == 2 * 32 * 32
    assert np.argwhere(reds)[:, 0].max() < np.argwhere(blues)[:, 0].min()


# --- resume -----------------------------------------------------------------------------------------------------------

KILLED_AT_STEP_6 = """
import importlib, os, signal, sys
script = importlib.import_module(sys.argv.pop(1))
from facegan import cli
from facegan.progress import Progress

update = Progress.update

def update_or_die(self, step, losses, **options):
    update(self, step, losses, **options)
    if step == 6:
        os.kill(os.getpid(), signal.SIGKILL)

Progress.update = update_or_die
Progress.LOG_STEPS, Progress.SAVE_SECONDS = 1, 0  # every step is logged, then saved
cli.run(script.main)
"""


def ends_as_uninterrupted(script, run: Path, trained, same, metrics) -> None:
    assert same(run, trained(script).run)
    losses = [[{**row, "images_per_second": 0} for row in metrics(folder)] for folder in (run, trained(script).run)]
    assert losses[0] == losses[1]  # every step is there once
    assert len(json.loads((run / "starts.json").read_text())["starts"]) == 2


def test_a_run_killed_and_resumed_ends_with_the_weights_of_an_uninterrupted_one(
    trained, same, weights, metrics, prepared_64, tmp_path, call, monkeypatch
):
    """SIGKILL in the middle of the second epoch, between step 6 and its checkpoint. The second start says other epochs
    than the first, and no flag again."""
    run = tmp_path / "run"
    to_go_on = ("--train", "--data", prepared_64, "--run", run, "--epochs", 3)
    command = [sys.executable, "-c", KILLED_AT_STEP_6, "pix2pix", *to_go_on, *TINY, "--epochs", 2]
    killed = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert weights(run)["step"] == 5
    assert [row["step"] for row in metrics(run)] == [1, 2, 3, 4, 5, 6]

    monkeypatch.setattr(Progress, "LOG_STEPS", 1)
    finished = call(pix2pix, *to_go_on)
    assert finished.status == 0, finished.err
    ends_as_uninterrupted(pix2pix, run, trained, same, metrics)


@pytest.mark.parametrize("script", [pix2pix_v2, pix2pix_rec], ids=lambda script: script.__name__)
def test_a_run_stopped_and_resumed_ends_with_the_weights_of_an_uninterrupted_one(
    script, trained, same, weights, metrics, prepared_64, tmp_path, call, monkeypatch
):
    """Ctrl-C in the middle of the third epoch."""
    run = tmp_path / "run"
    flags = ("--train", "--data", prepared_64, "--run", run, *TINY)
    monkeypatch.setattr(Progress, "LOG_STEPS", 1)
    stopped = call_and_stop_at_step_9(call, script, *flags)
    assert (stopped.status, weights(run)["step"]) == (130, 9)
    assert stopped.err.endswith("stopped; the same command goes on from here.\n")
    finished = call(script, *flags)
    assert finished.status == 0, finished.err
    ends_as_uninterrupted(script, run, trained, same, metrics)


def call_and_stop_at_step_9(call, script, *flags):
    """What Ctrl-C does between steps 8 and 9; the loop hears it after the next step."""
    update = Progress.update

    def update_and_stop(self, step, losses, **options):
        update(self, step, losses, **options)
        if step == 8:
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "update", update_and_stop)
        return call(script, *flags)


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


def test_a_checkpoint_that_cannot_be_read_does_not_count_as_one_of_the_newest_two(copy, fake_step, call):
    """From step 8 on, as 12 is damaged, to 10, where Ctrl-C comes: 8 must stay beside 10."""
    (newest,) = (copy / "checkpoints").glob("ckpt-12.data*")
    newest.write_bytes(newest.read_bytes()[:-5000])

    def stop_at_9(number):
        if number == 9:
            signal.raise_signal(signal.SIGINT)
        return number

    fake_step(stop_at_9)
    assert call(pix2pix, "--train", "--run", copy).status == 130
    assert sorted(path.name for path in (copy / "checkpoints").glob("*.index")) == ["ckpt-10.index", "ckpt-8.index"]


def test_without_a_checkpoint_that_can_be_read_nothing_is_trained_or_tested(copy, call, tmp_path):
    for data in (copy / "checkpoints").glob("ckpt-*.data*"):
        data.write_bytes(b"")
    before = contents(copy / "checkpoints")
    for step in ("--train", "--test"):
        outcome = call(pix2pix, step, "--run", copy, "--out", tmp_path / "out")
        assert "no usable checkpoint" in refusal(outcome)
        assert contents(copy / "checkpoints") == before


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
    assert re.search(r"^memory of a device: about 0\.[1-9] GB", outcome.out, re.MULTILINE)
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


# --- misuse: one sentence, exit status not 0, nothing lost ------------------------------------------------------------


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
        ("--train", "other training faces now"),
        ("--dry-run", "other training faces now"),
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


@pytest.mark.parametrize("damage", [{"train": None}, {"train": [[1]]}, {"test": 3}, {"source": 5}, {"source": {}}])
def test_a_damaged_record_of_the_split_is_refused(damage, copy, call):
    split = json.loads((copy / "split.json").read_text())
    (copy / "split.json").write_text(json.dumps(split | damage))
    assert re.search(
        r"split.json is damaged: .* what was trained is kept", refusal(call(pix2pix, "--train", "--run", copy))
    )


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
    batch = script.shown_batch(pipeline.Records(prepared_64, np.arange(8), 64), [numbers, numbers + 4])
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
    assert weights(tmp_path / "run")["step"] == 4


def test_a_weight_that_is_not_finite_is_never_saved(tmp_path, weights):
    """The last step before a save may break a weight while its losses were still finite."""
    state = pix2pix.State(pix2pix.Args(size=64, run=tmp_path))
    state.checkpoints.save(1)
    bias = state.generator.trainable_variables[1]
    bias.assign(np.full(bias.shape, np.nan))
    with pytest.raises(BadInput, match=r"generator is not finite at step 2"):
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
