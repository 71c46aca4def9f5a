"""Colours as the eye orders them."""

import numpy as np
import pytest

from facegan.editor import oklab


def test_oklab_of_known_colours():
    """Values of CSS Color 4, where sRGB's colours are written in OKLab."""
    lab = oklab.from_srgb(np.array([(255, 255, 255), (255, 0, 0), (0, 0, 255), (0, 0, 0)]))
    expected = [(1, 0, 0), (0.62796, 0.22486, 0.12585), (0.45201, -0.03246, -0.31153), (0, 0, 0)]
    np.testing.assert_allclose(lab, expected, atol=2e-4)


def test_there_and_back_is_the_same_colour():
    colors = np.random.default_rng(0).integers(0, 256, (1000, 3))
    np.testing.assert_allclose(oklab.to_srgb(oklab.from_srgb(colors)), colors, atol=0.1)


def test_a_colour_that_srgb_lacks_keeps_its_lightness_and_hue():
    lab = np.array([(0.5, 0.3, 0.2), (0.9, -0.3, 0.1), (1.2, 0.1, 0.1), (-0.1, 0.1, 0.1)], np.float32)
    back = oklab.from_srgb(oklab.to_srgb(lab))
    np.testing.assert_allclose(back[:2, 0], lab[:2, 0], atol=0.06)
    assert (np.linalg.norm(back[:2, 1:], axis=1) < np.linalg.norm(lab[:2, 1:], axis=1)).all()
    np.testing.assert_allclose(oklab.to_srgb(lab)[2:], [(255, 255, 255), (0, 0, 0)], atol=0.01)


@pytest.mark.parametrize("target", [(30, 20, 15), (200, 160, 90), (20, 60, 200), (235, 230, 220)])
@pytest.mark.parametrize("mean", [(60, 45, 35), (190, 150, 100)])
def test_a_shift_moves_the_mean_to_the_target_and_keeps_order_and_contrast(mean, target):
    light = np.linspace(-25, 25, 101)[:, None]
    colors = np.array(mean) + light
    shifted = oklab.shift(colors, np.array(mean), np.array(target))
    np.testing.assert_allclose(shifted[50], target, atol=1)
    np.testing.assert_allclose(shifted.mean(0), target, atol=8)
    lightness, before = oklab.from_srgb(shifted)[:, 0], oklab.from_srgb(colors)[:, 0]
    assert (np.diff(lightness) > 0).all()
    assert 0.4 < lightness.std() / before.std() < 1.2


def test_a_shift_to_the_present_mean_changes_nothing():
    colors, mean = np.random.default_rng(0).integers(0, 256, (500, 3)), np.array([120, 80, 60])
    np.testing.assert_allclose(oklab.shift(colors, mean, mean), colors, atol=0.1)


def test_shadows_of_a_coloured_region_do_not_glow():
    """The shadows of red hair that turns grey are grey, not cyan."""
    shadow = oklab.shift(np.array([(50, 15, 8)]), np.array([190, 60, 30]), np.array([120, 120, 120]))
    assert np.ptp(shadow) < 25


@pytest.mark.parametrize("target", [(0, 0, 0), (255, 255, 255)])
def test_black_and_white_are_targets_too(target):
    colors = np.random.default_rng(0).integers(0, 256, (500, 3))
    shifted = oklab.shift(colors, colors.mean(0), np.array(target))
    assert np.isfinite(shifted).all()
    assert abs(shifted.mean() - target[0]) < 80
