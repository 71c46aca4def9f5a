"""numberings.py: other tools' ids of the parts, told by where the parts lie, refused or converted."""

import json

import numpy as np
import pytest
from PIL import Image

import g_simple_mask
from facegan import numberings
from facegan.errors import BadInput

CELEBAMASK, FACE_PARSING = numberings.NUMBERINGS.values()
TO_FACE_PARSING = np.array([FACE_PARSING.index(name) for name in CELEBAMASK], np.uint8)


@pytest.fixture(scope="module")
def maps(raw) -> list[np.ndarray]:
    """The label maps of the sample faces."""
    return [np.asarray(Image.open(raw / "CelebAMaskHQ-mask" / f"{k}.png")) for k in range(10)]


@pytest.fixture(scope="module")
def other(tmp_path_factory, raw, maps, write_face):
    """The raw dataset as face-parsing.PyTorch numbers it."""
    source = tmp_path_factory.mktemp("face-parsing")
    (source / "CelebA-HQ-img").mkdir()
    for k, labels in enumerate(maps):
        write_face(source, k, labels=TO_FACE_PARSING[labels])
        photo = (raw / "CelebA-HQ-img" / f"{k}.jpg").read_bytes()
        (source / "CelebA-HQ-img" / f"{k}.jpg").write_bytes(photo)
    return source


def test_both_numberings_have_the_same_names():
    assert sorted(CELEBAMASK) == sorted(FACE_PARSING)
    ids = [FACE_PARSING.index(name) for name in ("skin", "l_brow", "eye_g", "nose", "neck", "cloth", "hair", "hat")]
    assert ids == [1, 2, 6, 10, 14, 16, 17, 18]


def test_converting_goes_there_and_back():
    ids = np.arange(19, dtype=np.uint8)
    np.testing.assert_array_equal(numberings.convert(TO_FACE_PARSING, "face-parsing"), ids)
    np.testing.assert_array_equal(numberings.convert(ids, "celebamask"), ids)
    for name in numberings.NUMBERINGS:
        with pytest.raises(BadInput, match=r"unknown id 19 in the label map"):
            numberings.convert(np.array([19], np.uint8), name)


def test_drawn_maps_are_told_apart_one_by_one(maps):
    for labels in maps:
        numberings.check([labels], "celebamask", "")
        numberings.check([TO_FACE_PARSING[labels]], "face-parsing", "")
        with pytest.raises(BadInput, match="numbered as in face-parsing, not as in celebamask: say face-parsing"):
            numberings.check([TO_FACE_PARSING[labels]], "celebamask", "say {}")
        with pytest.raises(BadInput, match="numbered as in celebamask, not as in face-parsing"):
            numberings.check([labels], "face-parsing", "")


def test_real_maps_are_told_apart(real_faces):
    real = [np.asarray(Image.open(real_faces / "CelebAMaskHQ-mask" / f"{k}.png")) for k in range(0, 840, 7)]
    for first in range(0, len(real), 4):
        few = real[first : first + 4]
        numberings.check(few, "celebamask", "")
        with pytest.raises(BadInput, match="numbered as in face-parsing"):
            numberings.check([TO_FACE_PARSING[labels] for labels in few], "celebamask", "")


def test_a_numbering_that_nobody_knows_is_refused(maps):
    """The parts in the order of the alphabet."""
    alphabet = np.array([0, *(1 + sorted(CELEBAMASK[1:]).index(name) for name in CELEBAMASK[1:])], np.uint8)
    with pytest.raises(BadInput, match=r"not numbered as in celebamask: only \d+% of their parts lie as on a face"):
        numberings.check([alphabet[labels] for labels in maps], "celebamask", "")


@pytest.mark.parametrize(
    "labels",
    [
        np.zeros((512, 512), np.uint8),
        np.ones((512, 512), np.uint8),
        np.random.default_rng(0).integers(0, 19, (512, 512), np.uint8),
        np.full((512, 512), 200, np.uint8),
    ],
    ids=["empty", "skin alone", "noise", "unknown ids"],
)
def test_maps_that_say_nothing_are_let_through(labels):
    numberings.check([labels] * 10, "celebamask", "")
    numberings.check([], "celebamask", "")


# --- the command line -------------------------------------------------------------------------------------------------


def test_a_dataset_of_another_numbering_is_refused_before_anything_is_written(other, raw, tmp_path, call):
    flags = ("--out", tmp_path / "out", "--size", 64, "--workers", 1)
    outcome = call(g_simple_mask, "--source", other, *flags)
    assert outcome.status == 1
    assert outcome.err.startswith("error: the label maps are numbered as in face-parsing, not as in celebamask: ")
    assert "--numbering face-parsing" in outcome.err
    swapped = call(g_simple_mask, "--source", raw, "--layout", "merged", "--numbering", "face-parsing", *flags)
    assert "numbered as in celebamask, not as in face-parsing" in swapped.err
    parts = call(g_simple_mask, "--source", raw, "--numbering", "face-parsing", *flags)
    assert "a file for each part" in parts.err
    assert not (tmp_path / "out").exists()


def test_the_flag_converts_to_the_bit_and_is_recorded(other, raw, tmp_path, call):
    flags = ("--size", 64, "--workers", 1)
    assert call(g_simple_mask, "--source", raw, "--layout", "merged", "--out", tmp_path / "a", *flags).status == 0
    converted = ("--source", other, "--out", tmp_path / "b", *flags)
    assert call(g_simple_mask, *converted, "--numbering", "face-parsing").status == 0
    for k in range(10):
        a, b = ((tmp_path / name / "samples" / f"{k}.npz").read_bytes() for name in "ab")
        assert a == b
    assert json.loads((tmp_path / "b" / "prepared.json").read_text())["numbering"] == "face-parsing"
    assert "numbering" not in json.loads((tmp_path / "a" / "prepared.json").read_text())
