"""Other numberings of CelebAMask-HQ's 19 ids: convert them, and tell by where the parts lie which one a map has."""

from itertools import combinations

import numpy as np

from facegan import regions
from facegan.errors import BadInput

NUMBERINGS = {
    "celebamask": ("background", *regions.PARTS),
    "face-parsing": (
        "background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "eye_g", "l_ear", "r_ear", "ear_r",
        "nose", "mouth", "u_lip", "l_lip", "neck", "neck_l", "cloth", "hair", "hat",
    ),
}  # fmt: skip
"""Numbering -> what each id means there. face-parsing is that of face-parsing.PyTorch and of what is built on it."""

FROM_TOP_TO_BOTTOM = ("hat", "l_brow r_brow", "l_eye r_eye", "nose", "u_lip", "l_lip", "neck", "cloth")
ABOVE = [*combinations(FROM_TOP_TO_BOTTOM, 2), ("hair", "neck"), ("hair", "cloth")]
"""Pairs of which the first lies higher on an upright face, by the mean row of its pixels."""
FEWEST_PIXELS, FEWEST_PAIRS, FEWEST_FACES = 30, 8, 8
"""Smaller parts have no place worth a judgement; fewer pairs name no other numbering, fewer faces no unknown one."""
RIGHT, WRONG = 0.9, 0.8
"""Shares of pairs that lie as on a face: 0.992 over 850 real maps, 0.28 and 0.37 when read by the other numbering."""


def convert(labels: np.ndarray, numbering: str) -> np.ndarray:
    """Ids of a numbering, uint8 of any shape -> CelebAMask-HQ's. Raises BadInput for ids that it does not have."""
    names = NUMBERINGS[numbering]
    if labels.max() >= len(names):
        raise BadInput(f"unknown id {labels.max()} in the label map; the ids are 0..{len(names) - 1}")
    if numbering == "celebamask":
        return labels
    return np.array([NUMBERINGS["celebamask"].index(name) for name in names], np.uint8)[labels]


def check(maps: list[np.ndarray], numbering: str, remedy: str) -> None:
    """Raise BadInput when label maps, (S, S) uint8 of one dataset, look as if they had another numbering than this.

    remedy: the end of the sentence that names the likely numbering, "{}" in it.
    An unknown numbering is only told from maps that are merely bad when there are FEWEST_FACES of them.
    """
    shares = {}
    for name in NUMBERINGS:
        right, pairs = np.sum([count_pairs(labels, name) for labels in maps], 0) if maps else (0, 0)
        shares[name] = right / pairs if pairs >= FEWEST_PAIRS else None
    share = shares.pop(numbering)
    if share is None or share > WRONG:
        return
    for name, other in shares.items():
        if other is not None and other >= RIGHT:
            raise BadInput(f"the label maps are numbered as in {name}, not as in {numbering}: {remedy.format(name)}")
    if len(maps) >= FEWEST_FACES:
        raise BadInput(
            f"the label maps are not numbered as in {numbering}: only {share:.0%} of their parts lie as on a face. "
            "Bring them into the order that README gives."
        )


def count_pairs(labels: np.ndarray, numbering: str) -> tuple[int, int]:
    """How many pairs of parts lie as on a face if a map has this numbering, and how many pairs it shows."""
    pixels = np.bincount(labels.ravel(), minlength=256)
    rows = np.bincount(labels.ravel(), np.repeat(np.arange(labels.shape[0]), labels.shape[1]), 256)
    height = {}
    for group in {part for pair in ABOVE for part in pair}:
        ids = [NUMBERINGS[numbering].index(part) for part in group.split()]
        if pixels[ids].sum() >= FEWEST_PIXELS:
            height[group] = rows[ids].sum() / pixels[ids].sum()
    apart = [height[below] - height[above] for above, below in ABOVE if above in height and below in height]
    apart = [rows for rows in apart if abs(rows) > 0.01 * labels.shape[0]]  # closer ones say nothing
    return sum(rows > 0 for rows in apart), len(apart)
