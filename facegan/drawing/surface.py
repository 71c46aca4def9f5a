"""Maps of the frame: noise, blur, and slopes, which say how a surface leans."""

import functools

import cv2
import numpy as np

SIZE = 512
"""Side of the frame, in pixels."""


@functools.cache
def noise(sigma: float) -> np.ndarray:
    """(1024, 1024) smooth noise, a 512-pixel tile repeated, mean 0, deviation 1. Always the same."""
    tile = np.random.default_rng(17).standard_normal((SIZE, SIZE)).astype(np.float32)
    if sigma > 0:
        pad = int(4 * sigma)
        tile = cv2.GaussianBlur(np.pad(tile, pad, mode="wrap"), (0, 0), sigma)[pad:-pad, pad:-pad]
    return np.tile((tile - tile.mean()) / tile.std(), (2, 2))


def random_noise(rng: np.random.Generator, sigma: float) -> np.ndarray:
    """(512, 512) cut from `noise(sigma)` at a random place; a view, not to be written to."""
    y, x = rng.integers(0, SIZE, 2)
    return noise(sigma)[y : y + SIZE, x : x + SIZE]


def blur(alpha: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; wide ones are done on a smaller picture, which looks the same and costs little."""
    if sigma <= 0:
        return alpha
    factor = 1 if sigma < 4 else 2 if sigma < 8 else 4
    h, w = alpha.shape[:2]
    if factor == 1 or min(h, w) < 4 * factor:
        return cv2.GaussianBlur(alpha, (0, 0), sigma)
    small = cv2.resize(alpha, (w // factor, h // factor), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor)
    return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)


def slopes(height: np.ndarray) -> np.ndarray:
    """(2, h, w) of -dz/dx, -dz/dy: the surface normal is (slope, 1), not yet of unit length."""
    return np.stack([-cv2.Sobel(height, cv2.CV_32F, *d, scale=1 / 8) for d in ((1, 0), (0, 1))])


def planes(values) -> np.ndarray:
    """(c,) numbers or (c, h, w) maps as float32 that broadcast over (c, h, w).

    Colours and slopes are kept one plane after the other: NumPy is several times faster on long inner rows.
    """
    values = np.asarray(values, np.float32)
    return values[:, None, None] if values.ndim == 1 else values


def cut(stack: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """The (c, h, w) part of a (c, 512, 512) stack that lies at the box."""
    return stack[:, box[0], box[1]]


def pillow(alpha: np.ndarray, radius: float, height: float) -> np.ndarray:
    """Slopes of a cushion over an area: flat inside, falling off within `radius` pixels of its edge."""
    return slopes(blur(alpha, radius) * height)
