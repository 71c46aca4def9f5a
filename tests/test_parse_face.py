"""parse_face.py: changes that keep left and right, losses by hand, training, scores."""

import csv
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import parse_face
from facegan import augment, labelmaps, parsers, pipeline, prepared, regions
from outcomes import kept_at_step, refusal

ID = {name: i for i, name in enumerate(labelmaps.NAMES)}
TINY = ("--size", 64, "--width", 8, "--batch-size", 4, "--precision", "float32")


# --- changes ----------------------------------------------------------------------------------------------------------


def change(**values) -> tf.Tensor:
    return tf.constant([values.get(name, 0.0) for name in augment.CHANGES], tf.float32)


def face_with_eyes() -> tuple[np.ndarray, np.ndarray]:
    """A photograph whose viewer's left half is bright, and a map with the person's right eye there."""
    photo, labels = np.full((64, 64, 3), 0.2, np.float32), np.full((64, 64), ID["skin"], np.int32)
    photo[:, :32] = 0.8
    labels[20:24, 10:16], labels[20:24, 48:54] = ID["r_eye"], ID["l_eye"]
    labels[50:60, 20:30], labels[40:44, 30:34] = ID["l_lip"], ID["ear_r"]
    labels[:8] = 0
    return photo, labels


def test_a_mirrored_face_keeps_its_left_eye_on_its_left():
    photo, labels = face_with_eyes()
    mirrored, found = (x.numpy() for x in augment.changed(photo, labels, change(flip=1)))
    np.testing.assert_allclose(mirrored, photo[:, ::-1], atol=1e-6)
    np.testing.assert_array_equal(found, regions.mirror_labels(labels.astype(np.uint8)))
    assert np.argwhere(found == ID["l_eye"])[:, 1].min() > 32 > np.argwhere(found == ID["r_eye"])[:, 1].max()
    assert (found == ID["l_lip"]).sum() == 100


def test_flipped_training_faces_have_the_left_eye_to_the_viewers_right(prepared_64):
    records = pipeline.LabelRecords(prepared_64, np.arange(10), 64)
    flips = np.tile(change(flip=1).numpy(), (10, 1))
    seen = 0
    for flipped, plain in zip(
        parse_face.batches(records, np.arange(10), flips, 1),
        parse_face.batches(records, np.arange(10), parse_face.unchanged(np.arange(10)), 1),
        strict=True,
    ):
        a, b = flipped["labels"].numpy()[0], plain["labels"].numpy()[0]
        np.testing.assert_array_equal(a, regions.mirror_labels(b.astype(np.uint8)))
        np.testing.assert_allclose(flipped["image"][0], plain["image"][0][:, ::-1], atol=1e-6)
        if (a == ID["l_eye"]).any() and (a == ID["r_eye"]).any():
            seen += 1
            assert np.argwhere(a == ID["l_eye"])[:, 1].mean() > np.argwhere(a == ID["r_eye"])[:, 1].mean()
    assert seen > 5


def test_moving_takes_photograph_and_map_along_together():
    photo, labels = face_with_eyes()
    photo = np.where((labels == ID["r_eye"])[..., None], 1.0, 0.0).astype(np.float32)
    moved, found = augment.changed(photo, labels, change(angle=0.2, scale=0.1, across=0.05, down=-0.1))
    eye = (found.numpy() == ID["r_eye"]).astype(float)
    assert 12 <= eye.sum() <= 28
    bright = moved.numpy()[..., 0]
    assert np.abs(np.argwhere(bright > 0.5).mean(0) - np.argwhere(eye > 0).mean(0)).max() < 0.7
    assert np.abs(np.argwhere(eye > 0).mean(0) - np.argwhere(labels == ID["r_eye"]).mean(0)).max() > 2


def test_a_black_background_is_black_and_the_face_stays():
    photo, labels = face_with_eyes()
    black, _ = augment.changed(photo, labels, change(black=1, gain=0.3))
    assert black.numpy()[:8].max() == 0
    assert black.numpy()[8:].min() > 0.2
    assert augment.changed(photo, labels, change(gain=0.3))[0].numpy()[:8].min() > 0.2


def test_softening_takes_detail_and_keeps_the_mean():
    photo = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    soft = augment.soften(tf.constant(photo), tf.constant(1.0)).numpy()
    assert soft.std() < 0.4 * photo.std()
    assert soft.mean() == pytest.approx(photo.mean(), abs=0.01)


def test_half_of_the_faces_are_mirrored_and_half_black_and_a_seed_repeats_itself():
    drawn = [parse_face.draw_changes(parse_face.Args(), np.random.default_rng(5), 4000) for _ in range(2)]
    np.testing.assert_array_equal(*drawn)
    share = dict(zip(augment.CHANGES, (drawn[0] != 0).mean(0), strict=True))
    assert share["flip"] == pytest.approx(0.5, abs=0.03)
    assert share["black"] == pytest.approx(0.5, abs=0.03)
    assert share["soften"] == pytest.approx(0.4, abs=0.03)
    still = parse_face.Args(flip=False, black=0, soften=0, vary=False)
    assert not parse_face.draw_changes(still, np.random.default_rng(5), 50).any()


def test_maps_whose_sides_are_wrong_are_mended_and_no_others():
    _, labels = face_with_eyes()
    wrong = regions.MIRRORED_LABEL.astype(np.int32)[labels]
    for given in (labels, wrong):
        np.testing.assert_array_equal(parse_face.mended(tf.constant(given)), labels)
    one_eye = np.where(labels == ID["l_eye"], ID["skin"], labels)
    np.testing.assert_array_equal(parse_face.mended(tf.constant(one_eye)), one_eye)


# --- losses and scores by hand ----------------------------------------------------------------------------------------


def test_losses_by_hand():
    """Two pixels: background found for sure, and an eye found with one half."""
    labels = tf.constant([[[0, 4]]])
    logits = np.full((1, 1, 2, 19), -1e9, np.float32)
    logits[0, 0, 0, 0] = 0
    logits[0, 0, 1, [0, 4]] = 0
    assert float(parse_face.cross_entropy(labels, logits)) == pytest.approx(np.log(2) / 2)
    background, eye = (2 * 1 + 1) / (1 + 1.5 + 1), (2 * 0.5 + 1) / (1 + 0.5 + 1)
    assert float(parse_face.dice_loss(labels, logits)) == pytest.approx(1 - (background + eye) / 2)


def test_a_part_that_is_missed_costs_as_much_dice_whether_it_is_large_or_small():
    losses = []
    for side in (12, 40):
        labels = np.zeros((1, 64, 64), np.int32)
        labels[0, :side, :side] = ID["l_eye"]
        logits = np.zeros((1, 64, 64, 19), np.float32)
        logits[..., 0] = 50
        losses.append(float(parse_face.dice_loss(tf.constant(labels), logits)))
    assert all(loss > 0.45 for loss in losses)


def test_confusion_and_iou_by_hand():
    given, found = np.array([[0, 0, 1, 1], [4, 4, 4, 4]]), np.array([[0, 1, 1, 1], [4, 4, 5, 0]])
    counts = labelmaps.confusion(given, found)
    assert counts.sum() == 8
    assert (counts[0, 1], counts[4, 4], counts[4, 5], counts[4, 0]) == (1, 2, 1, 1)
    iou = labelmaps.iou(counts)
    assert iou[[0, 1, 4, 5]].tolist() == [1 / 3, 2 / 3, 2 / 4, 0]
    assert np.isnan(iou[13])
    assert labelmaps.accuracy(counts) == 5 / 8
    eyes = labelmaps.iou(labelmaps.of_regions(counts))[2]
    assert eyes == 3 / 4  # whose eye it is does not matter to the region


# --- training ---------------------------------------------------------------------------------------------------------


def test_training_on_eight_faces_learns_them(fitted):
    scores = json.loads((fitted.parent / "results" / "scores.json").read_text())
    assert scores["accuracy"] > 0.92
    assert scores["mean_iou_regions"] > 0.6
    assert scores["iou_regions"]["eyes"] > 0.2  # small parts, too
    assert scores["faces"] == 8
    table = (fitted.parent / "out.txt").read_text()
    assert "| skin | " in table
    assert "| mean of the seven regions | " in table


def test_a_network_that_has_not_learnt_does_not_pass(prepared_64):
    records = pipeline.LabelRecords(prepared_64, np.arange(8), 64)
    batch = next(iter(parse_face.batches(records, np.arange(8), parse_face.unchanged(np.arange(8)), 8)))
    parsed = parse_face.parse(parse_face.Parser(parse_face.Args(size=64, width=8)), batch)
    assert labelmaps.accuracy(labelmaps.confusion(parsed["given_labels"], parsed["found_labels"])) < 0.6


def test_testing_writes_pictures_rows_and_scores(fitted):
    out = fitted.parent / "results"
    rows = list(csv.DictReader((out / "results.csv").open()))
    assert [int(row["k"]) for row in rows] == list(range(8))
    assert list(rows[0]) == ["k", "accuracy", "iou_parts", "iou_regions"]
    assert {path.name for path in out.glob("*_*.png")} == {f"{k}_{n}.png" for k in range(8) for n in parse_face.ROWS}
    scores = json.loads((out / "scores.json").read_text())
    mean = np.mean([float(row["accuracy"]) for row in rows])
    assert mean == pytest.approx(scores["accuracy"], abs=1e-3)  # faces have equally many pixels
    assert set(scores["iou_parts"]) == set(labelmaps.NAMES)


def test_testing_takes_the_test_split_unless_told_otherwise(fitted, tmp_path, call):
    assert call(parse_face, "--test", "--run", fitted, "--out", tmp_path / "out").status == 0
    assert [int(row["k"]) for row in csv.DictReader((tmp_path / "out" / "results.csv").open())] == [8, 9]
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["split"] == "test"


LOADS_ALONE = """
import sys, keras, numpy as np
parser = keras.models.load_model(sys.argv[1])
assert not [name for name in sys.modules if name.startswith("facegan")]
print(parser(np.zeros((1, 64, 64, 3), np.float32)).shape, parser.dtype_policy.name)
"""


def test_the_parser_loads_without_this_repository_and_is_the_average(fitted, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LOADS_ALONE, fitted / "parser.keras"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "(1, 64, 64, 19) float32\n", done.stderr
    whole = parsers.load(fitted)
    average = parse_face.Parser(parse_face.Args(size=64, width=16))
    parse_face.checkpoints.Checkpoints(fitted, average=average).restore(required=True)
    assert all((a == b).all() for a, b in zip(whole.get_weights(), average.get_weights(), strict=True))
    assert not list(fitted.glob(".parser*"))


def test_a_run_that_goes_on_in_an_epoch_ends_with_the_weights_of_an_uninterrupted_one(
    prepared_64, tmp_path, call, same
):
    """After step 3 of 4, two an epoch; everything random is on."""
    flags = ("--train", "--data", prepared_64, *TINY, "--epochs", 2, "--run", tmp_path / "whole")
    with kept_at_step(3, tmp_path / "whole", tmp_path / "parts"):
        whole = call(parse_face, *flags)
    assert whole.status == 0, whole.err
    resumed = call(parse_face, "--train", "--run", tmp_path / "parts")
    assert resumed.status == 0, resumed.err
    assert same(tmp_path / "parts", tmp_path / "whole")
    a, b = (parsers.load(tmp_path / name).get_weights() for name in ("parts", "whole"))
    assert all((x == y).all() for x, y in zip(a, b, strict=True))
    before = (tmp_path / "parts" / "parser.keras").read_bytes()  # results name the parser by its checksum
    assert call(parse_face, "--train", "--run", tmp_path / "parts").status == 0
    assert (tmp_path / "parts" / "parser.keras").read_bytes() == before


def test_a_dry_run_writes_nothing(prepared_64, tmp_path, call):
    outcome = call(parse_face, "--dry-run", "--data", prepared_64, "--run", tmp_path / "run", *TINY)
    assert "parser: 64 x 64 x 3 -> 64 x 64 x 19" in outcome.out
    assert "8 training and 2 test faces: 2 steps an epoch" in outcome.out
    assert not (tmp_path / "run").exists()


def test_a_folder_of_before_label_maps_trains_gans_and_names_the_remedy_here(prepared_64, tmp_path, call):
    data = shutil.copytree(prepared_64, tmp_path / "data", ignore=shutil.ignore_patterns("packed*"))
    for path in (data / "samples").glob("*.npz"):
        with np.load(path) as sample:
            prepared.write_npz(path, **{name: sample[name] for name in ("Image", "Masks", "Colors")})
    pipeline.Records(data, list(range(10)), 64)
    sentence = refusal(call(parse_face, "--train", "--data", data, "--run", tmp_path / "run", *TINY))
    assert "has no Labels; run g_simple_mask.py again, with --overwrite" in sentence


def test_removed_samples_do_not_move_trained_faces_into_the_test_split(fitted, prepared_64, tmp_path, call):
    data = shutil.copytree(prepared_64, tmp_path / "data", ignore=shutil.ignore_patterns("packed*"))
    (data / "samples" / "8.npz").unlink()
    flags = ("--data", data, "--run", fitted, "--out", tmp_path / "out")
    assert "first: 7" in refusal(call(parse_face, "--test", *flags))


@pytest.mark.parametrize(("flags", "words"), [((), "say --train, --test or both"), (("--test",), "no trained run in")])
def test_misuse_is_one_sentence(flags, words, tmp_path, prepared_64, call):
    assert re.search(words, refusal(call(parse_face, *flags, "--run", tmp_path / "run", "--data", prepared_64)))
