"""How far an edit reaches, and in which colours it is painted."""

import numpy as np
import pytest

from facegan.editor import compositing, oklab
from facegan.editor.editing import NAMES

S = 128
SKIN, MOUTH, HAIR = (NAMES.index(region) for region in ("skin", "mouth", "hair"))


def box(top, bottom, left, right) -> np.ndarray:
    where = np.zeros((S, S), bool)
    where[top:bottom, left:right] = True
    return where


def face_with_mouth() -> np.ndarray:
    """Skin, and a mouth of 10 x 40 pixels."""
    own = np.full((S, S), SKIN, np.uint8)
    own[80:90, 44:84] = MOUTH
    return own


# --- which pixels -----------------------------------------------------------------------------------------------------


def test_what_changes_grows_with_the_edit_without_a_jump():
    """Strokes of skin on a mouth, a column longer each time: from a dab to half of the mouth."""
    own, changes = face_with_mouth(), []
    for length in range(1, 21):
        new = np.where(box(80, 90, 44, 44 + length), np.uint8(SKIN), own)
        changes.append(compositing.repaint_weights(own, new).sum())
    assert (np.diff(changes) >= 0).all()
    assert np.diff(changes).max() < 120
    assert changes[0] < 80
    assert changes[-1] > 600


def test_a_dab_on_a_mouth_changes_a_few_pixels_and_an_opened_mouth_is_whole():
    own = face_with_mouth()
    dab = compositing.repaint_weights(own, np.where(box(85, 86, 60, 62), np.uint8(HAIR), own))
    assert (dab > 0).sum() < 30
    opened = compositing.repaint_weights(own, np.where(box(90, 96, 50, 78), np.uint8(MOUTH), own))
    assert (opened[own == MOUTH] == 1).all()
    assert not opened[:74].any()


def test_of_two_eyes_only_the_one_that_changes_is_painted_anew():
    own = np.full((S, S), SKIN, np.uint8)
    own[40:50, 20:40] = own[40:50, 80:100] = NAMES.index("eyes")
    weights = compositing.repaint_weights(own, np.where(box(36, 40, 20, 40), np.uint8(NAMES.index("eyes")), own))
    assert (weights[40:50, 20:40] == 1).all()
    assert not weights[:, 70:].any()


def test_weights_fall_evenly_from_the_edit():
    weights = compositing.fade(box(0, S, 0, 40), 8)
    np.testing.assert_allclose(weights[60, 38:50], [1, 1, *(1 - np.arange(9) / 8), 0], atol=1e-6)
    assert not compositing.fade(box(0, 0, 0, 0), 8).any()


# --- which colours ----------------------------------------------------------------------------------------------------


def test_new_hair_takes_the_colour_of_the_hair_beside_it():
    """Blond at the left, brown at the right; the generator knows the mean only, and hair grows downwards."""
    blond, brown = np.array([210, 180, 120]), np.array([70, 45, 30])
    photo = np.where(np.arange(S)[:, None] < S // 2, blond, brown) * np.ones((S, 1, 1))
    photo = (photo + np.random.default_rng(0).normal(0, 10, (S, S, 1))).clip(0, 255).astype(np.float32)
    own, new = np.zeros((2, S, S), np.uint8)
    own[:50], new[:90] = HAIR, HAIR
    flat = np.full((S, S, 3), (blond + brown) / 2, np.float32)
    weights = (new == HAIR) * np.where(own == HAIR, 0.5, 1)
    result = compositing.match_colors(flat, photo, own, new, weights)
    for columns, color in ((slice(0, 40), blond), (slice(88, S), brown)):
        grown = result[60:85, columns]
        assert np.abs(grown.mean((0, 1)) - color).max() < 15
        assert grown.std(0).max() < 10  # the photograph's noise is not smeared on
    steps = np.abs(np.diff(result[70], axis=0)).max()
    assert steps < 15  # from blond to brown in between, smoothly
    np.testing.assert_array_equal(result[new != HAIR], flat[new != HAIR])


def test_a_region_that_is_new_stays_as_generated():
    own, new = np.zeros((2, S, S), np.uint8)
    own[:50], new[:50], new[60:90] = SKIN, SKIN, HAIR
    picture = np.random.default_rng(0).integers(0, 256, (S, S, 3)).astype(np.float32)
    result = compositing.match_colors(picture, 255 - picture, own, new, np.float32(new == HAIR))
    np.testing.assert_allclose(result, picture, atol=0.1)


def test_a_mouth_that_is_painted_anew_as_a_whole_stays_as_generated():
    """Else the teeth of a smile would shine through the lips that are painted over them."""
    own = face_with_mouth()
    new = np.where(box(90, 100, 44, 84), np.uint8(MOUTH), own)
    photo, picture = np.random.default_rng(0).integers(0, 256, (2, S, S, 3)).astype(np.float32)
    result = compositing.match_colors(picture, photo, own, new, compositing.repaint_weights(own, new))
    np.testing.assert_array_equal(result[new == MOUTH], picture[new == MOUTH])
    assert (result[new == SKIN] != picture[new == SKIN]).any()


def test_values_are_carried_on_without_seams():
    known = np.zeros((32, 32), bool)
    known[:, 0] = known[:, -1] = True
    values = np.where(np.arange(32) < 16, 0, 1)[None, :, None] * np.ones((32, 1, 3), np.float32)
    result = compositing.extend(np.where(known[..., None], values, 9), known)
    np.testing.assert_array_equal(result[known], values[known])
    np.testing.assert_allclose(result[:, 4], 0, atol=0.02)
    steps = np.diff(result[..., 0], axis=1)
    assert steps.min() > -1e-6
    assert steps.max() < 0.2


def test_recolouring_keeps_strands():
    rng = np.random.default_rng(0)
    photo = (np.array([60, 40, 30]) + rng.normal(0, 12, (S, S, 1))).clip(0, 255).astype(np.uint8)
    own = np.zeros((S, S), np.uint8)
    own[20:100, 20:100] = HAIR
    weights = compositing.recolor_weights(own, own, [HAIR])[HAIR]
    means, target = np.tile(photo[own == HAIR].mean(0), (7, 1)), np.array([200, 160, 90])
    result = compositing.recolor(photo, {HAIR: weights}, means, np.tile(target, (7, 1)))
    np.testing.assert_array_equal(result[own != HAIR], photo[own != HAIR])
    inside = box(22, 98, 22, 98)
    np.testing.assert_allclose(result[inside].mean(0), target, atol=5)
    before, after = (oklab.from_srgb(x[inside])[:, 0] for x in (photo, result))
    assert after.std() / before.std() == pytest.approx(1, abs=0.25)
    assert np.corrcoef(before, after)[0, 1] > 0.99
    np.testing.assert_allclose(weights[60, 19:23], [0, 2 / 3, 1, 1], atol=1e-6)


def test_no_line_of_the_old_colour_stays_between_two_regions_that_are_recoloured():
    own = face_with_mouth()
    both, alone = compositing.recolor_weights(own, own, [SKIN, MOUTH]), compositing.recolor_weights(own, own, [SKIN])
    np.testing.assert_allclose(both[SKIN] + both[MOUTH], 1, atol=1e-6)
    np.testing.assert_allclose(alone[SKIN][85, 41:45], [1, 1, 2 / 3, 0], atol=1e-6)
