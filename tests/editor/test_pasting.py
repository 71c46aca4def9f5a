"""facegan/editor/pasting.py: an edit in the photograph's own size. That the page and edit.py do so: test_page_files.py,
test_edit.py."""

import cv2
import numpy as np
import pytest

from facegan import align
from facegan.editor import editing, pasting
from facegan.editor.editing import Face, FaceMap, Original
from facegan.regions import masks_from_labels

S = 64
HEIGHT, WIDTH = 700, 900


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """Noise with some structure: every pixel is its own."""
    rng = np.random.default_rng(0)
    coarse = cv2.resize(rng.integers(60, 200, (12, 15, 3)).astype(np.float32), (WIDTH, HEIGHT))
    return np.clip(coarse + rng.normal(0, 12, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)


def frame(angle: float = 0.3, side: float = 400, center=(430, 380)) -> align.Frame:
    return align.Frame(np.array(center, float), side / 2 * np.array([np.cos(angle), np.sin(angle)]))


def face_in(photo: np.ndarray, cut: align.Frame) -> Face:
    """A face of hair above and skin below in a background, cut from a photograph."""
    labels = np.zeros((S, S), np.uint8)
    labels[8:56, 8:56], labels[8:32, 8:56] = 1, 13  # skin, hair
    image = align.cut_out(photo, cut, S)
    masks = masks_from_labels(labels)
    colors = np.full((7, 3), 128, np.float32)
    corners = cut.to_photo(np.array([(0, 0), (1, 0), (0, 1)]), 1)
    return Face(image, FaceMap(masks, labels), colors, np.zeros(128, np.float32), Original(b"", corners))


def positions(cut: align.Frame) -> np.ndarray:
    """The place of each pixel of the photograph in the cut-out, (H, W, 2) in pixels of the cut-out."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    away = np.stack([x, y], -1) - cut.center
    right, length = cut.right, np.hypot(*cut.right)
    across = (away @ right, away @ align.turned(right))
    return (np.stack(across, -1) / length**2 + 1) * S / 2


@pytest.mark.parametrize("angle", [0.0, 0.3, 3.0])
def test_what_is_painted_lies_where_it_was_painted_and_all_else_is_the_photograph(photo, angle):
    cut = frame(angle)
    face = face_in(photo, cut)
    where = np.zeros((S, S), bool)
    where[40:44, 20:30] = True
    edit = editing.paint(editing.begin(face), where, "mouth")
    result = pasting.paste(photo, edit, np.full((S, S, 3), 1.0))
    assert result.shape == photo.shape
    place = positions(cut)
    x, y = place[..., 0], place[..., 1]
    inside = (x > 21) & (x < 29) & (y > 41) & (y < 43)
    assert inside.sum() > 400
    assert (result[inside] > 250).all()  # white, as the generator painted it
    away = (x < 14) | (x > 36) | (y < 34) | (y > 50)
    np.testing.assert_array_equal(result[away], photo[away])


def test_a_colour_is_shifted_at_the_photographs_own_size(photo):
    """Every strand stays: the detail that the small cut-out has lost is in the result."""
    cut = frame()
    face = face_in(photo, cut)
    edit = editing.recolor(editing.begin(face), "hair", face.colors[3] + [40, -10, -20])
    result = pasting.paste(photo, edit, np.zeros((S, S, 3)))
    place = positions(cut)
    x, y = place[..., 0], place[..., 1]
    hair = (x > 10) & (x < 54) & (y > 10) & (y < 30)
    detail = [picture.astype(float) - cv2.GaussianBlur(picture.astype(float), (0, 0), 2) for picture in (photo, result)]
    assert np.corrcoef(*(part[hair].ravel() for part in detail))[0, 1] > 0.95
    change = (result.astype(float) - photo)[hair].mean(0)
    assert change[0] > 20 > -5 > change[2]
    np.testing.assert_array_equal(result[y > 33], photo[y > 33])


def test_an_edit_that_changes_nothing_gives_the_photograph(photo):
    edit = editing.begin(face_in(photo, frame()))
    np.testing.assert_array_equal(pasting.paste(photo, edit, np.zeros((S, S, 3))), photo)


def test_a_face_at_the_rim_and_one_smaller_than_the_run(photo):
    """The frame may leave the photograph, and may be smaller than what was painted."""
    for cut in (frame(center=(30, 40)), frame(side=40, center=(880, 690)), frame(side=40)):
        face = face_in(photo, cut)
        edit = editing.borrow_identity(editing.begin(face), Face(*([None] * 3), np.ones(128, np.float32)))
        result = pasting.paste(photo, edit, np.full((S, S, 3), 1.0))
        place = positions(cut)
        outside = ((place < 7) | (place > 57)).any(-1)
        np.testing.assert_array_equal(result[outside], photo[outside])
        middle = ((place > 24) & (place < 40)).all(-1)
        assert middle.any()
        assert (result[middle] != photo[middle]).any()


def test_rows_are_worked_on_a_band_at_a_time_without_a_seam(photo, monkeypatch):
    face = face_in(photo, frame())
    edit = editing.recolor(editing.begin(face), "skin", face.colors[0] + 30)
    edit = editing.borrow_identity(edit, Face(*([None] * 3), np.ones(128, np.float32)))
    generated = np.random.default_rng(1).random((S, S, 3))
    at_once, shares = pasting.paste(photo, edit, generated), []
    monkeypatch.setattr(pasting, "BAND", 5000)
    in_bands = pasting.paste(photo, edit, generated, tell=shares.append)
    assert np.abs(in_bands.astype(int) - at_once).max() <= 1  # positions are rounded
    assert len(shares) > 10
    assert (shares == np.sort(shares)).all()
    assert shares[-1] == 1


def test_without_keeping_the_whole_face_is_as_generated(photo):
    cut = frame()
    edit = editing.begin(face_in(photo, cut))
    result = pasting.paste(photo, edit, np.full((S, S, 3), 1.0), keep=False)
    place = positions(cut)
    face = ((place > 10) & (place < 54)).all(-1)
    assert (result[face] == 255).all()
    beyond = ((place < 7) | (place > 57)).any(-1)
    np.testing.assert_array_equal(result[beyond], photo[beyond])
