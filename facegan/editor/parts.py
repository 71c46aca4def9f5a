"""Which part of CelebAMask-HQ a pixel has that was painted with a region. Arrays only.

A map of ids is (S, S) uint8, 0 background, 1..18 the parts.
"""

import numpy as np

from facegan.editor.compositing import nearest
from facegan.regions import LABEL_REGION, OTHER_SIDE, PARTS, REGIONS


def of_region(under: np.ndarray, number: int) -> np.ndarray:
    """The part that each pixel has once it is painted with region `number` over a map, ids, both (S, S) uint8."""
    region = LABEL_REGION[under] == number
    first = 0 if number == 0 else 1 + PARTS.index(list(REGIONS.values())[number - 1][0])
    result = nearest(under, region) if region.any() else np.full_like(under, first)
    is_persons_left = np.arange(len(under)) > middle(under)  # columns at the viewer's right
    for left, right in SIDES:
        has_both_or_none = (region & (under == left)).any() == (region & (under == right)).any()
        if not has_both_or_none or not region.any():
            is_either = (result == left) | (result == right)
            result = np.where(is_either, np.where(is_persons_left, left, right), result).astype(np.uint8)
    return result


SIDES = [(1 + PARTS.index(part), 1 + PARTS.index(other)) for part, other in OTHER_SIDE.items() if part.startswith("l_")]
"""Ids of the left and the right part of each pair."""


def middle(under: np.ndarray) -> float:
    """The column of the middle of the face: of the nose, else of the skin, else of the picture."""
    for part in ("nose", "skin"):
        columns = np.nonzero(under == 1 + PARTS.index(part))[1]
        if len(columns):
            return float(columns.mean())
    return (under.shape[1] - 1) / 2
