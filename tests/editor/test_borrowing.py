"""How a borrowed region fits the head that gets it."""

import numpy as np
import pytest

from facegan.editor import borrowing
from facegan.editor.borrowing import move, similarity
from facegan.editor.compositing import grow
from facegan.editor.editing import NAMES
from facegan.regions import LABEL_REGION, PARTS, masks_from_labels

S = 128
ID = {part: 1 + i for i, part in enumerate(PARTS)}
SKIN, HAIR = (NAMES.index(region) for region in ("skin", "hair"))


def head(scale=1.0, right=0.0, down=0.0, bald=False) -> np.ndarray:
    """Labels of an oval head with a cap of hair, seen larger or elsewhere."""
    y, x = np.indices((S, S))
    u, v = (x - 64 - right) / scale, (y - 64 - down) / scale

    def oval(center_u, center_v, half_width, half_height):
        return ((u - center_u) / half_width) ** 2 + ((v - center_v) / half_height) ** 2 <= 1

    labels = np.zeros((S, S), np.uint8)
    labels[(np.abs(u) < 12) & (v > 20) & (v < 55)] = ID["neck"]
    if not bald:
        labels[oval(0, -12, 34, 34) & (v < 10)] = ID["hair"]
    labels[oval(0, 0, 26, 34) & ((v > -18) | bald)] = ID["skin"]
    for part, where in {
        "r_eye": oval(-10, -4, 4, 2), "l_eye": oval(10, -4, 4, 2), "nose": oval(0, 6, 3, 5), "mouth": oval(0, 18, 8, 3),
    }.items():  # fmt: skip
        labels[where] = ID[part]
    return labels


def borrow(labels: np.ndarray, other: np.ndarray, masks=None) -> np.ndarray:
    """The map of regions with the other's hair."""
    return borrowing.place(HAIR, other, masks_from_labels(labels) if masks is None else masks, labels)


def test_the_similarity_between_two_heads():
    matrix = similarity(head(), head(0.8, 6, -9))
    np.testing.assert_allclose(matrix[:, :2], [[0.8, 0], [0, 0.8]], atol=0.02)
    np.testing.assert_allclose(matrix @ [64, 64, 1], [64 + 6, 64 - 9], atol=0.7)
    upside_down = similarity(head(), head()[::-1, ::-1])
    np.testing.assert_array_equal(upside_down, np.eye(2, 3))  # a mistake, not a pose


@pytest.mark.parametrize("parts", [(), ("l_eye",)])
def test_without_two_common_parts_nothing_moves(parts):
    labels = head(0.8, 6, -9)
    labels[np.isin(labels, [ID[part] for part in ("l_eye", "r_eye", "nose", "mouth") if part not in parts])] = ID[
        "skin"
    ]
    np.testing.assert_array_equal(similarity(head(), labels), np.eye(2, 3))


def test_hair_of_a_larger_head_elsewhere_fits_the_smaller_one():
    labels = head(0.8, 6, -9)
    result = borrow(labels, head(1.1, -8, 10))
    ours = LABEL_REGION[labels]
    assert (result != ours).sum() < 0.15 * (ours == HAIR).sum()
    assert (LABEL_REGION[head(1.1, -8, 10)] != ours).sum() > (ours == HAIR).sum()


def test_what_touches_the_frame_goes_on_when_it_moves():
    other = head()
    other[90:, 20:30] = ID["hair"]
    hair = move(other == ID["hair"], similarity(other, head(1, 0, -20)))
    assert hair[-1, 20:30].all()


def test_what_the_frame_cuts_off_at_the_top_is_rounded():
    other = head(1.2, 0, -10)
    assert (other[0] == ID["hair"]).sum() > 15
    hair = move(other == ID["hair"], similarity(other, head()))
    widths = hair[:30].sum(1)
    assert not hair[0].any()
    assert (np.diff(widths) >= 0).all()
    assert np.diff(widths).max() < 16


def test_slits_between_hair_and_head_are_closed_and_outlines_stay():
    labels, other = head(bald=True), head()
    other[(other == ID["hair"]) & grow(other == ID["skin"], 3)] = 0
    result = borrow(labels, other)
    for y in range(50, 70):
        across = np.flatnonzero(result[y])
        assert (np.diff(across) == 1).all(), y
        assert set(result[y, across[[0, -1]]]) == {HAIR}
    ours = move(other == ID["hair"], similarity(other, labels)) | (labels > 0)
    np.testing.assert_array_equal((result > 0)[:40], ours[:40])


def test_no_cap_of_skin_above_flat_hair():
    """The dataset knows the skull under the hair; the borrowed hair is lower than that skull."""
    labels = head()
    masks = masks_from_labels(labels)
    masks[..., 0] |= head(bald=True) > 0
    other = head()
    other[:44][other[:44] == ID["hair"]] = 0
    result = borrow(labels, other, masks)
    top = np.argmax(result > 0, 0)  # of each column of the head
    columns = slice(50, 78)
    assert (result[top[columns], np.arange(S)[columns]] == HAIR).all()


def test_bald_heads_have_a_skull_and_a_higher_hairline_a_forehead():
    labels = head()
    result = borrow(labels, head(bald=True))
    skull = result == SKIN
    assert skull[36:46, 60:68].all()
    assert not skull[:26].any()
    assert not (result == HAIR).any()
    other = head()
    other[40:48][other[40:48] == ID["hair"]] = ID["skin"]
    assert (borrow(labels, other)[42:46, 50:78] == SKIN).all()


def test_a_strand_over_the_cheek_leaves_skin():
    labels, strand = head(), slice(48, 52)
    labels[50:90, strand][labels[50:90, strand] == ID["skin"]] = ID["hair"]
    result = borrow(labels, head())
    cheek = head()[70:85, strand] == ID["skin"]
    assert cheek.sum() > 20
    assert (result[70:85, strand][cheek] == SKIN).all()


def test_no_collar_grows_where_long_hair_was():
    labels = head()
    labels[104:, 30:98] = ID["cloth"]
    long = labels.copy()
    long[40:110][(labels[40:110] == 0) & (np.abs(np.arange(S) - 63.5) < 38)] = ID["hair"]
    result = borrow(long, head())
    assert not (result[:103] == NAMES.index("clothes")).any()
    assert (result[104:110, 30:98] == NAMES.index("clothes")).all()
    assert not (result[80:100, :40] != 0).any()
