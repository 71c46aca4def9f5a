"""Where a dataset lies is not what it is: folders that moved go on, other photographs in their place do not."""

import json
import re
import shutil

import numpy as np
import pytest

import g_simple_mask
import pix2pix
from face_recognition import face_recognition
from facegan import files, own_photos, prepared
from facegan.errors import BadInput
from outcomes import contents, refusal


def change_json(path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def change_photo(data, k: int) -> None:
    """Another photograph in face k's place, whose sample is otherwise whole."""
    path = data / "samples" / f"{k}.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    prepared.write_npz(path, stored=("Image",), **arrays | {"Image": 255 - arrays["Image"]})
    face_recognition.embed(k, data, jitter=0)


def test_a_raw_dataset_that_moved_goes_on_and_another_is_refused(raw, tmp_path, call):
    flags = ("--out", tmp_path / "data", "--size", 64, "--workers", 1)
    assert call(g_simple_mask, "--source", raw, *flags).status == 0
    before = contents(tmp_path / "data")
    moved = shutil.copytree(raw, tmp_path / "moved")
    outcome = call(g_simple_mask, "--source", moved, *flags)
    assert outcome.status == 0, outcome.err
    assert "10 skipped" in outcome.out
    assert contents(tmp_path / "data") == before
    for k in range(0, 10, 2):  # the same numbers, other people
        photos = moved / "CelebA-HQ-img"
        (photos / f"{k}.jpg").rename(photos / "x.jpg")
        (photos / f"{k + 1}.jpg").rename(photos / f"{k}.jpg")
        (photos / "x.jpg").rename(photos / f"{k + 1}.jpg")
    sentence = refusal(call(g_simple_mask, "--source", moved, *flags))
    assert re.search(r"made with source .*, now it is .*moved; choose another --out", sentence)
    assert contents(tmp_path / "data") == before


def test_a_prepared_folder_and_its_raw_dataset_may_move_while_a_run_goes_on(copy, data, fake_step, call, tmp_path):
    fake_step()
    change_json(data / "prepared.json", source="/mnt/elsewhere/CelebAMask-HQ")
    outcome = call(pix2pix, "--train", "--test", "--data", data, "--run", copy, "--epochs", 4, "--out", tmp_path / "o")
    assert outcome.status == 0, outcome.err


def test_other_photographs_are_refused_wherever_they_lie(copy, data, call):
    change_photo(data, 0)
    for source in (json.loads((data / "prepared.json").read_text())["source"], "/mnt/elsewhere"):
        change_json(data / "prepared.json", source=source)
        sentence = refusal(call(pix2pix, "--train", "--data", data, "--run", copy, "--epochs", 4))
        assert re.search(r"was trained on photographs from .* has others, from .*: name a new folder", sentence)
        assert "prepared.json" not in sentence


def test_a_run_without_checksums_says_how_a_moved_dataset_is_told(copy, data, fake_step, call):
    fake_step()
    split = json.loads((copy / "split.json").read_text())
    del split["train_photos"]
    (copy / "split.json").write_text(json.dumps(split))
    change_json(data / "prepared.json", source="/mnt/elsewhere")
    flags = ("--train", "--data", data, "--run", copy, "--epochs", 4)
    assert "write the place that it had into prepared.json" in refusal(call(pix2pix, *flags))
    change_json(data / "prepared.json", source=split["source"]["source"])  # as the sentence says
    assert call(pix2pix, *flags).status == 0


@pytest.mark.parametrize("source", ["the same", "/mnt/elsewhere"])
def test_trained_faces_stay_out_of_the_test_split_wherever_the_dataset_lies(source, trained, data, tmp_path, call):
    for name in ("samples", "color_masks", "face_ids"):
        (data / name / "8.npz").unlink()
    if source != "the same":
        change_json(data / "prepared.json", source=source)
    flags = ("--data", data, "--run", trained(pix2pix).run, "--out", tmp_path / "out")
    assert "first: 7" in refusal(call(pix2pix, "--test", *flags))


def test_results_are_scored_with_a_prepared_folder_whose_dataset_moved(trained, data, tmp_path):
    from facegan.results import read_results

    change_json(data / "prepared.json", source="/mnt/elsewhere")
    assert len(read_results(trained(pix2pix).results, data).k) == 10
    change_json(data / "prepared.json", resample="nearest")
    with pytest.raises(BadInput, match="was painted from"):
        read_results(trained(pix2pix).results, data)


def test_a_folder_of_own_photographs_may_move(tmp_path):
    own_photos.claim(tmp_path / "mine", 64)
    files.write_text(tmp_path / "mine" / "faces.json", "{}")
    (tmp_path / "mine").rename(tmp_path / "elsewhere")
    own_photos.claim(tmp_path / "elsewhere", 64)
    with pytest.raises(BadInput, match="made with size 64, now it is 128"):
        own_photos.claim(tmp_path / "elsewhere", 128)
