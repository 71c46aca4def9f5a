"""The garment: its cut, its pattern, and its edge."""

import numpy as np

from facegan.drawing.canvas import Canvas
from facegan.drawing.person import Person, Shot
from facegan.drawing.shapes import Patch, Pose, clip, fill, mirror, on_side, ribbon, spline
from facegan.drawing.surface import cut, pillow, planes, random_noise, slopes

# The flap on the viewer's right, clockwise: u as a share of the neck's half width, and v.
FLAPS = {
    "collar": ((1.12, 1.32, 0.95, 0.42, 0.10, 0.55), (192, 214, 266, 298, 268, 238)),
    "jacket": ((1.2, 1.42, 1.62, 1.5, 0.9, 0.3, 0.9), (198, 214, 236, 262, 320, 300, 232)),
}


def neckline_curve(p: Person, kind: str) -> list[tuple[float, float]]:
    """The right half of the garment's upper edge, from the middle to the shoulder."""
    n = p.neck
    return {
        "crew": [(0, 246), (0.5 * n, 240), (0.95 * n, 219), (1.18 * n, 204)],
        "vee": [(0, 292), (0.5 * n, 258), (1.0 * n, 222), (1.22 * n, 206)],
        "collar": [(0, 282), (0.5 * n, 255), (1.0 * n, 218), (1.14 * n, 200)],
        "turtle": [(0, 214), (0.5 * n, 208), (0.95 * n, 188), (1.12 * n, 184)],
        "scoop": [(0, 285), (0.9 * n, 268), (1.5 * n, 236), (1.72 * n, 222)],
        "jacket": [(0, 330), (0.55 * n, 268), (1.0 * n, 224), (1.24 * n, 203)],
    }[kind]


def paint_cloth(canvas: Canvas, p: Person, s: Shot, pose: Pose, rng: np.random.Generator) -> None:
    """The garment, the shadow it throws on the neck, and its edge: rib, collar or lapels."""
    if s.neckline == "jacket":
        shirt = [(0, 262), (0.5 * p.neck, 246), (p.neck, 216), (1.2 * p.neck, 204), (150, 330), (0, 340)]
        patch = fill(pose.place(mirror(shirt)), 0.7)
        canvas.paint("cloth", patch, (0.78, 0.78, 0.8), pillow(patch.alpha, 8, 16), 0.03)
    edge = neckline_curve(p, s.neckline)
    upper = spline(edge, closed=False)
    pad = 8 if s.neckline == "jacket" else 0
    shoulder = spline([edge[-1], (2.0 * p.neck, 226 - pad), (2.75 * p.neck, 250), (330, 320)], closed=False)
    half = np.concatenate([upper, shoulder[1:], [(330, 400), (0, 400)]])
    patch = fill(pose.place(mirror(half)), 0.8)
    canvas.cast(patch, s, 6, 5, 0.4)
    colour = cloth_colour(s, *patch.grid(), rng)
    canvas.paint("cloth", patch, colour, cloth_surface(patch, rng), 0.03)
    if s.neckline in ("collar", "jacket"):
        paint_collar(canvas, p, s, pose)
    else:
        paint_rib(canvas, s, pose, np.concatenate([upper[::-1] * [-1, 1], upper[1:]]), patch)


def paint_rib(canvas: Canvas, s: Shot, pose: Pose, edge: np.ndarray, garment: Patch) -> None:
    """The tube of a turtleneck, the rib of a crew or scoop neck; a V-neck has none. edge: (n, 2), both halves."""
    if s.neckline == "turtle":
        tube = np.concatenate([edge, edge[::-1] * [1.04, 1] + [0, 34]])
        rib = fill(pose.place(tube), 0.8)
        stripes = 1 + 0.12 * np.sin(2 * np.pi * rib.grid()[0] / 6)
        canvas.paint("cloth", rib, planes(0.9 * s.cloth) * stripes, cut(pillow(rib.whole(), 9, 20), rib.box), 0.03)
    elif s.neckline in ("crew", "scoop"):
        rib = clip(fill(pose.place(ribbon(edge + [0, 4], 8)), 0.8), garment)
        canvas.paint("cloth", rib, s.cloth * 0.82, pillow(rib.alpha, 3, 8), 0.03)


def paint_collar(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Two flaps: of a shirt, or the lapels of a jacket."""
    share, down = FLAPS[s.neckline]
    flap = np.stack([p.neck * np.array(share), down], axis=1)
    colour = (0.88 * s.cloth + 0.02) if s.neckline == "jacket" else (1.04 * s.cloth + 0.01)
    for side in (-1, 1):
        patch = fill(pose.place(on_side(flap, side)), 0.9)
        canvas.cast(patch, s, 5, 4, 0.4)
        canvas.paint("cloth", patch, colour, pillow(patch.alpha, 4, 9), 0.03)


def cloth_colour(s: Shot, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(3, h, w) linear RGB of the garment's pattern at pixels x, y."""
    period = rng.uniform(13, 30)
    weave = 1 + 0.05 * np.sin(2.1 * x) * np.sin(2.1 * y)
    if s.pattern == "stripes":
        mix = np.clip(0.5 + 3 * np.sin(2 * np.pi * (y + 0.12 * np.abs(x - 256)) / period), 0, 1)
    elif s.pattern == "checks":
        mix = 0.25 * (np.sin(2 * np.pi * x / period) > 0.2) + 0.25 * (np.sin(2 * np.pi * y / period) > 0.2)
    elif s.pattern == "dots":
        grid_x, grid_y = (x % period) - period / 2, (y % period) - period / 2
        mix = np.clip(0.25 * period - np.hypot(grid_x, grid_y), 0, 1)
    else:
        mix = np.zeros_like(x)
    if s.pattern == "knit":
        weave = 1 + 0.25 * np.sin(2 * np.pi * x / 7) * np.cos(2 * np.pi * (y + 3 * np.sin(2 * np.pi * x / 7)) / 9)
    return (planes(s.cloth) + mix * planes(s.trim - s.cloth)) * weave


def cloth_surface(patch: Patch, rng: np.random.Generator) -> np.ndarray:
    """(2, h, w) slopes: round shoulders and a few folds."""
    folds = slopes(random_noise(rng, 14.0)[patch.box] * 5.4)
    return cut(pillow(patch.whole(), 20, 42), patch.box) + folds + planes([0, -0.3])
