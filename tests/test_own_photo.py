"""own_photo.py: a photograph becomes a prepared folder that every script takes."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import c_mask
import g_simple_mask
import own_photo
import pix2pix
from face_recognition import face_recognition
from facegan import labelmaps, prepared, regions
from outcomes import contents, refusal

ID = {name: i for i, name in enumerate(labelmaps.NAMES)}


@pytest.fixture
def snapshot(tmp_path, faces) -> Path:
    """A photograph that lies on its side, as cameras store it, with face 3 off its middle."""
    picture = np.full((700, 900, 3), (120, 140, 130), np.uint8)
    picture[100:612, 250:762] = faces[3][0]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(picture))).save(tmp_path / "me.jpg", exif=exif, quality=95)
    return tmp_path / "me.jpg"


def test_a_photograph_goes_into_every_other_script(snapshot, faces, fitted, prepared_64, trained, tmp_path, call):
    out = tmp_path / "mine"
    flags = ("--parser", fitted, "--data", prepared_64, "--out", out)
    outcome = call(own_photo, snapshot, *flags)
    assert outcome.status == 0, outcome.err
    labels = np.asarray(Image.open(out / "raw" / "CelebAMaskHQ-mask" / "0.png"))
    assert (labels.shape, labels.dtype) == ((512, 512), np.uint8)
    original = np.zeros((512, 512), np.uint8)
    for i, part in enumerate(regions.PARTS):
        if part in faces[3][1]:
            original[faces[3][1][part]] = i + 1
    assert np.mean(regions.LABEL_REGION[labels] == regions.LABEL_REGION[original]) > 0.8  # upright, and in its place
    with np.load(out / "samples" / "0.npz") as sample:
        assert {name: sample[name].shape for name in sample.files} == {
            "Image": (64, 64, 3), "Masks": (64, 64, 7), "Colors": (7, 3), "Labels": (64, 64)
        }  # fmt: skip
        np.testing.assert_array_equal(sample["Labels"], regions.shrink_labels(labels, 64))
    assert Image.open(out / "0_colors.png").size == (512, 512)
    assert Image.open(out / "0_parts.png").width > 512
    # filled up with test faces, it can be painted
    assert "the last 3 faces of" in outcome.out
    tested = call(
        pix2pix, "--test", "--data", out, "--split", "all", "--run", trained(pix2pix).run, "--out", tmp_path / "p"
    )
    assert tested.status == 0, tested.err
    assert (tmp_path / "p" / "0_man.png").exists()
    # the same again changes nothing, another photograph gets the next number
    before = contents(out)
    again = call(own_photo, snapshot, *flags)
    assert "is face 0 of" in again.out
    assert contents(out) == before
    Image.fromarray(faces[5][0]).save(tmp_path / "you.png")
    assert call(own_photo, tmp_path / "you.png", *flags).status == 0
    assert prepared.indices(out, "samples") == [0, 1, 2, 3, 4]
    assert prepared.complete_indices(out) == [0, 1, 2, 3, 4]


def test_an_edited_map_goes_through_the_preprocessing_scripts(snapshot, fitted, prepared_64, tmp_path, call):
    out = tmp_path / "mine"
    assert call(own_photo, snapshot, "--parser", fitted, "--data", prepared_64, "--out", out).status == 0
    path = out / "raw" / "CelebAMaskHQ-mask" / "0.png"
    edited = np.asarray(Image.open(path)).copy()
    edited[:200, :200] = ID["hat"]
    Image.fromarray(edited).save(path)
    flags = ("--source", out / "raw", "--out", out, "--size", 64, "--overwrite", "--workers", 1)
    for script, args in (
        (g_simple_mask, flags),
        (c_mask, ("--data", out, "--workers", 1)),
        (face_recognition, ("--data", out, "--workers", 1)),
    ):
        outcome = call(script, *args)
        assert outcome.status == 0, outcome.err
    with np.load(out / "samples" / "0.npz") as sample:
        assert (sample["Labels"][:25, :25] == ID["hat"]).all()
        assert sample["Masks"][:25, :25, 6].all()
    assert len(prepared.complete_indices(out)) == 4


def test_parts_are_prepared_for_a_run_on_parts(faces, fitted, parts_64, prepared_64, tmp_path, call):
    out, photo = tmp_path / "mine", tmp_path / "a.png"
    Image.fromarray(faces[3][0]).save(photo)
    outcome = call(own_photo, photo, "--aligned", "--parts", "--parser", fitted, "--data", prepared_64, "--out", out)
    assert "name a folder of the 18 parts prepared at size 64 with --data" in outcome.out
    assert "--size 64 --regions parts --overwrite" in outcome.out
    with np.load(out / "samples" / "0.npz") as sample:
        assert (sample["Masks"].shape, sample["Colors"].shape) == ((64, 64, 18), (18, 3))
    assert "the last 3 faces of" in call(
        own_photo, photo, "--aligned", "--parts", "--parser", fitted, "--data", parts_64, "--out", out
    ).out  # fmt: skip
    assert prepared.region_count(out) == 18
    assert "nor parts among regions" in refusal(
        call(own_photo, photo, "--aligned", "--parser", fitted, "--data", parts_64, "--out", out)
    )


def test_an_aligned_photograph_is_taken_as_it_is(faces, fitted, tmp_path, call):
    Image.fromarray(faces[3][0]).save(tmp_path / "a.png")
    flags = ("--parser", fitted, "--data", tmp_path / "none", "--out", tmp_path / "mine")
    outcome = call(own_photo, tmp_path / "a.png", "--aligned", *flags)
    assert outcome.status == 0, outcome.err
    assert "holds 1 face, and other scripts take 4" in outcome.out
    photo = np.asarray(Image.open(tmp_path / "mine" / "raw" / "CelebA-HQ-img" / "0.jpg")).astype(int)
    assert np.abs(photo - faces[3][0]).mean() < 3


@pytest.mark.parametrize(
    ("picture", "flags", "words"),
    [
        (np.full((300, 400, 3), 90, np.uint8), (), ("no face found", "nothing was written", "--aligned")),
        (np.full((300, 400, 3), 90, np.uint8), ("--aligned",), ("400 x 300", "square")),
        (b"not a picture", (), ("is not a picture", "JPEG or PNG")),
        (None, (), ("no file",)),
    ],
    ids=["no face", "not square", "damaged", "missing"],
)
def test_a_photograph_that_cannot_be_used_is_one_sentence_and_nothing_is_written(
    picture, flags, words, snapshot, fitted, tmp_path, call
):
    """Not of the good one beside it, either."""
    path = tmp_path / "bad.png"
    if isinstance(picture, bytes):
        path.write_bytes(picture)
    elif picture is not None:
        Image.fromarray(picture).save(path)
    photos = (path,) if flags else (snapshot, path)
    sentence = refusal(call(own_photo, *photos, *flags, "--parser", fitted, "--out", tmp_path / "mine"))
    assert all(word in sentence for word in ("bad.png", *words))
    assert not (tmp_path / "mine").exists()


def test_own_photographs_do_not_go_among_the_faces_of_a_dataset(snapshot, fitted, prepared_64, call):
    before = contents(prepared_64 / "samples")
    sentence = refusal(call(own_photo, snapshot, "--parser", fitted, "--out", prepared_64))
    assert "name a new folder with --out" in sentence
    assert contents(prepared_64 / "samples") == before


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("a.jpg", "--out", "mine"), r"no .*parser\.keras: run .*--train"),
        (("--out", "mine"), "no photograph: name at least one"),
    ],
)
def test_misuse_is_one_sentence(flags, words, tmp_path, call):
    assert re.search(words, refusal(call(own_photo, *flags, "--parser", tmp_path / "run")))
