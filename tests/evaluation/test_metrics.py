"""facegan/evaluation/metrics.py: every score against a value worked out by hand, or the library that sets it."""

import importlib.util
import math

import cv2
import numpy as np
import pytest

from facegan.evaluation import metrics

RNG = np.random.default_rng(0)


def flat(value: int, n: int = 1, size: int = 16) -> np.ndarray:
    """(N, S, S, 3) uint8 of one grey."""
    return np.full((n, size, size, 3), value, np.uint8)


def texture(n: int, size: int, seed: int = 0) -> np.ndarray:
    """N pictures whose energy falls with the square of the frequency, as that of photographs does."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)) + 1 / size
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(n, size, size))) / frequency, s=(size, size))
    noise = noise / noise.std() * 40 + 128
    return np.clip(noise, 0, 255).round().astype(np.uint8)[..., None].repeat(3, -1)


def everywhere(pictures: np.ndarray) -> np.ndarray:
    return np.ones(pictures.shape[:3], bool)


# --- pixels -----------------------------------------------------------------------------------------------------------


def test_the_background_is_where_no_region_is():
    masks = np.zeros((1, 2, 2, 7), np.uint8)
    masks[0, 0, 1, 6] = 1
    found = metrics.black_background(flat(9, size=2), masks)
    assert found[0, ..., 0].tolist() == [[0, 9], [0, 0]]
    assert found.dtype == np.uint8


def test_l1_and_psnr_by_hand():
    a, b, where = flat(10, 2), flat(10, 2), np.zeros((2, 16, 16), bool)
    where[:, 0, :2] = True  # two pixels count
    b[0, 0, 0] = (10, 40, 10)  # 30 of 255 in one of six numbers
    b[:, 5] = 255  # outside
    assert metrics.l1(a, b, where) == pytest.approx([5 / 255, 0])
    assert metrics.psnr(a, b, where) == pytest.approx([10 * math.log10(255**2 / 150), 100], rel=1e-6)


def test_a_score_without_a_pixel_is_no_number():
    nowhere = np.zeros((1, 16, 16), bool)
    assert np.isnan(metrics.l1(flat(0), flat(9), nowhere)).all()
    assert np.isnan(metrics.psnr(flat(0), flat(9), nowhere)).all()


def test_ssim_by_hand():
    """Two flat greys have no structure: (2ab + c) / (a^2 + b^2 + c) with c = 0.01^2."""
    a, b = 51 / 255, 102 / 255
    expected = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    assert metrics.ssim(flat(51), flat(102)) == pytest.approx([expected], abs=1e-5)
    pictures = texture(2, 64)
    assert metrics.ssim(pictures, pictures) == pytest.approx([1, 1])
    assert metrics.ms_ssim(pictures, pictures) == pytest.approx([1, 1])


@pytest.mark.parametrize(("size", "scales"), [(512, 5), (256, 5), (176, 5), (128, 4), (64, 3)])
def test_ms_ssim_takes_the_scales_that_hold_its_window(size, scales):
    weights = metrics.ms_ssim_weights(size)
    assert len(weights) == scales
    assert sum(weights) == pytest.approx(1, abs=1e-3)
    assert weights[1] / weights[0] == pytest.approx(0.2856 / 0.0448)
    assert size >> (scales - 1) >= 11


def test_ms_ssim_by_hand():
    """Flat greys: only the coarsest scale sees the difference in brightness."""
    expected = metrics.ssim(flat(51, size=64), flat(102, size=64)) ** metrics.ms_ssim_weights(64)[-1]
    assert metrics.ms_ssim(flat(51, size=64), flat(102, size=64)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.skipif(not importlib.util.find_spec("torchmetrics"), reason="torchmetrics (requirements-eval.txt)")
@pytest.mark.parametrize("size", [64, 256])
def test_ms_ssim_is_the_library_s(size):
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as library

    a = texture(2, size)
    blurred = np.stack([cv2.GaussianBlur(picture, (0, 0), 1) for picture in a])
    b = np.clip(0.8 * blurred + RNG.normal(0, 10, a.shape), 0, 255).astype(np.uint8)
    x, y = (torch.from_numpy(x / 255).permute(0, 3, 1, 2) for x in (a, b))
    betas = tuple(metrics.ms_ssim_weights(size))
    for i in range(2):
        expected = float(library(x[i : i + 1], y[i : i + 1], data_range=1.0, betas=betas, normalize=None))
        assert metrics.ms_ssim(a, b)[i] == pytest.approx(expected, abs=2e-3)


def test_more_noise_is_a_worse_picture():
    pictures = texture(1, 64)
    noisy = [np.clip(pictures + RNG.normal(0, s, pictures.shape), 0, 255).astype(np.uint8) for s in (5, 20)]
    for measure in (metrics.ssim, metrics.ms_ssim, lambda a, b: metrics.psnr(a, b, everywhere(a))):
        little, much = (measure(pictures, other)[0] for other in noisy)
        assert measure(pictures, pictures)[0] > little > much


# --- colours and maps -------------------------------------------------------------------------------------------------


def test_colour_difference_by_hand():
    """Skin is 10 brighter than asked for, hair 4 darker in one channel; the other regions are not in both maps."""
    masks, colors = np.zeros((2, 4, 4, 7), np.uint8), np.zeros((2, 7, 3))
    masks[:, :2, :, 0] = masks[:, 2, :, 3] = masks[:, 3, :, 5] = 1
    colors[:, 0], colors[:, 3], colors[:, 5], colors[:, 4] = 100, (50, 60, 70), 200, 7
    picture = np.zeros((2, 4, 4, 3), np.uint8)
    picture[:, :2], picture[:, 2] = 110, (50, 56, 70)
    asked = np.zeros((2, 7), bool)
    asked[0, [0, 3, 4]] = True  # no clothes; a nose, which the map has not
    found = metrics.color_difference(picture, masks, colors, asked)
    assert found[0] == pytest.approx((10 + 4 / 3) / 2)
    assert np.isnan(found[1])


def test_iou_by_hand():
    asked = np.array([[[1, 1, 2, 2], [0, 0, 2, 2]]])
    found = np.array([[[1, 2, 2, 2], [0, 3, 2, 0]]])
    counts = metrics.overlaps(found, asked)
    assert counts[0].tolist() == [[1, 2], [3, 5], [0, 1], *[[0, 0]] * 4]
    assert metrics.face_iou(counts) == pytest.approx([(1 / 2 + 3 / 5 + 0) / 3])
    assert metrics.mean_iou(counts) == pytest.approx((1 / 2 + 3 / 5 + 0) / 3)
    perfect = metrics.overlaps(asked, asked)
    both = np.concatenate([counts, perfect])  # region 1: 3 of 4 pixels, region 2: 7 of 9, region 3: 0 of 1
    assert metrics.mean_iou(both) == pytest.approx((3 / 4 + 7 / 9 + 0) / 3)
    assert metrics.face_iou(both) == pytest.approx([11 / 30, 1])
    empty = np.zeros((1, 7, 2), int)
    assert math.isnan(metrics.mean_iou(empty))
    assert np.isnan(metrics.face_iou(empty)).all()


# --- checkerboard -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("period", metrics.PERIODS)
def test_a_checkerboard_shows_at_its_period(size, period):
    pictures = texture(6, size)
    tile = np.random.default_rng(period).integers(0, 5 * period, (period, period))  # stronger, as photographs are there
    pattern = np.tile(tile, (size // period, size // period))
    painted = np.clip(pictures.astype(int) + pattern[..., None], 0, 255).astype(np.uint8)
    found = metrics.checkerboard(metrics.peaks(painted), metrics.peaks(pictures))
    assert found[period] > 2
    assert all(value == pytest.approx(1, abs=0.15) for p, value in found.items() if p > period)


@pytest.mark.parametrize("sigma", [0.8, 1.5])
def test_blur_neither_passes_for_a_checkerboard_nor_hides_one(sigma):
    """A faint checkerboard on a picture: 3 of 255 on every second pixel."""
    pictures = texture(20, 128)
    real = metrics.peaks(pictures)
    blurred = np.stack([cv2.GaussianBlur(picture, (0, 0), sigma) for picture in pictures])
    normalised = metrics.checkerboard(metrics.peaks(blurred), real)
    assert all(value == pytest.approx(1, abs=0.15) for value in normalised.values())
    energy = metrics.checkerboard(metrics.peaks(blurred), real, normalised=False)
    assert energy[2] < 0.3
    blurred[:, ::2, ::2] += 3
    assert metrics.checkerboard(metrics.peaks(blurred), real)[2] > 3


@pytest.mark.parametrize("size", [64, 128])
def test_a_pure_wave_fills_its_peak_and_nothing_else(size):
    """Under a Hann window a cosine of amplitude A has A^2 / 4 times the window's power spectrum, of which 1/4, 1/2, 1/4
    of its amplitude, times S / 2, along either axis: all of it within one frequency."""
    wave = 100 + 50 * np.cos(2 * np.pi * np.arange(size) / 8)  # period 8, along the rows
    picture = np.tile(wave[None, :, None], (size, 1, 3))[None]
    found = metrics.peaks(picture)[0]
    points, _ = metrics.lattice(size)
    (at,) = [i for i, point in enumerate(points.tolist()) if point == [0, size // 8]]
    line = np.array([0.25, 0.5, 0.25]) ** 2 * size**2
    expected = (50 / 255) ** 2 / 4 * np.outer(line, line).mean()
    assert found[at, 0] == pytest.approx(expected, rel=1e-6)
    assert found[at, 1] == pytest.approx(0, abs=1e-9 * expected)


def test_other_photographs_and_noise_have_no_checkerboard():
    real = metrics.peaks(texture(40, 128))
    other = texture(40, 128, seed=1)
    noisy = np.clip(other + RNG.normal(0, 8, other.shape), 0, 255).astype(np.uint8)
    for pictures in (other, noisy):
        found = metrics.checkerboard(metrics.peaks(pictures), real)
        assert np.mean(list(found.values())) == pytest.approx(1, abs=0.1)


def test_the_lattice_has_every_wave_of_period_8_once():
    points, period = metrics.lattice(64)
    assert len({tuple(point) for point in points.tolist()}) == 63
    assert (points % 8 == 0).all()
    assert [int((period == p).sum()) for p in metrics.PERIODS] == [3, 12, 48]


# --- persons and sets -------------------------------------------------------------------------------------------------


def test_distances_and_retrieval_by_hand():
    photos = np.array([[0.0, 0], [3, 4], [10, 0]])
    results = np.array([[0.0, 1], [9, 0], [10, 1]])  # the second looks like the third person
    assert metrics.distances(photos, photos)[0].tolist() == [0, 5, 10]
    assert metrics.retrieval(results, photos).tolist() == [1, 0, 1]
    assert metrics.cosine_distance(np.array([[1.0, 0], [2, 0]]), np.array([[0.0, 3], [5, 0]])).tolist() == [1, 0]


def test_frechet_distance_by_hand():
    """One number a picture: (mean - mean)^2 + (deviation - deviation)^2."""
    a, b = np.array([[1.0], [3.0]]), np.array([[5.0], [11.0]])
    assert metrics.frechet_distance(a, b) == pytest.approx((2 - 8) ** 2 + (math.sqrt(2) - math.sqrt(18)) ** 2)


@pytest.mark.parametrize("faces", [6, 40])
def test_equal_sets_have_fid_0_and_shifted_ones_more(faces):
    """Fewer pictures than numbers, and more."""
    a = RNG.normal(size=(faces, 16))
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet_distance(a, a[::-1] + 1) == pytest.approx(16)
    assert metrics.frechet_distance(a, a * 2) > 1


@pytest.mark.skipif(not importlib.util.find_spec("torchmetrics"), reason="torchmetrics (requirements-eval.txt)")
@pytest.mark.parametrize("faces", [6, 40])
def test_frechet_distance_is_the_library_s(faces):
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    from facegan.evaluation import judges

    a, b = RNG.normal(size=(faces, 16)), RNG.normal(0.3, 2, size=(faces + 3, 16))
    library = FrechetInceptionDistance(judges.as_features(16))
    library.update(torch.from_numpy(a), real=True)
    library.update(torch.from_numpy(b), real=False)
    assert metrics.frechet_distance(a, b) == pytest.approx(float(library.compute()), rel=1e-5)


# --- intervals --------------------------------------------------------------------------------------------------------


def test_the_bootstrap_covers_the_mean_as_often_as_it_says():
    rng, covered = np.random.default_rng(1), 0
    for trial in range(200):
        column = rng.normal(5, 2, 60)
        low, high = metrics.interval(metrics.bootstrap(lambda i, x=column: x[i].mean(), 60, 200, trial))
        covered += low < 5 < high
        assert (high - low) == pytest.approx(4 * 2 / math.sqrt(60), rel=0.5)
    assert 180 <= covered <= 198


def test_the_bootstrap_repeats_itself_and_forgets_what_is_no_number():
    column = np.array([1.0, 2.0, 3.0, 4.0])
    a, b, c = (metrics.bootstrap(lambda i: column[i].mean(), 4, 50, seed) for seed in (0, 0, 1))
    assert (a == b).all()
    assert not (a == c).all()
    assert metrics.interval(np.array([np.nan, 1, 1, 1])) == (1, 1)
    assert np.isnan(metrics.interval(np.array([np.nan]))).all()
