"""The form of the head, and what stands round the face: neck, chest and ears."""

import cv2
import numpy as np

from facegan.drawing.canvas import Canvas
from facegan.drawing.person import Person, Shot
from facegan.drawing.shapes import Pose, clip, fill, mirror, on_side, spline, spot, stroke
from facegan.drawing.surface import SIZE, cut, pillow, planes, slopes


def skull(p: Person, degrees, lift) -> np.ndarray:
    """(n, 2) points over the head at `lift`, one or (n,), from it; 0 degrees is the top, 90 the viewer's right."""
    angle = np.radians(np.asarray(degrees, np.float32))
    across, up = (np.sign(f) * np.abs(f) ** 0.8 for f in (np.sin(angle), np.cos(angle)))  # fuller than an ellipse
    return np.stack([across * (p.half_width + lift), -35 - up * (-p.crown - 35 + lift)], axis=-1)


def head_outline(p: Person) -> np.ndarray:
    """(n, 2) closed outline of head and jaw, without ears, in face units."""
    a, jaw, chin = p.half_width, p.half_width * p.jaw, p.chin
    face = [(0.975 * a * p.cheek, 45), (0.90 * jaw, 105), (0.73 * jaw, 155)]
    face += [(p.chin_width + 0.16 * jaw, chin - 36), (p.chin_width * 0.72, chin - 8), (0, chin)]
    return mirror(np.concatenate([skull(p, [0, 15, 30, 45, 60, 75, 90], 0), face]))


def face_slopes(p: Person, s: Shot, pose: Pose) -> np.ndarray:
    """(2, 512, 512) slopes of the head: an ellipsoid with a nose, a brow, cheeks, lips and a chin on it."""
    step = 2
    u = np.arange(-SIZE // 2 - 16, SIZE // 2 + 16, step, dtype=np.float32)
    v = u + 12
    a, b = 1.07 * p.half_width, 1.1 * (p.chin - p.crown) / 2
    middle = (p.chin + p.crown) / 2
    egg = 1 - np.abs(u[None] / a) ** 2.5 - np.abs((v[:, None] - middle) / b) ** 2.6
    height = 105 * np.sqrt(np.clip(egg, 0.004, None))
    for bump_u, bump_v, width_u, width_v, amount in face_bumps(p, s):
        for side in (1, -1) if bump_u else (1,):
            (x, y) = pose.turn([side * bump_u, bump_v])
            across, down = np.exp(-0.5 * ((u - x) / width_u) ** 2), np.exp(-0.5 * ((v - y) / width_v) ** 2)
            height += np.outer(amount * down, across)
    height += nose_ridge(p, pose, u, v)
    height = cv2.GaussianBlur(height.astype(np.float32), (0, 0), 1.2)
    grid_to_units = np.array([[step, 0, u[0]], [0, step, v[0]], [0, 0, 1]], np.float64)
    to_pixels = pose.matrix().astype(np.float64) @ grid_to_units
    height = cv2.warpAffine(height, to_pixels, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return slopes(cv2.GaussianBlur(height, (0, 0), 1.0))


def face_bumps(p: Person, s: Shot) -> list[tuple[float, float, float, float, float]]:
    """(u, v, width, height, amount) of each bump; those off the axis stand on both sides."""
    smile = max(s.smile, 0)
    strong = 1 - p.soft
    wing = 0.62 * p.nose_width
    mouth = p.mouth_y
    return [
        (40, p.brow_y + 4, 34, 11, 3 + 5 * strong),
        (p.eye_x, 1, 31, 17, -9),
        (p.eye_x, 2, 19, 12, 6),
        (p.eye_x * 0.45, 2, 10, 16, -3),
        (42, -95, 42, 36, 4),
        (0.9 * p.half_width, -65, 20, 40, -5),
        (0.56 * p.half_width, 60 - 6 * smile, 32, 26, 8 + 8 * smile),
        (0.72 * p.half_width, 118, 24, 34, -5 - 4 * strong),
        (wing, p.nose_length - 9, 7.5, 8, 5.5),
        (0, p.nose_length - 12, 0.36 * p.nose_width, 9, 7 * p.nose_height),
        (0, mouth, 46, 30, 7),
        (0, p.nose_length + 19, 4, 10, -1.6),
        (0, mouth - 7, 0.5 * p.mouth_width, 6, 2.5),
        (0, mouth + 10 + s.lip_gap, 0.5 * p.mouth_width, 7, 4.5),
        (0, mouth + 32 + s.lip_gap, 24, 9, -5),
        (0, p.chin - 28, 22 + 6 * strong, 18, 9),
        (p.mouth_width + 12, mouth + 2, 10, 14, -2 - 2 * smile),
    ]


def nose_ridge(p: Person, pose: Pose, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(len(v), len(u)) height of the nose: it rises from between the eyes to the tip and falls off below."""
    rise = np.clip((v + 30) / (p.nose_length + 22), 0, 1)
    amount = p.nose_height * (4 + 12 * rise**1.3) / (1 + np.exp((v - p.nose_length + 3) / 3.5))
    amount /= 1 + np.exp(-(v + 26) / 7)
    width = p.nose_bridge + (0.50 * p.nose_width - p.nose_bridge) * rise**2
    (x, _) = pose.turn([0, 0.5 * p.nose_length])
    lean = pose.yaw * 0.42 * rise * p.nose_height  # what stands out moves further when the head turns
    return amount[:, None] * np.exp(-0.5 * ((u[None] - x - lean[:, None]) / width[:, None]) ** 2)


def paint_body(canvas: Canvas, p: Person, pose: Pose, flesh: np.ndarray) -> None:
    """Neck and chest, dark under the chin."""
    n = p.neck
    outline = mirror(
        [(0, 60), (n, 60), (n, 150), (1.03 * n, 195), (1.4 * n, 230), (2.4 * n, 266), (330, 340), (0, 345)]
    )
    patch = fill(pose.place(spline(outline)), 0.7)
    x, y = patch.grid()
    across = np.clip((x - pose.centre[0]) / n, -1.6, 1.6)
    slope = np.stack([1.1 * across * np.abs(across) ** 0.5 * np.exp(-(((y - 380) / 110) ** 2)), np.full_like(x, -0.15)])
    tendon = np.exp(-(((np.abs(x - pose.centre[0]) - 0.62 * n + 0.28 * (y - 400)) / 9) ** 2))
    slope[0] += 0.18 * tendon * np.sign(x - pose.centre[0])
    colour = cut(flesh, patch.box) * planes([0.96, 0.92, 0.90])
    canvas.paint("neck", patch, colour, slope, 0.05, skin=1.0)


def paint_chin_shadow(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """What the head throws on the neck: soft and always there, sharper away from the light."""
    head = fill(pose.place(spline(head_outline(p) + [0, 10])), 7)
    canvas.darken(head, 0.55)
    canvas.cast(head, s, 34, 12, 0.35)


def paint_ears(canvas: Canvas, p: Person, pose: Pose, flesh: np.ndarray) -> None:
    """Both ears, the far one narrower when the head is turned."""
    ruddy, e = planes([1.0, 0.88, 0.85]), p.ear
    for side, part in ((1, "l_ear"), (-1, "r_ear")):
        a = p.half_width - 5
        w = np.clip(1 - side * pose.yaw / 26, 0.3, 1.6) * e
        outline = [(a - 12, -12), (a + 8 * w, -20 * e), (a + 19 * w, -12 * e), (a + 20 * w, 8 * e)]
        outline += [(a + 12 * w, 34 * e), (a + 5 * w, 56 * e), (a - 8, 52)]
        patch = fill(pose.place(spline(on_side(outline, side))), 0.7)
        canvas.paint(part, patch, cut(flesh, patch.box) * ruddy, pillow(patch.alpha, 4, 9), 0.06, skin=1.0)
        fold = [(a + 1, -4), (a + 11 * w, -11 * e), (a + 14 * w, 4 * e), (a + 7 * w, 30 * e)]
        canvas.tint(clip(stroke(pose, on_side(fold, side), (2, 7, 3), 1.8), patch), (0.6, 0.47, 0.45))
        hollow = spot(pose, (side * (a + 4 * w), 12 * e), (4 * w, 11 * e), 2.5)
        canvas.tint(clip(hollow, patch), (0.5, 0.38, 0.36))
