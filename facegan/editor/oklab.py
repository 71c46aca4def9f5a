"""Colours as the eye orders them: a shift of colour that keeps light and texture.

OKLab is Björn Ottosson's: "A perceptual color space for image processing", 2020,
https://bottosson.github.io/posts/oklab. L is lightness, 0 black to 1 white; a (green to red) and b (blue to yellow) are
0 for greys and within some 0.3 of it in sRGB. Equal steps look equally large.
"""

import cv2
import numpy as np

LMS = np.array(
    [
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    ],
    np.float32,
).T
"""linear sRGB @ LMS: how strongly the three cones of the eye answer"""
LAB = np.array(
    [
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    ],
    np.float32,
).T
"""cube roots of cone responses @ LAB: L, a, b"""
TO_CONES, TO_LINEAR = np.linalg.inv(LAB), np.linalg.inv(LMS)


def from_srgb(colors: np.ndarray) -> np.ndarray:
    """(N, 3) sRGB in 0..255, uint8 or float -> (N, 3) float32 OKLab."""
    linear = LINEAR[colors] if colors.dtype == np.uint8 else linear_light(colors)
    return power(linear @ LMS, 1 / 3) @ LAB


def linear_light(colors: np.ndarray) -> np.ndarray:
    """sRGB in 0..255 -> linear light in 0..1, float32 (IEC 61966-2-1)."""
    x = colors.astype(np.float32) / 255
    return np.where(x <= 0.04045, x / 12.92, power((x + 0.055) / 1.055, 2.4))


def to_srgb(lab: np.ndarray) -> np.ndarray:
    """(N, 3) OKLab -> (N, 3) float32 sRGB in 0..255. A colour that sRGB lacks is mixed with the grey of its lightness
    until it is one that sRGB has: light stays, strength of colour gives way."""
    grey = cube(np.clip(lab[:, :1], 0, 1))
    linear = cube(lab @ TO_CONES) @ TO_LINEAR
    distance = linear - grey
    room = np.where(distance > 0, 1 - grey, grey) / np.maximum(np.abs(distance), 1e-6)
    share = np.minimum(np.minimum(room[:, 0], room[:, 1]), room[:, 2])  # ten times as fast as min(1)
    linear = grey + distance * np.minimum(share, 1)[:, None]
    x = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * power(linear, 1 / 2.4) - 0.055)
    return np.clip(x, 0, 1) * 255


def power(x: np.ndarray, exponent: float) -> np.ndarray:
    """x ** exponent of (N, 3) float32, 0 for negative x; OpenCV's is several times as fast as NumPy's."""
    return cv2.pow(np.maximum(x, 0), exponent) if x.size else x


def cube(x: np.ndarray) -> np.ndarray:
    return x * x * x  # 30 times as fast as x**3


LINEAR = linear_light(np.arange(256)[:, None])[:, 0]
"""linear light of the 256 values of a uint8"""


def shift(colors: np.ndarray, mean: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Colours around a mean, as they are around a target: (N, 3), (3,), (3,) in 0..255 -> (N, 3) float32 in 0..255.

    Differences of lightness stay as they are, except that between the target and white, or black, there must be room
    for all that lay between the mean and white, or black: see `contrast`. The colour's shift is less in shadows, as
    light of any strength scales L, a and b alike; otherwise black strands would glow.
    """
    lab = from_srgb(colors)
    old, new = from_srgb(np.stack([mean, target]))
    lightness = new[0] + contrast(lab[:, 0] - old[0], old[0], new[0])
    share = np.clip(lightness / max(new[0], 1e-3), 0, 1)[:, None]
    return to_srgb(np.concatenate([lightness[:, None], lab[:, 1:] + share * (new[1:] - old[1:])], 1))


def contrast(difference: np.ndarray, old: float, new: float) -> np.ndarray:
    """Differences (N,) from lightness old, as differences from lightness new.

    d / (1 + d (1 / new_room - 1 / old_room)), where room is what lies between a lightness and white (for d < 0, black):
    d itself near 0, and all of the old room fits into the new one. Where the new room is the larger one: d.
    """
    up, down = np.maximum(difference, 0), np.maximum(-difference, 0)
    return compressed(up, 1 - old, 1 - new) - compressed(down, old, new)


def compressed(difference: np.ndarray, old_room: float, new_room: float) -> np.ndarray:
    squeeze = max(0.0, 1 / max(new_room, 1e-3) - 1 / max(old_room, 1e-3))
    return difference / (1 + difference * squeeze)
