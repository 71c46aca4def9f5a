"""How good is a picture: the maths of evaluate.py, one small function a score.

B, N pictures of S x S pixels are uint8 (B, S, S, 3) RGB unless said otherwise; masks are (B, S, S, 7) of 0/1; what is
returned for each face is (B,) float. A score that a face does not have is NaN, and means leave it out.
"""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from facegan.regions import REGIONS

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the five scales, finest first (Wang et al., 2003)."""

SSIM_WINDOW = 11
PSNR_LIMIT = 100.0
"""dB of equal pictures, whose PSNR is infinite and would drown every mean."""

PERIODS = (2, 4, 8)
"""Pixels: what one, two and three doublings of the resolution leave behind."""

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


# --- pixels -----------------------------------------------------------------------------------------------------------


def black_background(pictures: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The pictures, black where no region is."""
    return pictures * masks.any(-1, keepdims=True).astype(np.uint8)


def mean_inside(difference: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Mean of (B, S, S) over the pixels where (B, S, S) bool is true; NaN if no pixel qualifies."""
    pixels = where.sum((1, 2))
    return np.where(pixels, (difference * where).sum((1, 2)) / np.maximum(pixels, 1), np.nan)


def l1(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Mean absolute difference in 0..1, over three channels, of the pixels where (B, S, S) bool is true."""
    return mean_inside(np.abs(a.astype(np.float32) - b).mean(-1) / 255, where)


def psnr(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> np.ndarray:
    """10 log10(255^2 / mean squared difference) in dB over the pixels where (B, S, S) bool is true, up to 100 dB."""
    error = mean_inside(((a.astype(np.float32) - b) ** 2).mean(-1) / 255**2, where)
    return -10 * np.log10(np.maximum(error, 10 ** (-PSNR_LIMIT / 10)))


def to_float(pictures: np.ndarray) -> tf.Tensor:
    """0..255 uint8 -> 0..1 float32."""
    return tf.constant(pictures, tf.float32) / 255


def ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Structural similarity (Wang et al., 2004), -1..1: 11 x 11 Gaussian window of sigma 1.5, mean of channels."""
    return tf.image.ssim(to_float(a), to_float(b), max_val=1.0, filter_size=SSIM_WINDOW).numpy()


def ms_ssim_weights(size: int) -> list[float]:
    """The weights of as many of the five scales as leave room for the window, made to add up to 1: all five from 176
    pixels on, four at 128, three at 64."""
    weights = [weight for i, weight in enumerate(MS_SSIM_WEIGHTS) if size >> i >= SSIM_WINDOW]
    return [weight / sum(weights) for weight in weights]


def ms_ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multi-scale structural similarity (Wang et al., 2003), 0..1, with ms_ssim_weights()."""
    weights = ms_ssim_weights(a.shape[1])
    return tf.image.ssim_multiscale(to_float(a), to_float(b), 1.0, weights, filter_size=SSIM_WINDOW).numpy()


# --- colours and maps -------------------------------------------------------------------------------------------------


def color_difference(pictures: np.ndarray, masks: np.ndarray, colors: np.ndarray, has_color: np.ndarray) -> np.ndarray:
    """Mean absolute difference, 0..255, between the mean colour of each region in the picture and colors (B, 7, 3).

    has_color: (B, 7) bool, the regions that have a colour; those without a pixel in masks are left out, too.
    """
    inside = masks.reshape(len(masks), -1, len(REGIONS)).astype(np.float64)
    pixels = inside.sum(1)  # (B, 7)
    sums = np.einsum("bpr,bpc->brc", inside, pictures.reshape(len(pictures), -1, 3).astype(np.float64))
    difference = np.abs(sums / np.maximum(pixels, 1)[..., None] - colors).mean(-1)  # (B, 7)
    counts = has_color & (pixels > 0)
    return np.where(counts.any(1), (difference * counts).sum(1) / np.maximum(counts.sum(1), 1), np.nan)


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pixels of each region's intersection and union: two region maps (B, S, S) of 0..7 -> (B, 7, 2) int."""
    regions = np.arange(1, len(REGIONS) + 1)
    in_a, in_b = a[..., None] == regions, b[..., None] == regions  # (B, S, S, 7)
    return np.stack([(in_a & in_b).sum((1, 2)), (in_a | in_b).sum((1, 2))], -1)


def mean_iou(counts: np.ndarray) -> float:
    """Mean over the seven regions of the IoU of a whole set, from its (N, 7, 2) overlaps: intersections and unions are
    added up first, so that a region counts by its pixels. Regions without a pixel are left out."""
    intersection, union = counts.sum(0).T
    return float(np.mean(intersection[union > 0] / union[union > 0])) if union.any() else math.nan


def face_iou(counts: np.ndarray) -> np.ndarray:
    """The same for each face alone: (B, 7, 2) overlaps -> (B,), mean over the regions that either map has."""
    intersection, union = np.moveaxis(counts, -1, 0)
    regions = (union > 0).sum(1)
    return np.where(regions, (intersection / np.maximum(union, 1)).sum(1) / np.maximum(regions, 1), np.nan)


# --- checkerboard -----------------------------------------------------------------------------------------------------


def lattice(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The frequencies of every pattern that repeats itself after 8 pixels along both axes: the multiples of S/8.

    Returns (63, 2) int, row and column in the spectrum, without the constant; and (63,) int, the smallest of the
    PERIODS after which that wave repeats itself along both axes.
    """
    a = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), -1).reshape(-1, 2)[1:]
    period = np.where((a % 4 == 0).all(1), 2, np.where((a % 2 == 0).all(1), 4, 8))
    return a * (size // 8), period


def peaks(pictures: np.ndarray) -> np.ndarray:
    """Energy of each picture at the 63 lattice frequencies, and around them: (B, 63, 2).

    The power spectrum of the luminance under a Hann window. A pure wave fills the 3 x 3 frequencies around its own
    under that window: their mean is the peak. The other 40 of the 7 x 7 around it are its surroundings.
    """
    size = pictures.shape[1]
    window = np.outer(*[np.hanning(size + 1)[:-1]] * 2)  # the periodic form, whose leakage ends after one frequency
    luminance = pictures @ LUMINANCE / 255
    power = np.abs(np.fft.fft2((luminance - luminance.mean((1, 2), keepdims=True)) * window)) ** 2
    points, _ = lattice(size)
    offsets = np.arange(-3, 4)
    rows, columns = ((points[:, i, None] + offsets) % size for i in (0, 1))  # (63, 7) each
    near = power[:, rows[:, :, None], columns[:, None, :]]  # (B, 63, 7, 7)
    peak = near[:, :, 2:5, 2:5].mean((2, 3))
    around = (near.sum((2, 3)) - 9 * peak) / 40
    return np.stack([peak, around], -1)


def checkerboard(result: np.ndarray, real: np.ndarray, normalised: bool = True) -> dict[int, float]:
    """Energy at the upsampling frequencies over that of real photographs, for each of the PERIODS; 1: like them.

    result, real: peaks() of either set, (N, 63, 2), averaged over the faces first. Normalised: each peak is divided by
    its surroundings, so that blur, which lowers both, neither hides a checkerboard nor passes for one, and a noisy
    picture is not taken for one. Otherwise the plain ratio of energies, which also tells blur (below 1) from noise.
    Every frequency counts the same, though low ones have more energy.
    """
    _, period = lattice(8)
    a, b = result.mean(0), real.mean(0)  # (63, 2)
    if normalised:
        a, b = (x[:, 0] / np.maximum(x[:, 1], 1e-12) for x in (a, b))
        return {p: float(a[period == p].mean() / b[period == p].mean()) for p in PERIODS}
    ratio = a[:, 0] / np.maximum(b[:, 0], 1e-12)
    return {p: float(np.exp(np.log(np.maximum(ratio[period == p], 1e-12)).mean())) for p in PERIODS}


# --- persons and sets -------------------------------------------------------------------------------------------------


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean distances of every row of a (N, D) to every row of b (M, D): (N, M)."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))


def retrieval(ids: np.ndarray, photo_ids: np.ndarray) -> np.ndarray:
    """1 where the photograph nearest to result i is photograph i, else 0: two (N, D) -> (N,) float."""
    return (distances(ids, photo_ids).argmin(1) == np.arange(len(ids))).astype(float)


def cosine_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 - cosine of the angle between rows: two (B, D) -> (B,) in 0..2."""
    return 1 - (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """FID between two sets of features (N, D), (M, D): |mean - mean|^2 + tr(A + B - 2 (A B)^1/2) of the covariances.

    The trace of the root is the sum of the singular values of the product of the centred features, which is
    min(N, D) x min(M, D): for sets smaller than D thousands of times as fast as the root itself.
    """
    (mean_a, a), (mean_b, b) = ((x.mean(0), (x - x.mean(0)) / math.sqrt(len(x) - 1)) for x in (a, b))
    traces = (a**2).sum() + (b**2).sum()
    a, b = (np.linalg.qr(x, "r") if len(x) > x.shape[1] else x for x in (a, b))
    return float(((mean_a - mean_b) ** 2).sum() + traces - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum())


def kernel_distances(a: np.ndarray, b: np.ndarray, rounds: int, seed: int) -> np.ndarray:
    """KID's squared distance of two equally large sets of features, (N, D) each, without bias, for `rounds` bootstraps
    that draw the same faces from both: (rounds,).

    Binkowski et al., ICLR 2018: kernel (x . y / D + 1)^3. Drawing with replacement repeats faces; a face and its
    repetition are left out like a face and itself.
    """
    aa, bb, ab = ((x @ y.T / a.shape[1] + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    inside = aa + bb
    np.fill_diagonal(inside, 0)

    def distance(places):
        count = np.bincount(places, minlength=len(a)).astype(float)
        pairs = count.sum() ** 2 - (count**2).sum()
        return count @ inside @ count / pairs - 2 * count @ ab @ count / count.sum() ** 2

    return bootstrap(distance, len(a), rounds, seed)


def bootstrap(statistic: Callable[[np.ndarray], float], faces: int, rounds: int, seed: int) -> np.ndarray:
    """statistic(indices) of `rounds` sets of as many faces drawn with replacement (Efron, 1979): (rounds,)."""
    rng = np.random.default_rng(seed)
    return np.array([statistic(rng.integers(0, faces, faces)) for _ in range(rounds)])


def interval(samples: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of the samples that are numbers."""
    samples = samples[np.isfinite(samples)]
    return tuple(np.percentile(samples, [2.5, 97.5]).tolist()) if len(samples) else (math.nan, math.nan)
