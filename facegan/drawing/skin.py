"""The skin of the face: its colour, blush, hollows, lines, spots and beard."""

import functools

import cv2
import numpy as np

from facegan.drawing.canvas import Canvas
from facegan.drawing.head import face_slopes, head_outline
from facegan.drawing.person import Person, Shot
from facegan.drawing.shapes import Patch, Pose, fill, mirror, on_side, ribbon, spline, spot, stroke
from facegan.drawing.surface import SIZE, cut, noise, planes, random_noise


def skin_colour(p: Person, rng: np.random.Generator) -> np.ndarray:
    """(3, 512, 512) linear RGB: the person's tone with pores and blotches."""
    grain = 1 + 0.02 * random_noise(rng, 9.0) + 0.012 * random_noise(rng, 2.0) + 0.008 * random_noise(rng, 0.7)
    return grain * planes(p.tone)


def paint_skin(canvas: Canvas, p: Person, s: Shot, pose: Pose, flesh: np.ndarray, rng: np.random.Generator) -> None:
    """The face without its features: the skin under them is there too."""
    patch = fill(pose.place(spline(head_outline(p))), 0.8)
    slope = face_slopes(p, s, pose) + 0.02 * np.stack([random_noise(rng, 1.2), random_noise(rng, 1.2)])
    canvas.paint("skin", patch, cut(flesh, patch.box), cut(slope, patch.box), 0.16 - 0.04 * p.soft, skin=1.0)
    redden(canvas, p, s, pose)
    shade_hollows(canvas, p, s, pose)
    paint_lines(canvas, p, s, pose)
    paint_spots(canvas, p, pose)
    if p.beard or p.stubble:
        paint_beard(canvas, p, s, pose)


def redden(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Blood under the skin: cheeks, nose tip, chin, lids; a little yellow on the forehead."""
    b = 0.5 + 0.5 * p.blush + 0.4 * s.makeup
    rosy = np.array([1.03, 0.80, 0.82])
    for u, v, w, h, soft, amount in (
        (0.57 * p.half_width, 62, 24, 17, 16, 0.9),
        (0, p.nose_length - 12, p.nose_width * 0.6, 10, 8, 0.8),
        (0, p.chin - 25, 20, 10, 10, 0.4),
        (p.eye_x, 6, 30, 14, 8, 0.55),
    ):
        for side in (1, -1) if u else (1,):
            canvas.tint(spot(pose, (side * u, v), (w, h), soft), 1 + b * amount * (rosy - 1))
    canvas.tint(spot(pose, (0, -95), (70, 30), 20), (1.02, 1.01, 0.96))


def shade_hollows(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Where little sky reaches: eye sockets, beside and under the nose, under the lower lip, the jaw's edge."""
    for side in (1, -1):
        canvas.darken(spot(pose, (side * (p.eye_x - 6), -11), (27, 8), 7), 0.30)
        canvas.darken(spot(pose, (side * p.eye_x * 0.42, -2), (6, 16), 6), 0.22)
        canvas.darken(spot(pose, (side * (p.eye_x - 4), 19), (20, 4), 5), 0.06 + 0.12 * p.age)
    canvas.darken(spot(pose, (0, p.nose_length + 6), (p.nose_width * 0.9, 5), 5), 0.38)
    canvas.darken(spot(pose, (0, p.mouth_y + 27 + s.lip_gap), (20, 5), 5), 0.20)
    rim = spline(head_outline(p))
    low = rim[rim[:, 1] > 60]
    canvas.darken(fill(pose.place(ribbon(low[np.argsort(low[:, 0])], 10)), 7), 0.22)


def paint_lines(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Smile folds, and the wrinkles of age on the forehead and at the eyes."""
    smile, age = max(s.smile, 0), p.age
    for side in (1, -1):
        wing, corner = 0.95 * p.nose_width, p.mouth_width * (1 + 0.15 * smile)
        fold = [(wing, p.nose_length - 10), (wing + 17, p.nose_length + 14), (corner + 11, p.mouth_y - 17)]
        fold.append((corner + 14, p.mouth_y - 4))
        crease(canvas, pose, on_side(fold, side), (1, 5, 1), 2.5, 0.06 + 0.26 * smile + 0.2 * age**2)
        bag = [(p.eye_x - 24, 14), (p.eye_x, 21), (p.eye_x + 24, 15)]
        crease(canvas, pose, on_side(bag, side), (0.5, 3, 0.5), 1.8, 0.10 + 0.25 * age**2 + 0.10 * smile)
        for i in range(3 if age > 0.55 else 0):
            out = p.eye_x + p.eye_width / 2 + 7
            foot = [(out, 1 + 5 * i), (out + 9, -3 + 8 * i), (out + 19, -6 + 12 * i)]
            crease(canvas, pose, on_side(foot, side), (0.5, 2, 0.3), 1.2, 0.4 * (age - 0.4))
    for i in range(3 if age > 0.5 else 0):
        v = p.brow_y - 26 - 17 * i
        brow = [(-62, v + 3), (-30, v - 2), (0, v + 2), (30, v - 2), (62, v + 3)]
        crease(canvas, pose, brow, (0.4, 2.6, 0.4), 1.6, 0.35 * (age - 0.3))


def crease(canvas: Canvas, pose: Pose, points, widths, soft: float, strength: float) -> None:
    """A fold in the skin: dark and a little red."""
    canvas.tint(stroke(pose, points, widths, soft), 1 - strength * np.array([0.55, 0.8, 0.85]))


def paint_spots(canvas: Canvas, p: Person, pose: Pose) -> None:
    """Moles, which belong to the person, and freckles."""
    for u, v in p.moles:
        canvas.tint(spot(pose, (u, v), (1.7, 1.6), 0.8), (0.55, 0.42, 0.38))
    if p.freckles:
        own = np.random.default_rng(p.marks)
        brown = 1 - p.freckles * np.array([0.22, 0.34, 0.4])
        for u, v in own.normal((0, 42), (46, 22), (70, 2)):
            radius = own.uniform(0.8, 1.8)
            canvas.tint(spot(pose, (u, v), (radius, radius), 0.6), brown)


@functools.cache
def beard_grain() -> np.ndarray:
    """(512, 512) noise of short upright strokes."""
    return cv2.GaussianBlur(noise(0.0)[:SIZE, :SIZE], (0, 0), sigmaX=0.5, sigmaY=1.6)


def paint_beard(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Stubble or a beard: short strokes along the jaw, round the mouth and over the lip. It counts as skin."""
    a, m, chin = p.half_width, p.mouth_y, p.chin
    half = [(0, m - 22), (34, m - 26), (52, m - 6), (64, m + 14), (0.72 * a, m - 30), (0.9 * a, 50), (0.965 * a, 45)]
    half += [(0.88 * a * p.jaw, 108), (0.74 * a * p.jaw, 157), (p.chin_width + 0.14 * a, chin - 32), (0, chin + 2)]
    area = fill(pose.place(spline(mirror(half))), 5.0)
    lip = spot(pose, (0, m + 4 + s.lip_gap / 2), (p.mouth_width * 0.95, 11 + s.lip_gap / 2), 4)
    area.alpha *= 1 - 0.9 * lip.whole()[area.box]
    hairs = np.clip(0.6 + 0.9 * beard_grain()[area.box], 0, 1)
    shadow = p.tone * np.float32([0.55, 0.57, 0.62]) + 0.25 * p.hair
    under, over = (0.75 * p.beard, p.beard) if p.beard else (0.4 * p.stubble, 0.3 * p.stubble)
    canvas.paint("skin", Patch(area.alpha * under, area.box), shadow, gloss=0.02, skin=0.8)
    canvas.paint("skin", Patch(area.alpha * hairs * over, area.box), 0.8 * p.hair, gloss=0.05, skin=0.3)
