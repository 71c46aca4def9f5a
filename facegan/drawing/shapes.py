"""Curves and areas: from points in face units to soft-edged patches of the frame."""

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from facegan.drawing.surface import SIZE, blur


@dataclass(frozen=True)
class Pose:
    """From face units to pixels: a small turn as parallax, a small roll, and the place in the frame."""

    half_width: float
    yaw: float
    pitch: float
    roll: float
    centre: tuple[float, float] = (256.0, 244.0)

    def turn(self, points, relief: float = 0.0) -> np.ndarray:
        """(n, 2) with the parallax: what stands nearer to the viewer moves further, the outline does not.

        `relief` adds to the depth of the surface (0 at the outline, 1 at its middle): the nose has more.
        """
        points = np.asarray(points, np.float32)
        u, v = points[..., 0], points[..., 1]
        depth = np.clip(1 - (u / (1.02 * self.half_width)) ** 2 - ((v - 15) / 330) ** 2, 0, None) + relief
        return np.stack([u + self.yaw * depth, v + self.pitch * depth], axis=-1)

    def matrix(self) -> np.ndarray:
        """(2, 3) affine from turned face units to pixels."""
        c, s = np.cos(self.roll), np.sin(self.roll)
        return np.array([[c, -s, self.centre[0]], [s, c, self.centre[1]]], np.float32)

    def place(self, points, relief: float = 0.0) -> np.ndarray:
        """(n, 2) face units to (n, 2) pixels."""
        m = self.matrix()
        return self.turn(points, relief) @ m[:, :2].T + m[:, 2]


def spline(points, closed: bool = True, n: int = 8) -> np.ndarray:
    """A smooth (Catmull-Rom) curve through (m, 2) points, n steps between each pair."""
    p = np.asarray(points, np.float32)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, n, endpoint=False, dtype=np.float32)[:, None, None]
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    q = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    q = q.transpose(1, 0, 2).reshape(-1, 2)
    return q if closed else np.concatenate([q, p[-2:-1]])


def mirror(half) -> np.ndarray:
    """A closed outline from its right half, given from top to bottom; both ends lie on the axis."""
    half = np.asarray(half, np.float32)
    return np.concatenate([half, half[-2:0:-1] * [-1, 1]])


def ribbon(points, widths) -> np.ndarray:
    """The closed outline of a stroke along (n, 2) points; widths: one number, or several spread along it."""
    points = np.asarray(points, np.float32)
    tangent = np.gradient(points, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-6
    widths = np.atleast_1d(np.asarray(widths, np.float32))
    half = np.interp(np.linspace(0, 1, len(points)), np.linspace(0, 1, len(widths)), widths)[:, None] / 2
    return np.concatenate([points + normal * half, (points - normal * half)[::-1]])


def points_along(points, n: int) -> np.ndarray:
    """(n, 2) points evenly spread along the smooth curve through some."""
    curve = spline(points, closed=False)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    return np.stack([np.interp(np.linspace(0, length[-1], n), length, curve[:, i]) for i in (0, 1)], axis=1)


def ellipse(centre, radii, angle: float = 0.0) -> np.ndarray:
    """(40, 2) points of an ellipse."""
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    points = np.stack([np.cos(t) * radii[0], np.sin(t) * radii[1]], axis=1)
    return np.asarray(centre) + points @ np.array([[c, s], [-s, c]])


def on_side(points, side: int) -> np.ndarray:
    """(n, 2) points given for the viewer's right, on the right (side 1) or mirrored to the left (-1)."""
    return np.asarray(points, np.float32) * [side, 1]


@functools.cache
def pixel_grid() -> tuple[np.ndarray, np.ndarray]:
    """x and y of every pixel, each (512, 512) float32."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    return x, y


@dataclass
class Patch:
    """A soft-edged area: `alpha` (h, w) coverage 0..1 that lies at `box`, a pair of slices of the frame."""

    alpha: np.ndarray
    box: tuple[slice, slice]

    def whole(self) -> np.ndarray:
        """(512, 512) coverage."""
        full = np.zeros((SIZE, SIZE), np.float32)
        full[self.box] = self.alpha
        return full

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixel coordinates x, y of the box, each (h, w)."""
        x, y = pixel_grid()
        return x[self.box], y[self.box]


def fill(points, soft: float = 0.0) -> Patch:
    """The area inside one (n, 2) or several (m, n, 2) closed outlines, antialiased; `soft` blurs its edge."""
    points = np.asarray(points, np.float32)
    flat, pad = points.reshape(-1, 2), int(3 * soft) + 2
    low = np.clip(np.floor(flat.min(axis=0)).astype(int) - pad, 0, SIZE - 1)
    high = np.clip(np.ceil(flat.max(axis=0)).astype(int) + pad, low + 1, SIZE)
    area = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    sixteenths = np.round((points - low) * 16).astype(np.int32)  # of a pixel, as OpenCV takes them with shift=4
    outlines = list(sixteenths) if sixteenths.ndim == 3 else [sixteenths]
    cv2.fillPoly(area, outlines, 255, cv2.LINE_AA, shift=4)
    alpha = blur(area.astype(np.float32) / 255, soft)
    return Patch(alpha, (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))))


def clip(patch: Patch, by: Patch) -> Patch:
    """The patch where `by` is too."""
    return Patch(patch.alpha * by.whole()[patch.box], patch.box)


def stroke(pose: Pose, points, widths, soft: float, relief: float = 0.0) -> Patch:
    """A soft-edged stroke along a smooth line through points, in face units."""
    return fill(pose.place(ribbon(spline(points, closed=False), widths), relief), soft)


def spot(pose: Pose, centre, radii, soft: float) -> Patch:
    """A soft oval on the face, in face units."""
    return fill(pose.place(ellipse(centre, radii)), soft)
