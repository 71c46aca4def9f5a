"""facegan/pictures.py: rounding, and grids with labels."""

import numpy as np
from PIL import Image

from facegan import pictures
from solid import BLUE, RED, pictures_of


def test_pictures_are_rounded_and_never_wrap_around(tmp_path):
    values = np.array([-0.5, 0, 0.4999 / 255, 0.5001 / 255, 1, 1.5])
    assert pictures.to_uint8(values).tolist() == [0, 0, 0, 1, 255, 255]
    pictures.save_png(tmp_path / "a.png", np.tile(values[:, None, None], (1, 1, 3)))
    assert np.asarray(Image.open(tmp_path / "a.png"))[:, 0, 0].tolist() == [0, 0, 0, 1, 255, 255]


def test_a_grid_has_labels_on_the_left_and_captions_below():
    rows = {"a label of\ntwo lines": pictures_of(RED, 3), "short": pictures_of(BLUE, 3)}
    drawn = pictures.grid(rows, ["1", "22", "333"])
    reds, blues = ((drawn == 255 * color).all(-1) for color in (RED, BLUE))
    assert reds.sum() == blues.sum() == 3 * 16 * 16
    left, bottom = np.argwhere(reds)[:, 1].min(), np.argwhere(blues)[:, 0].max()
    dark = (drawn < 128).all(-1)
    assert dark[:, :left].any()
    assert dark[bottom + 1 :, left:].any()
    assert not dark[: bottom + 1, left:].any()


def test_captions_wider_than_a_picture_take_a_line_for_each_word():
    drawn = pictures.grid({"": np.zeros((2, 64, 64, 3))}, ["validation 578", "validation 579"])
    below = (drawn[64:] < 128).all(-1)
    middle = drawn.shape[1] - 64 - 4  # the gap between the two pictures
    assert below[:, :middle].any()
    assert below[:, middle:].any()
    assert not below[:, middle - 4 : middle].any()
