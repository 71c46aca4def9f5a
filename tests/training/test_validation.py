"""--validation: faces that do not train, whose losses are logged after every epoch."""

import csv
import json
import re
import shutil

import numpy as np
import pytest

import parse_face
import pix2pix
from facegan import checkpoints, pipeline
from outcomes import TINY, refusal
from three_scripts import LOSSES, SCRIPTS

VALIDATION = ("--validation", 0.25)  # of the eight faces that would train, the last two
TEST_FACES = [8, 9]


@pytest.fixture(scope="module")
def validated(prepared_64, tmp_path_factory, call):
    """A training of two epochs with validation faces: its folder and how it ended."""
    run = tmp_path_factory.mktemp("validated") / "run"
    flags = ("--data", prepared_64, "--run", run, *TINY, *VALIDATION, "--epochs", 2, "--identity", 0, "--perceptual", 0)
    outcome = call(pix2pix, "--train", *flags)
    assert outcome.status == 0, outcome.err
    return run, outcome


def rows(run) -> list[dict]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_losses_of_every_epoch_are_logged_beside_those_of_training(validated):
    run, outcome = validated
    trained = [row for row in rows(run) if row["images_per_second"]]
    validation = [row for row in rows(run) if not row["images_per_second"]]
    assert [row["step"] for row in validation] == ["3", "6"]
    assert all(row["val/l1"] == "" for row in trained)
    names = {*LOSSES[pix2pix]} - {"identity"}  # perceptual, which this training does without, is among them
    assert {name for name, value in validation[0].items() if value} == {"step", *(f"val/{name}" for name in names)}
    assert f"least val/perceptual: {min(float(row['val/perceptual']) for row in validation):.4g}" in outcome.out


def test_what_validates_is_recorded_and_does_not_train(validated):
    record = json.loads((validated[0] / "split.json").read_text())
    assert (record["train"], record["validation"], record["test"]) == ([0, 1, 2, 3, 4, 5], [6, 7], TEST_FACES)
    assert len(record["train_photos"]) == 6


def test_the_logged_l1_is_that_of_the_pictures_that_test_paints(validated, prepared_64):
    run, _ = validated
    args = pix2pix.Args(data=prepared_64, run=run, size=64, width=8, batch_size=2, precision="float32")
    generator = pix2pix.Generator(args)
    checkpoints.Checkpoints(run, average=generator).restore(required=True)
    numbers = np.array([6, 7])
    records = pipeline.Records(prepared_64, numbers, 64)
    (batch,) = pix2pix.batches_to_paint(records, numbers, numbers[::-1], 2)
    images = pix2pix.paint(args, generator, batch)
    assert float(rows(run)[-1]["val/l1"]) == pytest.approx(np.abs(images["real"] - images["rec"]).mean(), rel=1e-4)


def test_they_can_be_painted_alone(validated, prepared_64, tmp_path, call):
    run, _ = validated
    for split, expected in (("validation", [6, 7]), ("test", TEST_FACES)):
        out = tmp_path / split
        assert call(pix2pix, "--test", "--run", run, "--data", prepared_64, "--split", split, "--out", out).status == 0
        with (out / "results.csv").open(newline="") as file:
            assert [int(row["k"]) for row in csv.DictReader(file)] == expected


def test_another_share_would_train_on_other_faces(validated, prepared_64, call):
    run, _ = validated
    sentence = refusal(
        call(pix2pix, "--train", "--run", run, "--data", prepared_64, "--validation", 0.5, "--epochs", 3)
    )
    assert "trained with --validation 0.25, now it is --validation 0.5" in sentence


def test_a_run_without_them_has_none_to_paint(trained, prepared_64, tmp_path, call):
    flags = ("--run", trained(pix2pix).run, "--data", prepared_64, "--split", "validation", "--out", tmp_path / "out")
    assert "has no validation faces" in refusal(call(pix2pix, "--test", *flags))


def folder_of(prepared_64, out, names: dict):
    """A prepared folder of some of the faces: number -> number there."""
    for part in ("samples", "color_masks", "face_ids"):
        (out / part).mkdir(parents=True)
        for k, new in names.items():
            shutil.copy(prepared_64 / part / f"{k}.npz", out / part / f"{new}.npz")
    shutil.copy(prepared_64 / "prepared.json", out)
    return out


def test_a_folder_of_few_faces_is_painted_all_the_same(validated, prepared_64, tmp_path, call):
    run, _ = validated
    data = folder_of(prepared_64, tmp_path / "own", {k: k for k in (6, 7, 8, 9)})
    flags = ("--test", "--run", run, "--data", data, "--split", "all", "--out", tmp_path / "out")
    outcome = call(pix2pix, *flags)
    assert outcome.status == 0, outcome.err


def test_faces_that_trained_under_other_numbers_do_not_test(validated, prepared_64, tmp_path, call):
    run, _ = validated
    data = folder_of(prepared_64, tmp_path / "turned", {k: 9 - k for k in range(10)})
    sentence = refusal(call(pix2pix, "--test", "--run", run, "--data", data, "--out", tmp_path / "out"))
    assert re.search("was trained on .* test or validation faces", sentence)


@SCRIPTS
def test_validating_changes_nothing_that_trains(script, prepared_64, tmp_path):
    """With the published recipe, whose BatchNorm and dropout paint in training mode."""
    flags = script.PUBLISHED | dict(size=64, width=8, batch_size=2, validation=0.25)
    args = script.Args(data=prepared_64, run=tmp_path, **flags)
    state, numbers = script.State(args), np.array([6, 7])
    records = pipeline.Records(prepared_64, numbers, 64)
    rest = [numbers[::-1]] if script.__name__ != "pix2pix_rec" else []
    flips = [np.zeros((2, 2), bool)] if rest else [np.zeros(2, bool)]
    (batch,) = script.batches(records, numbers, *rest, *flips, 2)
    before = [np.array(variable) for variable in state.checkpoints.variables]
    losses = script.make_validation_step(args, state)(batch)
    for variable, value in zip(state.checkpoints.variables, before, strict=True):
        np.testing.assert_array_equal(np.array(variable), value, variable.path)
    assert all(np.isfinite(float(loss)) for loss in losses.values())
    assert "perceptual" in losses


def test_the_parser_has_them_too(prepared_64, tmp_path, call):
    flags = ("--data", prepared_64, "--run", tmp_path / "run", "--size", 64, "--width", 8, "--batch-size", 2)
    outcome = call(parse_face, "--train", *flags, *VALIDATION, "--epochs", 1, "--precision", "float32")
    assert outcome.status == 0, outcome.err
    assert float(rows(tmp_path / "run")[-1]["val/loss"]) > 0
    assert "least val/loss" in outcome.out
