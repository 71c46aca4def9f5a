"""How a map changes shape: small maps, computed by hand."""

import numpy as np
import pytest

from editor.test_editing import drawn_face
from facegan.editor import editing, shaping
from facegan.editor.editing import NAMES
from facegan.errors import BadInput
from facegan.regions import LABEL_REGION, PARTS, masks_from_labels

S = 32
ID = {part: 1 + i for i, part in enumerate(PARTS)}
SKIN, EYES, MOUTH, HAIR, NOSE = (NAMES.index(name) for name in ("skin", "eyes", "mouth", "hair", "nose"))


def drawn(**boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Labels of a face of rows 4 to 29 and columns 6 to 26, and parts (top, bottom, left, right) on it."""
    labels = np.zeros((S, S), np.uint8)
    labels[4:30, 6:27] = ID["skin"]
    for part, (top, bottom, left, right) in boxes.items():
        labels[top:bottom, left:right] = ID[part]
    return labels


def shaped(function, labels: np.ndarray, *values, **named) -> np.ndarray:
    return function(masks_from_labels(labels), labels, *values, **named)


def transformed(labels: np.ndarray, name: str, **how) -> np.ndarray:
    return shaped(shaping.transform, labels, name, **how)


def regions_of(**boxes) -> np.ndarray:
    return LABEL_REGION[drawn(**boxes)]


# --- move, scale, turn, mirror ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "after"),
    [
        ({}, (20, 23, 13, 18)),
        (dict(right=3, down=-4), (16, 19, 16, 21)),
        (dict(turn=90), (19, 24, 14, 17)),
        (dict(turn=-90, right=1), (19, 24, 15, 18)),
        (dict(mirror=True), (20, 23, 13, 18)),
    ],
)
def test_a_moved_scaled_or_turned_region_leaves_skin(how, after):
    found = transformed(drawn(mouth=(20, 23, 13, 18)), "mouth", **how)
    np.testing.assert_array_equal(found, regions_of(mouth=after))


def test_a_turn_is_clockwise_and_a_mirror_exchanges_left_and_right():
    hook = drawn(mouth=(18, 23, 14, 15), l_lip=(22, 23, 14, 19))  # an L of 5 x 5
    turned = transformed(hook, "mouth", turn=90)
    np.testing.assert_array_equal(turned[18:23, 14:19] == MOUTH, np.rot90(hook[18:23, 14:19] > ID["skin"], -1))
    mirrored = transformed(hook, "mouth", mirror=True)
    np.testing.assert_array_equal(mirrored[18:23, 14:19] == MOUTH, hook[18:23, 14:19][:, ::-1] > ID["skin"])
    np.testing.assert_array_equal(
        transformed(hook, "mouth", mirror=True, turn=90), LABEL_REGION[mirrored_then_turned(hook)]
    )


def mirrored_then_turned(labels: np.ndarray) -> np.ndarray:
    result = labels.copy()
    result[18:23, 14:19] = np.rot90(labels[18:23, 14:19][:, ::-1], -1)
    return result


def test_a_scaled_rim_is_a_slope_and_no_staircase():
    labels = drawn()
    for row in range(4):
        labels[15 + row, 14 : 15 + row] = ID["mouth"]  # a triangle
    widths = (transformed(labels, "mouth", scale=4)[9:25] == MOUTH).sum(1)
    assert np.abs(np.diff(widths)).max() <= 2  # the nearest pixels would make steps of 4


def test_one_part_of_a_region_moves_alone():
    parts = dict(r_eye=(12, 14, 9, 13), l_eye=(12, 14, 19, 23), l_brow=(8, 9, 19, 23), nose=(14, 18, 15, 18))
    found = transformed(drawn(**parts), "l_eye", down=1)
    np.testing.assert_array_equal(found, regions_of(**parts | dict(l_eye=(13, 15, 19, 23))))
    found = transformed(drawn(**parts), "l_brow", down=-2)
    np.testing.assert_array_equal(found, regions_of(**parts | dict(l_brow=(6, 7, 19, 23))))


def test_hair_moves_without_brows_and_what_it_leaves_is_what_is_nearest_or_known():
    labels = drawn(l_brow=(10, 11, 19, 23), hair=(2, 8, 4, 29), r_eye=(16, 17, 9, 13), l_eye=(16, 17, 19, 23))
    masks = masks_from_labels(labels)
    masks[4:8, 6:27, 0] = 1  # the skull under it
    found = shaping.transform(masks, labels, "hair", down=-2)
    np.testing.assert_array_equal(found[10] == HAIR, (labels == ID["l_brow"])[10])
    assert (found[0:6, 4:29] == HAIR).all()
    assert (found[7, 11:22] == SKIN).all()  # and no skull right under the hair
    assert not found[6:8, [0, 1, 2, 30, 31]].any()


def test_skin_goes_on_under_the_features():
    labels = drawn(r_eye=(12, 14, 9, 13), l_eye=(12, 14, 19, 23), nose=(14, 18, 15, 18))
    found = transformed(labels, "skin", right=2)
    expected = np.zeros((S, S), np.uint8)
    expected[4:30, 8:29] = SKIN
    features = LABEL_REGION[labels] > SKIN
    expected[features] = LABEL_REGION[labels][features]
    np.testing.assert_array_equal(found, expected)


def test_no_gap_opens_between_a_moved_region_and_the_rest():
    labels = drawn(cloth=(26, 32, 2, 30))
    found = transformed(labels, "clothes", down=2)
    assert (found[26:28, 6:27] != 0).all()
    assert not found[26:28, :2].any()


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        ("chin", {}, "there is no 'chin' to move: there are skin, eyes, mouth"),
        ("accessories", {}, "this map shows no accessories: paint or borrow some first"),
        ("mouth", dict(right=33), "right of mouth goes from -32 to 32, not 33"),
        ("mouth", dict(down=float("nan")), "down of mouth goes from -32 to 32, not nan"),
        ("mouth", dict(scale=0), "scale of mouth goes from 0.25 to 4, not 0"),
        ("mouth", dict(turn=181), "turn of mouth goes from -180 to 180, not 181"),
    ],
)
def test_what_cannot_be_moved_is_said(name, how, said):
    with pytest.raises(BadInput, match=said):
        transformed(drawn(mouth=(20, 23, 13, 18)), name, **how)


def test_what_leaves_the_frame_is_gone():
    found = transformed(drawn(mouth=(20, 23, 13, 18)), "mouth", down=S)
    np.testing.assert_array_equal(found, regions_of())


# --- by an amount -----------------------------------------------------------------------------------------------------


def test_an_open_mouth_reaches_down_most_in_the_middle():
    """7 columns wide, so up to 3.5 rows lower; across is -6/7 ... 6/7, and sqrt(1 - across^2) .52, .82, .96, 1."""
    labels = drawn(u_lip=(14, 15, 13, 20), l_lip=(15, 16, 13, 20))
    found = shaped(shaping.open_mouth, labels, 1)
    np.testing.assert_array_equal((found == MOUTH).sum(0)[13:20], [4, 5, 5, 6, 5, 5, 4])
    assert (found[14] == regions_of(mouth=(14, 15, 13, 20))[14]).all()  # the upper lip stays
    np.testing.assert_array_equal((shaped(shaping.open_mouth, labels, 0.3) == MOUTH).sum(0)[13:20], [3] * 7)
    low = drawn(mouth=(25, 27, 13, 20))  # 3 rows above the chin: 2 of them
    np.testing.assert_array_equal((shaped(shaping.open_mouth, low, 1) == MOUTH).sum(0)[13:20], [3, 4, 4, 4, 4, 4, 3])


def test_a_closed_mouth_keeps_a_third_and_leaves_skin():
    found = shaped(shaping.open_mouth, drawn(mouth=(14, 20, 13, 20)), -1)
    np.testing.assert_array_equal(found, regions_of(mouth=(14, 16, 13, 20)))
    found = shaped(shaping.open_mouth, drawn(mouth=(14, 20, 13, 20)), -0.5)
    np.testing.assert_array_equal(found, regions_of(mouth=(14, 18, 13, 20)))


@pytest.mark.parametrize(("amount", "top"), [(1, 15), (0.5, 14), (0, 12), (-0.5, 11), (-1, 10)])
def test_the_upper_lid_closes_the_eye_and_opens_it_as_far_as_the_brow(amount, top):
    """4 rows high: at 0.5 there are 4 * (1 - 7 / 16) = 2.25 left."""
    parts = dict(r_eye=(12, 16, 9, 13), l_eye=(12, 16, 19, 23), r_brow=(10, 11, 9, 13))
    found = shaped(shaping.close_eyes, drawn(**parts), amount)
    after = parts | dict(r_eye=(top, 16, 9, 13), l_eye=(top, 16, 19, 23), r_brow=(10, 11, 9, 13))
    np.testing.assert_array_equal(found, regions_of(**after))


def test_longer_hair_falls_beside_the_face_and_behind_the_neck():
    """The face shows 10 rows, from 8 to 17, and hair overhangs it by 3 columns."""
    labels = np.zeros((S, S), np.uint8)
    labels[4:18, 10:23] = ID["skin"]
    labels[14:18, 10:12] = 0  # the jaw
    labels[18:32, 12:21] = ID["neck"]
    labels[12:32, 4:9] = ID["cloth"]
    labels[8:10, 22] = ID["l_ear"]
    labels[2:8, 7:26] = ID["hair"]
    expected = LABEL_REGION[labels]
    expected[8:13, 7:10] = expected[8:13, 23:26] = HAIR
    expected[8:13, 22][:2] = HAIR  # before the ear, and not over the cheek under it
    np.testing.assert_array_equal(shaped(shaping.lengthen_hair, labels, 0.5), expected)
    expected[13:18, 7:10] = expected[13:18, 23:26] = HAIR
    expected[14:18, 10] = expected[15:18, 11] = HAIR  # inwards under the jaw
    np.testing.assert_array_equal(shaped(shaping.lengthen_hair, labels, 1), expected)


def test_shorter_hair_is_cut_level_down_to_the_eyes():
    labels = drawn(hair=(2, 26, 2, 6), r_eye=(12, 15, 9, 13), l_eye=(12, 15, 19, 23))
    np.testing.assert_array_equal((shaped(shaping.lengthen_hair, labels, -0.5) == HAIR)[:, 2:6].sum(0), [18] * 4)
    cut = shaped(shaping.lengthen_hair, labels, -1) == HAIR
    np.testing.assert_array_equal(cut[:, 2:6].sum(0), [11] * 4)
    again = np.where(cut, ID["hair"], np.where(labels == ID["hair"], 0, labels)).astype(np.uint8)
    np.testing.assert_array_equal(shaped(shaping.lengthen_hair, again, -1) == HAIR, cut)  # short already


@pytest.mark.parametrize("function", [shaping.open_mouth, shaping.close_eyes, shaping.lengthen_hair])
def test_amounts_and_faces_that_cannot_be_are_said(function):
    whole = drawn(mouth=(20, 23, 13, 18), r_eye=(12, 14, 9, 13), hair=(2, 8, 4, 29))
    for amount in (1.01, -2, float("nan"), float("inf")):
        with pytest.raises(BadInput, match="goes from -1 to 1, not"):
            shaped(function, whole, amount)
    with pytest.raises(BadInput, match=r"this map shows no (mouth|eyes|hair): paint or borrow some first"):
        shaped(function, drawn(), 0.5)
    np.testing.assert_array_equal(shaped(function, whole, 0), LABEL_REGION[whole])


# --- as edits ---------------------------------------------------------------------------------------------------------


def test_edits_show_what_the_maps_do_and_leave_the_rest_unpainted():
    edit = editing.begin(drawn_face())
    before = edit.masks, edit.face.map.labels
    for changed, expected in (
        (editing.transform(edit, "mouth", down=3), shaping.transform(*before, "mouth", down=3)),
        (editing.open_mouth(edit, 1), shaping.open_mouth(*before, 1)),
        (editing.close_eyes(edit, 1), shaping.close_eyes(*before, 1)),
        (editing.lengthen_hair(edit, 1), shaping.lengthen_hair(*before, 1)),
    ):
        np.testing.assert_array_equal(changed.regions, expected)
        assert (changed.regions != edit.regions).any()
        np.testing.assert_array_equal(changed.grid == editing.UNPAINTED, changed.regions == edit.regions)
    moved = editing.transform(edit, "mouth", down=3)
    assert (moved.regions[46:48, 24:40] == SKIN).all()


@pytest.mark.parametrize("name", shaping.NAMES)
def test_a_shape_that_stays_where_it_is_is_no_edit(name, prepared_64):
    for k in editing.face_numbers(prepared_64)[:4]:
        edit = editing.begin(editing.read_face(prepared_64, k))
        if shaping.shape(edit.face.map.labels, name).any():
            assert (editing.transform(edit, name).grid == editing.UNPAINTED).all()
