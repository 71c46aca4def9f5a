"""Hair: sheets of strands, which make every style."""

from dataclasses import dataclass

import cv2
import numpy as np

from facegan.drawing.canvas import Canvas
from facegan.drawing.head import skull
from facegan.drawing.person import Person, Shot
from facegan.drawing.shapes import Patch, Pose, on_side, points_along, spline
from facegan.drawing.surface import SIZE, blur, cut, pillow, planes, slopes

DARKEST = 76  # the brightness of hair in its own shade, of 255; below it a pixel is covered in part


@dataclass(frozen=True)
class Sheet:
    """A sheet of hair: (t, s, 2) control points in face units, strand t from its root s = 0 to its tip."""

    grid: np.ndarray
    strands: int
    front: bool  # over face and clothes, or behind neck and head
    wave: float = 0.0  # sideways swing of a strand, face units
    turns: float = 2.0  # swings along a strand
    dark: float = 1.0
    loose: bool = False  # its ends hang free and ragged


def hair_sheets(p: Person, hat: bool) -> list[Sheet]:
    """The style as sheets, back to front. Under a hat the hair lies flat."""
    v = p.volume
    flat = 0.3 if hat else 1.0
    sweep = 18 * np.sign(p.part_side)
    low = 262 + 40 * v
    bun = np.array([0.1 * p.part_side, p.crown - 20])
    styles = {
        "bald": lambda: [],
        "receding": lambda: side_hair(p, 5 + 4 * v),
        "crop": lambda: [comb_back(p, (9 + 9 * v) * flat, sweep, 700, 0.8)],
        "quiff": lambda: [comb_back(p, (18 + 12 * v) * flat, 1.6 * sweep, 700, 1.2)],
        "curls": lambda: [comb_back(p, (18 + 22 * v) * flat, 4, 600, 5.0, 3.5, 106, 0.7)],
        "afro": lambda: [comb_back(p, (42 + 26 * v) * flat, 0, 900, 5.0, 6.0, 116, 0.7)],
        "bun": lambda: [ball(bun, 36 + 10 * v, 200), comb_back(p, 5 + 3 * v, 0.3 * sweep, 700)],
        "bob": lambda: curtains(p, (12 + 10 * v) * flat, 128 + 50 * v, 6, 480, 1.0),
        "long": lambda: curtains(p, (8 + 9 * v) * flat, low, 8, 520, 2.0),
        "wavy": lambda: curtains(p, (12 + 10 * v) * flat, low, 20, 520, 6.0, 2.6),
        "long curls": lambda: curtains(p, (18 + 14 * v) * flat, 190 + 60 * v, 26, 560, 7.0, 3.6),
        "fringe": lambda: [*curtains(p, (10 + 8 * v) * flat, 150 + 110 * v, 4, 480, 1.0), fringe(p, 14, 420)],
    }
    return styles[p.style]()


def comb_back(p: Person, lift: float, sweep: float, strands: int, wave=0.0, turns=2.0, spread=100, taper=0.85) -> Sheet:
    """Hair combed from the hairline up and back: every short style and every tied one.

    It ends `spread` degrees from the top on either side, where `taper` of its lift is gone.
    """
    n = 29
    angles = np.linspace(-spread, spread, n)
    lifts = 1.5 + lift * (1 - taper * (np.abs(angles) / spread) ** 3)
    sideways = sweep * np.cos(np.radians(angles)) ** 2
    grid = strip(hairline(p, n) + [0, 2], skull(p, angles, lifts), 0.25 * lift, sideways)
    return Sheet(grid, strands, True, wave, turns)


def curtains(p: Person, lift: float, low: float, flare: float, strands: int, wave=0.0, turns=2.0) -> list[Sheet]:
    """Two curtains from a parting down beside the face to v = low, and the fall behind the neck."""
    a, h, sheets = p.half_width, p.hairline, []
    out = a + 8 + lift + flare
    start = 0.38 * p.part_side
    for side in (-1, 1):
        inner = [(p.part_side, h + 2), (side * 0.45 * a + 0.4 * p.part_side, h + 22), (side * 0.84 * a, -72)]
        beside = [(0.955 * a, 0), (0.95 * a, 70), (0.86 * a, 0.55 * low + 50), (0.80 * a, low)]
        inner = points_along([*inner, *on_side(beside, side)], 9)
        over = skull(p, np.linspace(start, side * 84, 6), np.linspace(lift, lift + 5, 6))
        down = [(out - 3, 45), (out + 4, 0.55 * low + 20), (out - 4, low - 6)]
        outer = points_along([*over, *on_side(down, side)], 9)
        sheets.append(Sheet(interpolate(inner, outer, 13), strands, True, wave, turns, loose=True))
    left = np.array([(-a - lift, -60), (-out + 4, 40), (-out, 0.55 * low + 20), (-out + 10, low - 6)])
    return [Sheet(interpolate(left, left * [-1, 1], 15), strands // 2, False, wave, turns, 0.45, True), *sheets]


def fringe(p: Person, lift: float, strands: int) -> Sheet:
    """Hair combed down over the forehead to the brows."""
    a, n = p.half_width, 15
    t = np.linspace(-1, 1, n)
    roots = np.stack([0.45 * a * t, np.full(n, p.crown - 0.35 * lift) + 12 * t**2], axis=1)
    tips = np.stack([0.93 * a * t, p.brow_y - 9 - 6 * p.volume + 16 * t**2], axis=1)
    return Sheet(strip(roots, tips, 0.1 * lift, 0.10 * p.part_side), strands, True, 1.5, 1.0, loose=True)


def ball(centre, radius: float, strands: int) -> Sheet:
    """A bun."""
    t = np.linspace(0.4, 2 * np.pi + 0.4, 17)
    ring = np.stack([np.cos(t), 0.86 * np.sin(t)], axis=1)
    return Sheet(interpolate(centre + 0.5 * ring, centre + radius * ring, 9), strands, False)


def side_hair(p: Person, lift: float) -> list[Sheet]:
    """What is left when the top is bald."""
    roots = hairline(p, 29)[-8:] + [0, 3]
    strands = strip(roots, skull(p, np.linspace(62, 100, 8), np.linspace(0, lift, 8)), 1.0)
    return [Sheet(strands * [side, 1], 170, True, 0.6) for side in (-1, 1)]


def hairline(p: Person, n: int) -> np.ndarray:
    """(n, 2) the edge of the hair round the forehead, from the viewer's left sideburn to the right one."""
    a, h = p.half_width, p.hairline
    bay = 26 * p.temple
    half = [(0, h), (0.30 * a, h - 0.2 * bay - 1), (0.58 * a, h + 16 - 1.2 * bay), (0.80 * a, h + 52 - 0.9 * bay)]
    half += [(0.885 * a, -62), (0.93 * a, -22), (0.965 * a, 22)]
    half = np.array(half)
    curve = spline(np.concatenate([half[:0:-1] * [-1, 1], half]), closed=False)
    return curve[np.linspace(0, len(curve) - 1, n).astype(int)]


def strip(roots, tips, lift: float = 0.0, sweep=0.0, s: int = 5) -> np.ndarray:
    """(t, s, 2) strands from roots to tips that bow by `lift` to the outside and by `sweep`, one or (t,), sideways."""
    roots, tips = np.asarray(roots, np.float32)[:, None], np.asarray(tips, np.float32)[:, None]
    f = np.linspace(0, 1, s, dtype=np.float32)[None, :, None]
    sideways = np.broadcast_to(np.asarray(sweep, np.float32), len(roots))[:, None, None] * np.float32([1, 0])
    out = tips / (np.linalg.norm(tips, axis=-1, keepdims=True) + 1e-6)
    return roots + (tips - roots) * f + np.sin(np.pi * f) * (lift * out + sideways)


def interpolate(inner, outer, n: int = 9) -> np.ndarray:
    """(n, s, 2) strands that pass over from one guide curve to another."""
    f = np.linspace(0, 1, n, dtype=np.float32)[:, None, None]
    return (1 - f) * np.asarray(inner, np.float32)[None] + f * np.asarray(outer, np.float32)[None]


def paint_hair(canvas: Canvas, p: Person, s: Shot, pose: Pose, sheets: list[Sheet], rng: np.random.Generator) -> None:
    """Sheets over each other; the front ones throw a shadow on the face."""
    for sheet in sheets:
        picture = draw_strands(*strand_curves(sheet, pose, rng), sheet, rng)
        x, y, width, height = cv2.boundingRect(picture)
        if not width:
            continue
        box = slice(y, y + height), slice(x, x + width)
        level = np.maximum(picture[box], DARKEST).astype(np.float32) / 128
        patch = Patch(blur(np.minimum(picture[box], DARKEST).astype(np.float32) / DARKEST, 0.7), box)
        if sheet.front:
            canvas.cast(patch, s, 7, 5, 0.5)
        colour = planes(p.hair * sheet.dark) * (0.25 + planes([1.04, 0.99, 0.93]) * level**1.3)
        body = np.clip(cut(pillow(patch.whole(), 18, 42), box) + slopes(level), -1.6, 1.6)
        canvas.paint("hair", patch, colour, body, (0.03 + 0.06 * level) * sheet.dark)
        edge = blur(patch.whole(), 5)[box]
        canvas.darken(Patch(np.clip(1.35 - edge, 0, 1) * patch.alpha, box), 0.25)


def strand_curves(sheet: Sheet, pose: Pose, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the guide curves (t, m, 2) and of every single strand (n, m, 2)."""
    fine = 4 if sheet.wave < 3 else 7 if sheet.turns < 3 else 14  # as many points as the swings need
    guides = np.stack([spline(curve, closed=False, n=fine) for curve in sheet.grid])
    guides = pose.place(guides, -0.15 if sheet.front else -0.6)
    t = np.sort(rng.uniform(0, len(guides) - 1.001, sheet.strands))
    i = t.astype(int)
    f = (t - i)[:, None, None].astype(np.float32)
    strands = (1 - f) * guides[i] + f * guides[i + 1]
    s = np.linspace(0, 1, strands.shape[1], dtype=np.float32)[None]
    lock = np.floor(t / len(guides) * 26)[:, None]  # neighbours swing together, as locks do; tight curls do not
    phase = 2.4 * lock + rng.normal(0, 0.25 + 0.012 * sheet.turns**3, (len(t), 1))
    swing = sheet.wave * np.minimum(1, 3 * s) * np.sin(2 * np.pi * sheet.turns * s + phase)
    stray = rng.normal(0, 1.5, (len(t), 1)) * s**2
    tangent = np.gradient(strands, axis=1)
    tangent /= np.linalg.norm(tangent, axis=2, keepdims=True) + 1e-6
    normal = np.dstack([-tangent[..., 1], tangent[..., 0]])
    start = rng.uniform(-3, 4, (len(t), 1, 1))  # so that the hairline is not a cut edge
    return guides, strands + normal * (swing + stray)[..., None] + tangent * start


def draw_strands(guides: np.ndarray, strands: np.ndarray, sheet: Sheet, rng: np.random.Generator) -> np.ndarray:
    """(512, 512) uint8 brightness of the hair, from DARKEST up where there is any. Strands shine in a band."""
    picture = np.zeros((SIZE, SIZE), np.uint8)
    m = strands.shape[1]
    body = guides[1:-1] if sheet.wave > 3 else guides  # curls make their own uneven edge
    body = body[:, : int(0.94 * m)] if sheet.loose else body
    outline = np.concatenate([body[:, 0], body[-1, 1:], body[::-1, -1][1:], body[0, ::-1][1:]])
    cv2.fillPoly(picture, [np.round(outline * 16).astype(np.int32)], DARKEST, cv2.LINE_AA, 4)
    sixteenths = np.round(strands * 16).astype(np.int32)  # of a pixel, as OpenCV takes them with shift 4
    ends = rng.integers(int((0.86 if sheet.loose else 0.94) * m), m + 1, len(strands))
    gleam = 40 / (1 + 0.25 * sheet.wave)
    for i, group in enumerate(np.array_split(rng.permutation(len(strands)), 30)):
        level = DARKEST + 80 * (0.618 * i % 1)  # whatever lies on top at last, dark and light are side by side
        curves = [sixteenths[j, : ends[j]] for j in group]
        cv2.polylines(picture, curves, False, level, 1 + int(rng.uniform() < 0.4), cv2.LINE_AA, 4)
        start, end = sorted(rng.normal((0.18, 0.46), 0.08))
        gleams = [c[max(0, int(start * m)) : int(end * m) + 2] for c in curves]
        cv2.polylines(picture, gleams, False, level + gleam, 1, cv2.LINE_AA, 4)
    return picture
