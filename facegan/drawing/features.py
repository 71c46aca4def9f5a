"""Eyes, brows, nose and mouth."""

from dataclasses import dataclass

import cv2
import numpy as np

from facegan.drawing.canvas import Canvas, blend
from facegan.drawing.person import Person, Shot
from facegan.drawing.shapes import Patch, Pose, clip, ellipse, fill, mirror, on_side, ribbon, spline, spot, stroke
from facegan.drawing.surface import cut, pillow, planes


def eye_curves(p: Person, s: Shot, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The upper and the lower edge of the lids, from the inner to the outer corner, in face units."""
    w = p.eye_width / 2
    squint = 1 - 0.22 * max(s.smile, 0)
    up, down = 0.62 * p.eye_open * squint, 0.38 * p.eye_open * (1 - 0.35 * max(s.smile, 0))
    t = p.eye_tilt
    upper = [(-w, 3), (-0.62 * w, -0.62 * up), (-0.08 * w, -up), (0.5 * w, -0.78 * up - 0.3 * t), (w, -t)]
    lower = [(-w, 3), (-0.6 * w, 0.62 * down + 2), (0.1 * w, down + 1), (0.62 * w, 0.62 * down - 0.4 * t), (w, -t)]
    return tuple(spline(on_side(c, side), closed=False) + [side * p.eye_x, 0] for c in (upper, lower))


def paint_eye(canvas: Canvas, p: Person, s: Shot, pose: Pose, side: int) -> None:
    """One eye: white, iris, pupil, glint, the lids' shadow, lashes and the fold of the lid."""
    upper, lower = eye_curves(p, s, side)
    outline = pose.place(np.concatenate([upper, lower[::-1]]), 0.02)
    patch = fill(outline, 0.6)
    centre = pose.place([side * p.eye_x, -0.5]) + s.gaze + [0.12 * pose.yaw, 0]
    x, y = patch.grid()
    dx, dy = x - centre[0], y - centre[1]
    slope = np.stack([dx, dy]) / 30
    canvas.paint("l_eye" if side > 0 else "r_eye", patch, eye_colour(p, dx, dy), slope, 0.25, skin=0.1)
    inner = spot(pose, (side * (p.eye_x - p.eye_width / 2 + 2), 3), (4, 3), 1.5)
    canvas.tint(clip(inner, patch), (0.95, 0.62, 0.6))
    lid_shadow = fill(pose.place(ribbon(upper + [0, 2], 8), 0.02), 2.2)
    canvas.darken(clip(lid_shadow, patch), 0.62)
    glint = centre + 5.0 * np.sign(s.light[0]) * np.array([1, 0]) + [0, -4.5]
    canvas.glints.append((clip(fill(ellipse(glint, (2.7, 2.5)), 0.6), patch), 0.85))
    canvas.glints.append((clip(fill(ellipse(2 * centre - glint, (3.5, 1.6)), 1.2), patch), 0.08))
    paint_lids(canvas, p, s, pose, side, upper, lower)


def eye_colour(p: Person, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """(3, h, w) linear RGB of white, iris and pupil, at dx, dy pixels from the pupil's middle."""
    radius = 13.0
    r = np.hypot(dx, dy) / radius
    white = planes([0.66, 0.62, 0.59]) * (1 - 0.22 * np.clip(np.hypot(dx / p.eye_width, dy / 22), 0, 1) ** 2)
    angle = np.arctan2(dy, dx)
    rays = 1 + 0.22 * np.sin(17 * angle + 3 * np.sin(5 * angle)) * np.clip(r, 0, 1)
    glow = 0.75 + 0.9 * np.clip(dy / radius, -0.4, 1) * (r < 1)
    iris = planes(p.iris) * (rays * glow * (1.25 - 0.75 * np.clip(r, 0, 1) ** 5))
    colour = white + np.clip((1.04 - r) * 7, 0, 1) * (iris - white)
    return colour * (1 - 0.97 * np.clip((0.43 - r) * 9, 0, 1))


def paint_lids(canvas: Canvas, p: Person, s: Shot, pose: Pose, side: int, upper, lower) -> None:
    """Eye shadow, the fold above, lash line and lashes."""
    fold = upper + np.linspace(0, 1, len(upper))[:, None] * [side * 2, 0] - [0, 5 + 4 * p.lid]
    canvas.tint(fill(pose.place(ribbon(fold, (0.5, 2.6, 2.2, 0.5))), 1.1), (0.62, 0.5, 0.48))
    lid = fill(pose.place(np.concatenate([upper, fold[::-1] - [0, 3 * s.makeup]])), 1.8)
    canvas.tint(lid, np.array([0.93, 0.86, 0.85]) - s.makeup * np.array([0.32, 0.38, 0.30]))
    dark = np.array([0.10, 0.07, 0.06])
    line = fill(pose.place(ribbon(upper, (1.5, 3.2 + 1.5 * s.makeup, 3.6 + 2.2 * s.makeup, 1.5))), 0.7)
    canvas.tint(line, dark)
    wing = np.array([upper[-6], upper[-1] + [side * (2 + 4 * p.soft), -1.5 - 2 * p.soft]])
    canvas.tint(fill(pose.place(ribbon(wing, (3, 0.5))), 0.6), dark)
    canvas.tint(fill(pose.place(ribbon(lower + [0, 0.8], (0.5, 1.2, 1.8 + s.makeup, 0.8))), 0.8), (0.42, 0.32, 0.3))
    wet = fill(pose.place(ribbon(lower - [0, 0.6], 1.2)), 0.6)
    canvas.tint(wet, (1.12, 0.95, 0.93))
    lashes = []
    for t in np.linspace(0.3, 0.99, 16):
        root = upper[int(t * (len(upper) - 1))]
        length = (2.5 + 3.5 * p.soft + 2.5 * s.makeup) * (0.4 + 0.6 * t)
        lashes.append(ribbon([root, root + length * np.array([side * (t - 0.40) * 1.5, -0.8])], (1.2, 0.3)))
    canvas.tint(fill(pose.place(np.stack(lashes)), 0.6), (0.35, 0.30, 0.28))


def paint_brow(canvas: Canvas, p: Person, s: Shot, pose: Pose, side: int, rng: np.random.Generator) -> None:
    """One brow: a soft tapering shape broken up into hairs."""
    w, y = p.brow_length, p.brow_y - s.brow_lift
    start = p.eye_x - 0.52 * w
    spine = [(start, y + 3 + 0.6 * p.brow_tilt), (start + 0.3 * w, y), (start + 0.66 * w, y - p.brow_arch)]
    spine.append((start + w, y + 6 - 0.4 * p.brow_arch - 0.4 * p.brow_tilt))
    spine = spline(on_side(spine, side), closed=False)
    thick = p.brow_thick
    patch = fill(pose.place(ribbon(spine, (0.62 * thick, thick, 0.86 * thick, 0.18 * thick))), 1.3)
    lines = pose.place(brow_hairs(spine, thick, rng)) - [patch.box[1].start, patch.box[0].start]
    hairs = np.zeros(patch.alpha.shape, np.uint8)
    for i, group in enumerate(np.array_split(np.round(lines * 16).astype(np.int32), 4)):
        cv2.polylines(hairs, list(group), False, 160 + 30 * i, 1, cv2.LINE_AA, 4)
    strands = cv2.GaussianBlur(hairs.astype(np.float32) / 255, (0, 0), 0.5)
    full = np.clip(patch.alpha * 0.60 + np.clip(patch.alpha * 3, 0, 1) * strands * 0.5, 0, 1)
    colour = 0.6 * p.hair + 0.07 * p.tone
    canvas.paint("l_brow" if side > 0 else "r_brow", Patch(full, patch.box), colour, gloss=0.03, skin=0.3)


def brow_hairs(spine: np.ndarray, thick: float, rng: np.random.Generator) -> np.ndarray:
    """(130, 2, 2) roots and tips of hairs along the spine of a brow, in face units."""
    n = 130
    share = rng.uniform(0, 0.95, n)  # of the way along the spine
    i = (share * (len(spine) - 2)).astype(int)
    step = spine[i + 1] - spine[i]
    across = rng.uniform(-0.45, 0.5, n) * thick * (1 - 0.6 * share)
    roots = spine[i] + np.stack([np.zeros(n), across], axis=1)
    rise = np.stack([np.zeros(n), 6.75 * share - 4.5], axis=1)
    tips = roots + step / np.linalg.norm(step, axis=1, keepdims=True) * rng.uniform(6, 11, (n, 1)) + rise
    return np.stack([roots, tips], axis=1)


def paint_nose(canvas: Canvas, p: Person, pose: Pose) -> None:
    """Its shape is in the face's height already: here its area, the wings' creases and the nostrils."""
    w, n = p.nose_width, p.nose_length
    half = [(0, -6), (p.nose_bridge, -4), (p.nose_bridge * 1.15, 0.45 * n), (0.80 * w, n - 22), (1.02 * w, n - 9)]
    half += [(0.92 * w, n + 1), (0.5 * w, n + 3), (0, n + 5)]
    patch = fill(pose.place(spline(mirror(half)), 0.25), 0.8)
    canvas.claim("nose", patch)
    for side in (1, -1):
        wing = [(0.84 * w, n - 24), (1.07 * w, n - 10), (0.92 * w, n + 1), (0.66 * w, n + 2)]
        canvas.tint(stroke(pose, on_side(wing, side), (0.5, 3.4, 3.2, 0.5), 1.5, 0.25), (0.66, 0.52, 0.5))
        hole = ellipse((side * 0.47 * w, n - 1.5), (0.23 * w, 3.4), side * 0.25)
        canvas.tint(fill(pose.place(hole, 0.3), 1.3), (0.20, 0.11, 0.10))
        edge = [(p.nose_bridge + 2, 6), (p.nose_bridge + 5, 0.5 * n), (0.75 * w, n - 20)]
        canvas.darken(stroke(pose, on_side(edge, side), (2, 6, 3), 4, 0.2), 0.14)
    canvas.tint(spot(pose, (0, n + 3), (0.62 * w, 2.2), 1.6), (0.72, 0.58, 0.56))


@dataclass(frozen=True)
class Mouth:
    """The four edges of the lips from the viewer's left to right, (n, 2) face units each."""

    top: np.ndarray
    seam_up: np.ndarray
    seam_low: np.ndarray
    bottom: np.ndarray


def mouth_curves(p: Person, s: Shot) -> Mouth:
    """A smile widens the mouth, lifts its corners and thins the lips; an open mouth parts in the middle."""
    happy = max(s.smile, 0)
    width = p.mouth_width * (1 + 0.2 * s.smile)
    up, low = p.upper_lip * (1 - 0.2 * happy), p.lower_lip * (1 - 0.15 * happy)
    x = np.linspace(-1, 1, 41, dtype=np.float32)
    far = np.abs(x)
    seam = p.mouth_y + 4 * s.smile - (2 + 12 * s.smile) * far**1.8 + 1.5 * np.exp(-((x / 0.2) ** 2)) - 0.8
    gap = s.lip_gap * (1 - far**2.2)
    bow = p.bow * (np.exp(-((x / 0.13) ** 2)) - 0.35 * np.exp(-(((far - 0.26) / 0.16) ** 2)))
    top = seam - 0.35 * gap - up * (1 - far**1.5) ** 0.9 + bow * (1 - far)
    bottom = seam + 0.65 * gap + low * (1 - far**2.3) ** 0.85
    edges = (top, seam - 0.35 * gap, seam + 0.65 * gap, bottom)
    return Mouth(*(np.stack([width * x, edge], axis=1) for edge in edges))


def paint_mouth(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Inside first, then the lips round it, then the dark line between them."""
    m = mouth_curves(p, s)
    seam = np.concatenate([m.seam_up, m.seam_low[::-1]])
    if s.lip_gap:
        paint_mouth_inside(canvas, p, s, pose, fill(pose.place(seam, 0.05), 0.7), m)
    rouge = np.array([0.62, 0.10, 0.13]) * (0.35 + 0.65 * (1 - p.depth))
    natural = p.tone * (np.array([0.82, 0.48, 0.50]) + 0.12 * p.depth)
    lip = natural + 0.55 * s.makeup * p.lip_red * (rouge - natural)
    for part, edge, inner, shade, lean in (
        ("u_lip", m.top, m.seam_up, 0.80, 0.35),
        ("l_lip", m.bottom, m.seam_low, 1.0, -0.05),
    ):
        patch = fill(pose.place(np.concatenate([edge, inner[::-1]]), 0.05), 0.9)
        slope = cut(canvas.slope, patch.box) * 0.7 + pillow(patch.alpha, 3.0, 5.0) + planes([0, lean])
        canvas.paint(part, patch, lip * shade, gloss=0.22 + 0.5 * s.makeup, skin=0.8)
        blend(cut(canvas.slope, patch.box), patch.alpha, slope)
    if not s.lip_gap:
        canvas.tint(fill(pose.place(ribbon(m.seam_up, (1.2, 2.4, 2.8, 2.4, 1.2)), 0.05), 0.8), (0.22, 0.12, 0.12))
    for side in (0, -1):
        canvas.tint(fill(pose.place(ellipse(m.top[side], (4, 3))), 2), (0.55, 0.42, 0.4))


def paint_mouth_inside(canvas: Canvas, p: Person, s: Shot, pose: Pose, patch: Patch, m: Mouth) -> None:
    """A dark cavity, the tongue, and a row of teeth that darkens towards the corners."""
    canvas.paint("mouth", patch, (0.07, 0.012, 0.012), (0, 0), 0.05)
    tongue = fill(pose.place(ellipse((0, p.mouth_y + s.lip_gap * 0.9 + 2), (p.mouth_width * 0.5, 6)), 0.05), 2)
    tongue = clip(tongue, patch)
    canvas.tint(tongue, (3.2, 4.5, 4.5))
    drop = np.minimum(m.seam_low[:, 1] - m.seam_up[:, 1], 5.5 + 6 * max(s.smile, 0))[:, None] * [0, 1]
    row = clip(fill(pose.place(np.concatenate([m.seam_up - [0, 2], (m.seam_up + drop)[::-1]]), 0.05), 0.7), patch)
    across = np.linspace(-1, 1, row.alpha.shape[1], dtype=np.float32)
    gaps = 1 - 0.22 * np.exp(-((np.sin(np.pi * 5.0 * across) / 0.16) ** 2))
    ivory = planes([0.80, 0.76, 0.69]) * ((1 - 0.5 * across**2) * gaps)
    canvas.paint("mouth", row, ivory, (0, -0.1), 0.25)
    shadow = fill(pose.place(ribbon(m.seam_up, 5), 0.05), 1.5)
    canvas.darken(clip(shadow, patch), 0.5)
