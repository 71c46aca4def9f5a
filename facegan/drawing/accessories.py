"""Necklace, earrings, glasses and hat."""

import numpy as np

from facegan.drawing.canvas import Canvas
from facegan.drawing.head import skull
from facegan.drawing.person import Person, Shot, linear, random_colour
from facegan.drawing.shapes import Pose, clip, ellipse, fill, mirror, on_side, points_along, ribbon, spline, stroke
from facegan.drawing.surface import cut, pillow, planes, random_noise, slopes

# The right half of each piece from its top to its bottom: share of the head's width, what is added to it, and how far
# it lies below the brow line; then its shade and its swell.
HAT_EDGES = {
    "beanie": [((0, 0.7, 1, 1, 0.7, 0), (0, 0, 12, 12, 0, 0), (-36, -28, -14, 14, 12, 2), 0.85, 14)],
    "fedora": [
        ((0, 0.7, 1, 1, 0.7, 0), (0, 0, 13, 15, 0, 0), (-44, -38, -26, 0, -8, -12), 0.25, 6),
        ((0, 0.8, 1, 1, 1, 0.8, 0), (0, 0, 40, 76, 40, 0, 0), (-20, -15, -6, 4, 20, 16, 12), 1.0, 22),
    ],
    "cap": [((0, 0.6, 0.92, 0.88, 0.5, 0), 0, (-26, -20, 2, 16, 8, 5), 0.8, 20)],
}


def paint_necklace(canvas: Canvas, p: Person, s: Shot, pose: Pose, rng: np.random.Generator) -> None:
    """A chain with a pendant, beads or pearls, hanging in a curve round the neck."""
    n, drop = p.neck, 248 if s.necklace == "chain" else 240
    curve = [(-1.02 * n, 196), (-0.7 * n, 224), (0, drop), (0.7 * n, 224), (1.02 * n, 196)]
    if s.necklace == "chain":
        colour, radius, beads = random_metal(rng), 8.0, [(0, drop + 9)]
        patch = stroke(pose, curve, 4.0, 0.5)
        canvas.cast(patch, s, 4, 2, 0.5)
        canvas.paint("neck_l", patch, colour, pillow(patch.alpha, 1.2, 4), 1.2)
    else:
        pearls = s.necklace == "pearls"
        colour, radius = (linear((236, 228, 214)), 6.5) if pearls else (linear(random_colour(rng)), 8.0)
        beads = points_along(curve, round(1.34 * n / radius) + 1)
    for bead in beads:
        jewel(canvas, "neck_l", pose.place(bead), radius, colour)


def paint_earrings(canvas: Canvas, p: Person, s: Shot, pose: Pose, rng: np.random.Generator) -> None:
    """A pair, on the lobes that the turn of the head leaves in sight."""
    metal = random_metal(rng)
    stone = linear(random_colour(rng)) * 0.8 + 0.1
    for side in (-1, 1):
        if side * pose.yaw > 14:
            continue
        lobe = pose.place([side * (p.half_width + 3), 54 * p.ear])
        if s.earrings == "stud":
            jewel(canvas, "ear_r", lobe, 6.0, stone)
        elif s.earrings == "hoop":
            patch = fill(ribbon(ellipse(lobe + [side * 3, 26], (15, 23))[np.arange(41) % 40], 4.5), 0.5)
            canvas.paint("ear_r", patch, metal, pillow(patch.alpha, 1.5, 4), 1.2)
        else:
            for i, radius in enumerate((4.0, 5.5, 8.0)):
                jewel(canvas, "ear_r", lobe + [0, (0, 10, 25)[i]], radius, stone if i else metal)


def jewel(canvas: Canvas, part: str, centre, radius: float, colour) -> None:
    """A round bead at a pixel, with a glint."""
    patch = fill(ellipse(centre, (radius, radius)), 0.5)
    x, y = patch.grid()
    slope = np.stack([x - centre[0], y - centre[1]]) / radius
    canvas.paint(part, patch, colour, slope * 1.1, 0.7)


def random_metal(rng: np.random.Generator) -> np.ndarray:
    """(3,) linear RGB of gold or silver."""
    return linear((226, 181, 88) if rng.uniform() < 0.55 else (208, 210, 218))


def paint_glasses(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Lenses that one looks through, rims, bridge and arms; they shade the cheeks a little."""
    own = np.random.default_rng(p.marks)
    frame = linear(((28, 25, 26), (74, 44, 30), (150, 120, 70), (60, 64, 84), (120, 40, 44))[own.integers(5)])
    width = own.uniform(3.0, 6.5)
    lenses = [pose.place(glasses_outline(p, side), 0.35) for side in (-1, 1)]
    bars = [ribbon(spline([(-p.eye_x + 31, 0), (0, -6), (p.eye_x - 31, 0)], closed=False), width)]
    for side in (-1, 1):
        bars.append(ribbon(on_side([(p.eye_x + 34, -4), (p.half_width + 4, -12)], side), width))
    shapes = [ribbon(np.concatenate([lens, lens[:2]]), width) for lens in lenses]
    shapes += [pose.place(bar, 0.35 if i == 0 else 0.1) for i, bar in enumerate(bars)]
    for lens in lenses:
        glass = fill(lens, 0.5)
        canvas.claim("eye_g", glass)
        canvas.tint(glass, (0.90, 0.92, 0.94))
        gleam = lens.mean(axis=0) + [-9, -9]
        streak = clip(fill(ribbon([gleam + [-8, 9], gleam + [9, -8]], (2, 9, 2)), 2.5), glass)
        canvas.glints.append((streak, 0.07))
    for shape in shapes:
        patch = fill(shape, 0.5)
        canvas.cast(patch, s, 7, 3, 0.35)
        canvas.paint("eye_g", patch, frame, pillow(patch.alpha, 1.5, 4), 0.5)


def glasses_outline(p: Person, side: int) -> np.ndarray:
    """(48, 2) one rim: round, rectangular, or drawn up at the outer side."""
    w, h, power = ((33, 29, 2.0), (36, 23, 4.5), (36, 25, 2.8))[p.glasses_shape]
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    u = np.sign(c) * np.abs(c) ** (2 / power) * w
    v = np.sign(s) * np.abs(s) ** (2 / power) * h
    if p.glasses_shape == 2:
        v = v - 0.22 * np.clip(u, 0, None) * (s < 0.3)
    return np.stack([side * (p.eye_x + 2 + u), v + 6], axis=1)


def paint_hat(canvas: Canvas, p: Person, s: Shot, pose: Pose, rng: np.random.Generator) -> None:
    """A knitted hat, a brimmed hat or a cap, with its shadow on the forehead."""
    a, brow = p.half_width, min(p.hairline + 40, p.brow_y - 34)
    lowest = np.degrees(np.arccos(((-10 - brow) / (-p.crown - 19)) ** 1.25))  # hidden by what goes round the hat
    top = skull(p, np.linspace(0, 1, 5) * lowest, 16)
    edge = [(0.62 * a, brow + 4), (0, brow - 4)]
    crown = fill(pose.place(spline(mirror(np.concatenate([top, edge]))), -0.1), 0.8)
    x, y = crown.grid()
    colour = planes(s.trim) * (1 + 0.06 * random_noise(rng, 1.2)[crown.box])
    if s.hat == "beanie":
        colour = colour * (1 + 0.22 * np.sin(2 * np.pi * (x + 0.12 * (x - 256) * (y - 100) / 100) / 9))
    canvas.cast(crown, s, 16, 8, 0.5)
    body = cut(pillow(crown.whole(), 30, 95), crown.box) + slopes(0.45 * random_noise(rng, 3.0)[crown.box])
    canvas.paint("hat", crown, colour, body, 0.03)
    for widths, out, down, dim, swell in HAT_EDGES[s.hat]:
        half = np.stack([a * np.array(widths) + out, brow + np.array(down)], axis=1)
        patch = fill(pose.place(spline(mirror(half)), 0.12), 0.8)
        canvas.cast(patch, s, 12, 6, 0.5)
        tone = s.trim * dim
        canvas.paint("hat", patch, tone, cut(pillow(patch.whole(), 5, swell), patch.box) + planes([0, -0.15]), 0.03)
