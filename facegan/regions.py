"""Parts, regions, and what is computed from them. NumPy only, and the only copy of these rules in the project."""

import numpy as np

from facegan.errors import BadInput

MASK_SIZE = 512
"""Side of every CelebAMask-HQ mask, in pixels."""

PARTS = (
    "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear",
    "mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip
"""CelebAMask-HQ's parts in the order they are painted. The id in a merged label map is position + 1; 0 is background.
l_ and r_ are the person's own sides. ear_r is an earring, neck_l a necklace, eye_g glasses."""

REGIONS = {
    "skin": ("skin", "l_ear", "r_ear", "neck"),
    "eyes": ("l_eye", "r_eye"),
    "mouth": ("mouth", "u_lip", "l_lip"),
    "hair": ("hair", "l_brow", "r_brow"),
    "nose": ("nose",),
    "clothes": ("cloth",),
    "accessories": ("eye_g", "hat", "ear_r", "neck_l"),
}
"""The seven regions, in channel order, and the parts each one collects."""

# A pixel's regions are held as the bits of one byte while masks are merged and shrunk: bit i is region i. That makes
# "any of the pixels it covers" a bitwise or, once for all seven regions.
PART_BIT = {part: np.uint8(1 << i) for i, parts in enumerate(REGIONS.values()) for part in parts}
BIT_MASKS = np.stack([np.arange(128) >> i & 1 for i in range(len(REGIONS))], -1).astype(np.uint8)  # bits -> 7 masks
LABEL_BIT = np.array([0, *(PART_BIT[part] for part in PARTS)], np.uint8)  # label id -> region bit


def bits_from_parts(parts: dict[str, np.ndarray]) -> np.ndarray:
    """Region bits from separate part masks; parts that cover each other all count.

    parts: part name -> (512, 512) uint8 mask of 0 or 255. Returns (512, 512) uint8, bit i = region i.
    """
    bits = np.zeros((MASK_SIZE, MASK_SIZE), np.uint8)
    for part, mask in parts.items():
        bits |= mask & PART_BIT[part]
    return bits


def bits_from_labels(labels: np.ndarray) -> np.ndarray:
    """Region bits from a merged label map: (512, 512) uint8 ids 0..18 -> (512, 512) uint8, bit i = region i.

    Raises BadInput where an id is not one of CelebAMask-HQ's.
    """
    highest = int(labels.max())
    if highest > len(PARTS):
        raise BadInput(f"unknown id {highest} in the label map; CelebAMask-HQ's ids are 0..{len(PARTS)}")
    return LABEL_BIT[labels]


def masks_from_bits(bits: np.ndarray, size: int) -> np.ndarray:
    """Region bits on the 512 grid -> (size, size, 7) uint8 masks of 0/1 on the working grid.

    A working pixel belongs to a region when any 512-grid pixel it covers does. size divides 512.
    """
    step = MASK_SIZE // size
    rows = np.bitwise_or.reduce([bits[i::step] for i in range(step)])  # (size, 512)
    small = np.bitwise_or.reduce([rows[:, i::step] for i in range(step)])  # (size, size)
    return BIT_MASKS.take(small, axis=0)


def mean_colors(image: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Mean colour of each region: image (S, S, 3) uint8, masks (S, S, 7) of 0/1 -> (7, 3) float32 in 0..255.

    A region without a pixel has colour 0.
    """
    # Transposed first: products of long contiguous rows are several times as fast here. float32 is exact up to 2^24,
    # which sums of 255 over a 256 x 256 grid stay below; at 512 the relative error is under 1e-6.
    inside = np.ascontiguousarray(masks.reshape(-1, len(REGIONS)).T).astype(np.float32)  # (7, S*S)
    sums = inside @ image.reshape(-1, 3).astype(np.float32)  # (7, 3)
    return sums / np.maximum(inside.sum(1, keepdims=True), 1)


def color_map(masks: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Every pixel the mean of the colours of the regions that cover it, 0 where none does.

    masks (S, S, 7) of 0/1, colors (7, 3) in 0..255 -> (S, S, 3) float32 in 0..255.
    """
    weights = BIT_MASKS.astype(np.float32)  # (128, 7): a pixel's regions take one of 128 combinations, each one colour
    palette = weights @ colors.astype(np.float32) / np.maximum(weights.sum(1, keepdims=True), 1)  # (128, 3)
    return palette.take(np.packbits(masks, axis=-1, bitorder="little")[..., 0], axis=0)
