"""From the canvas to a photograph: light, backdrop, exposure, noise."""

import cv2
import numpy as np

from facegan.drawing.canvas import Canvas
from facegan.drawing.person import Shot
from facegan.drawing.surface import SIZE, cut, random_noise


def develop(canvas: Canvas, shot: Shot, backdrop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light the canvas and take the photograph: (512, 512, 3) uint8 display RGB."""
    x, y = canvas.slope
    inverse = 1 / np.sqrt(1 + x * x + y * y)
    light = shot.light.astype(np.float32)
    facing = (x * light[0] + y * light[1] + light[2]) * inverse
    key = np.clip((facing + 0.25) / 1.25, 0, None)
    deep = np.clip((facing + 0.55) / 1.55, 0, None)  # of red light, which wanders further under the skin
    fill_light = np.clip((-x * light[0] - np.float32(0.3) * y + 1) * inverse * np.float32(0.8), 0, 1)
    half = light + np.float32([0, 0, 1])
    half /= np.linalg.norm(half)
    shine = np.clip((x * half[0] + y * half[1] + half[2]) * inverse, 0, None) ** 2
    for _ in range(4):
        shine *= shine
    shine *= canvas.gloss * canvas.shade
    sun = np.float32([1 + 0.06 * shot.warmth, 1.0, 1 - 0.09 * shot.warmth]) * shot.exposure
    sky = np.float32([1 - 0.05 * shot.warmth, 1.0, 1 + 0.07 * shot.warmth]) * 0.22 * shot.exposure
    image = np.empty((3, SIZE, SIZE), np.float32)
    for c, red in enumerate((1.0, 0.25, 0.0)):
        direct = key + (red * canvas.skin) * (deep - key)
        bounce = canvas.shade if c else canvas.shade + 0.2 * canvas.skin * (1 - canvas.shade)
        image[c] = canvas.colour[c] * bounce * (direct * sun[c] + fill_light * sky[c]) + shine * sun[c]
    for patch, level in canvas.glints:
        cut(image, patch.box)[:] += patch.alpha * level
    image = cv2.merge([b + canvas.solid * (c - b) for b, c in zip(cv2.split(backdrop), image, strict=True)])
    return expose(image, shot, rng)


def expose(image: np.ndarray, shot: Shot, rng: np.random.Generator) -> np.ndarray:
    """Linear light to display: a soft shoulder for the highlights, a touch of lens blur, sensor noise."""
    image = np.maximum(image / (np.float32(0.92) + np.float32(0.2) * image), 0)
    image = cv2.GaussianBlur(cv2.sqrt(image), (0, 0), 0.6)
    for c in range(3):
        image[..., c] += np.float32(shot.grain) * random_noise(rng, 0.7)
    return cv2.convertScaleAbs(np.maximum(image, 0), alpha=255)


def paint_backdrop(shot: Shot, rng: np.random.Generator) -> np.ndarray:
    """(512, 512, 3) linear RGB: a gradient between four corners and discs of light far out of focus."""
    small = 128
    picture = cv2.resize(shot.backdrop.reshape(2, 2, 3), (small, small), interpolation=cv2.INTER_LINEAR)
    for _ in range(shot.bokeh):
        disc = np.zeros((small, small), np.float32)
        centre = tuple(int(c) for c in rng.integers(0, small, 2))
        cv2.circle(disc, centre, int(rng.integers(4, 17)), 1.0, -1, cv2.LINE_AA)
        glow = shot.backdrop[rng.integers(4)] * rng.uniform(0.3, 2.2) + rng.uniform(0, 0.12)
        picture += disc[..., None] * rng.uniform(0.15, 0.6) * (glow - picture)
    picture = cv2.GaussianBlur(picture, (0, 0), 1.2 + 3 * rng.uniform())
    return cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
