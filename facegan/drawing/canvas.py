"""The canvas: what lies at every pixel, and which part it belongs to."""

import cv2
import numpy as np

from facegan.drawing.person import Shot
from facegan.drawing.shapes import Patch
from facegan.drawing.surface import SIZE, cut, planes
from facegan.regions import PARTS

FEATURES = frozenset({"nose", "l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip"})
"""Skin lies under them."""


class Canvas:
    """Surface properties of every pixel, and the coverage of every part painted so far."""

    def __init__(self):
        self.colour = np.zeros((3, SIZE, SIZE), np.float32)  # the surface's own, linear RGB
        self.slope = np.zeros((2, SIZE, SIZE), np.float32)
        self.gloss = np.zeros((SIZE, SIZE), np.float32)
        self.skin = np.zeros((SIZE, SIZE), np.float32)  # how much light wanders under the surface, 0..1
        self.shade = np.ones((SIZE, SIZE), np.float32)  # how much light arrives, 0..1
        self.solid = np.zeros((SIZE, SIZE), np.float32)  # 0 where the backdrop shows
        self.parts: dict[str, np.ndarray] = {}  # coverage 0..1
        self.glints: list[tuple[Patch, float]] = []  # and how bright each one is

    def paint(self, part: str, patch: Patch, colour, slope=None, gloss=None, skin: float = 0.0) -> None:
        """Lay one surface over the patch. `slope`, `gloss` None: those of what lies below stay."""
        a, box = patch.alpha, patch.box
        blend(cut(self.colour, box), a, planes(colour))
        if slope is not None:
            blend(cut(self.slope, box), a, planes(slope))
            blend(self.shade[box], a, 1)
        if gloss is not None:
            blend(self.gloss[box], a, gloss)
        blend(self.skin[box], a, skin)
        blend(self.solid[box], a, 1)
        self.claim(part, patch)

    def claim(self, part: str, patch: Patch) -> None:
        """Add the patch to a part's coverage and hide what lies below, but for the skin under features."""
        a, box = patch.alpha, patch.box
        below = set(self.parts) - {part}
        if part in FEATURES:
            below -= {"skin", "nose"}  # both go on under a feature
        if part == "eye_g":  # one looks through glasses
            below -= FEATURES | {"skin"}
        for name in below:
            self.parts[name][box] *= 1 - a
        own = self.parts.setdefault(part, np.zeros((SIZE, SIZE), np.float32))
        own[box] += a * (1 - own[box])

    def tint(self, patch: Patch, factor) -> None:
        """Multiply the surface's own colour: blush, freckles, make-up, creases."""
        cut(self.colour, patch.box)[:] *= 1 + patch.alpha * (planes(factor) - 1)

    def darken(self, patch: Patch, strength: float) -> None:
        """Take light away: cast shadows and folds that see little of the sky."""
        self.shade[patch.box] *= 1 - strength * patch.alpha

    def cast(self, patch: Patch, shot: Shot, reach: float, sigma: float, strength: float) -> None:
        """The shadow that a layer, about to be painted at `patch`, throws on what is already there."""
        dx, dy = -shot.light[:2] * reach
        move = np.float32([[0.25, 0, dx / 4], [0, 0.25, dy / 4]])
        small = cv2.warpAffine(patch.whole(), move, (SIZE // 4, SIZE // 4), flags=cv2.INTER_LINEAR)
        small = cv2.GaussianBlur(small, (0, 0), max(sigma / 4, 0.5))
        self.shade *= 1 - strength * cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)

    def masks(self) -> dict[str, np.ndarray]:
        """Each visible part's bool (512, 512): where at least half of the pixel is covered."""
        masks = {part: self.parts[part] >= 0.5 for part in PARTS if part in self.parts}
        return {part: mask for part, mask in masks.items() if mask.any()}


def blend(below: np.ndarray, alpha: np.ndarray, above) -> None:
    """Lay `above` over `below`, in place, where alpha is 1."""
    difference = above - below
    difference *= alpha
    below += difference
