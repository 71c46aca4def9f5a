"""An edit put back into the photograph that its face was cut from, at that photograph's own size."""

from collections.abc import Callable

import cv2
import numpy as np

from facegan.editor import compositing, editing
from facegan.editor.editing import Edit

BAND = 1_000_000
"""Pixels of the photograph that are worked on at a time: bounds the memory that a large one takes."""


LARGEST_RADIUS = 24
"""Pixels of the photograph that follow_edges() looks around, at most: they come on top of each band."""
FADE = 1 / 16
"""Share of the cut-out's side over which an edit fades out at its border, beyond which the photograph goes on."""
EDGE = 0.03
"""Of 0..1: a step of light that is much larger counts as an edge."""


def paste(
    photo: np.ndarray,
    edit: Edit,
    generated: np.ndarray,
    keep: bool = True,
    tell: Callable[[float], object] = lambda share: None,
) -> np.ndarray:
    """The photograph with the edit in it, (H, W, 3) uint8; photo (H, W, 3) uint8 is decoded from edit.face.original.
    tell: is called with the share of the work that is done, now and then.

    Colours are shifted at the photograph's own size, so that every strand stays; what the generator painted, (S, S, 3)
    in 0..1, is enlarged, and blends in as in editing.composite(). All other pixels are the photograph's, to the bit.
    """
    layers, result = editing.layers(edit, generated, keep), photo.copy()
    to_cut_out = cut_out_positions(edit.face.original.corners)
    left, top, right, bottom = reach(edit.face.original.corners, photo.shape)
    side = 1 / np.hypot(*to_cut_out[0, :2])  # of the cut-out, in pixels of the photograph
    radius = min(round(side / len(layers.weights)), LARGEST_RADIUS)  # what one pixel of the cut-out is there
    rim = fade(len(layers.weights), edit.face.original.corners, photo.shape)
    recolored = {number: share * rim for number, share in layers.recolored.items()}
    layers = layers._replace(recolored=recolored, bare=layers.bare * rim, weights=layers.weights * rim)
    height = max(1, BAND // max(1, right - left))
    for y in range(top, bottom, height):
        end, first = min(y + height, bottom), max(top, y - 2 * radius)
        around = slice(first, min(end + 2 * radius, bottom))  # what follow_edges() sees
        band = (slice(y, end), slice(left, right))
        result[band] = pasted_band(photo, band, around, edit, layers, to_cut_out, side, radius)
        tell((end - top) / (bottom - top))
    return result


def pasted_band(
    photo, band: tuple[slice, slice], around: slice, edit: Edit, layers: editing.Layers, to_cut_out, side, radius
):
    """paste() of some rows; around: these and those next to them, by which colours find the edges."""
    (band_rows, columns), inner = band, slice(band[0].start - around.start, band[0].stop - around.start)

    def here(values: np.ndarray, rows: slice = band_rows) -> np.ndarray:
        """Values of the cut-out, (S, S) or (S, S, C), where rows of the band lie."""
        n = min(len(values), max(8, round(side)))
        values = cv2.resize(values.astype(np.float32), (n, n), interpolation=cv2.INTER_AREA)
        first = to_cut_out @ [columns.start + 0.5, rows.start + 0.5, 1]
        matrix = np.column_stack([n * to_cut_out[:, :2], n * first - 0.5])  # pixel of the band -> of the values
        size = (columns.stop - columns.start, rows.stop - rows.start)
        is_share = values.ndim == 2  # nothing beyond the cut-out; a picture goes on there, so that its rim stays itself
        return cv2.warpAffine(
            values, matrix, size, flags=(cv2.INTER_LINEAR if is_share else cv2.INTER_CUBIC) | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT if is_share else cv2.BORDER_REPLICATE,
        )  # fmt: skip

    own, wide = photo[band].copy(), photo[around, columns]
    shares = {n: follow_edges(here(share, around), wide, radius)[inner] for n, share in layers.recolored.items()}
    bare, painted = here(layers.bare), here(layers.weights)
    changed = (painted > 0) | (bare > 0)
    for share in shares.values():
        changed |= share > 0
    if not changed.any():
        return own
    mixed = compositing.recolor(own, shares, edit.face.colors, edit.new_colors)
    mixed += (here(layers.filling) - mixed) * bare[..., None]
    mixed += (here(layers.picture) - mixed) * painted[..., None]
    own[changed] = np.clip(np.rint(mixed[changed]), 0, 255).astype(np.uint8)
    return own


def fade(n: int, corners: np.ndarray, shape: tuple) -> np.ndarray:
    """(n, n) float32: 1 inside the cut-out, falling towards those of its sides beyond which the photograph goes on, so
    that long hair ends in no line there."""
    origin, across, down = corners[0], corners[1] - corners[0], corners[2] - corners[0]
    along, off = np.linspace(0, 1, 33), np.full(33, 0.01)
    depth, distance = (np.arange(n) + 0.5) / n, np.ones((n, n))
    for u, v, inwards in (
        (-off, along, depth[None, :]),
        (1 + off, along, 1 - depth[None, :]),
        (along, -off, depth[:, None]),
        (along, 1 + off, 1 - depth[:, None]),
    ):
        beyond = origin + u[:, None] * across + v[:, None] * down
        if ((beyond > 0) & (beyond < shape[1::-1])).all(1).any():
            distance = np.minimum(distance, inwards)
    return np.clip(distance / FADE, 0, 1).astype(np.float32)


def follow_edges(share: np.ndarray, photo: np.ndarray, radius: int) -> np.ndarray:
    """A share, (H, W) in 0..1, enlarged from few pixels, whose rim follows that of hair or skin in the photograph: a
    guided filter (He et al., ECCV 2010), so that little of the new colour stands around it. 0 stays 0."""
    if radius < 2 or not share.any():
        return share
    light = photo @ np.array([0.299, 0.587, 0.114], np.float32) / np.float32(255)
    window = (2 * radius + 1, 2 * radius + 1)
    mean_light, mean_share = cv2.blur(light, window), cv2.blur(share, window)
    covariance = cv2.blur(light * share, window) - mean_light * mean_share
    slope = covariance / (cv2.blur(light * light, window) - mean_light**2 + EDGE**2)
    offset = mean_share - slope * mean_light
    followed = cv2.blur(slope, window) * light + cv2.blur(offset, window)
    return np.where(share > 0, np.clip(followed, 0, 1), 0).astype(np.float32)


def cut_out_positions(corners: np.ndarray) -> np.ndarray:
    """(2, 3): position (x, y, 1) in the photograph -> position in the cut-out, 0..1. corners: see editing.Original."""
    origin, across, down = corners[0], corners[1] - corners[0], corners[2] - corners[0]
    inverse = np.linalg.inv(np.column_stack([across, down]))
    return np.column_stack([inverse, -inverse @ origin])


def reach(corners: np.ndarray, shape: tuple) -> tuple[int, int, int, int]:
    """The part of a photograph of this shape that the cut-out may show: left, top, right, bottom in pixels."""
    all_corners = np.vstack([corners, corners[1] + corners[2] - corners[0]])
    low, high = np.floor(all_corners.min(0)).astype(int), np.ceil(all_corners.max(0)).astype(int)
    limits = np.array(shape[1::-1])
    low, high = np.clip(low, 0, limits), np.clip(high, 0, limits)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
