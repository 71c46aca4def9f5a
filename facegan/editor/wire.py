"""What goes over the wire between page and server: grids as text, pictures as files."""

import base64

import numpy as np

from facegan import pictures
from facegan.editor import editing
from facegan.regions import REGIONS

RUN = np.dtype([("value", "u1"), ("length", "<u2")])
"""Equal values of a grid, one after another."""


def pack(grid: np.ndarray) -> str:
    """A grid (S, S) uint8 as runs, each its value and its length in two bytes, in base64."""
    flat = grid.ravel()
    starts = np.concatenate([[0], np.nonzero(np.diff(flat))[0] + 1])
    starts = np.unique(np.concatenate([starts, np.arange(0, len(flat), 65535)]))
    runs = np.zeros(len(starts), RUN)
    runs["value"], runs["length"] = flat[starts], np.diff(np.append(starts, len(flat)))
    return base64.b64encode(runs.tobytes()).decode()


def unpack(text: str, size: int, count: int = len(REGIONS)) -> np.ndarray:
    """pack() back. Raises ValueError when it is no grid of this size with the values an edit of `count` regions has."""
    runs = np.frombuffer(base64.b64decode(text, validate=True), RUN)
    if runs["length"].sum(dtype=np.int64) != size * size:
        raise ValueError("not a grid of this size")
    if not np.isin(runs["value"], [*range(count + 1), editing.OWN, editing.UNPAINTED]).all():
        raise ValueError("unknown region")
    return np.repeat(runs["value"], runs["length"]).reshape(size, size)


def quick_png(picture: np.ndarray, text: dict[str, str] | None = None) -> bytes:
    """Fast rather than small: for a picture that is looked at once."""
    return pictures.encode(picture, "PNG", text, compress_level=1)
