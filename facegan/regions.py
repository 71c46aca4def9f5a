"""Parts, regions, and what is computed from them. NumPy only, and the only copy of these rules in the project."""

from functools import reduce

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

TABLES = {len(REGIONS): REGIONS, len(PARTS): {part: (part,) for part in PARTS}}
"""number of regions, R -> their names, in channel order, and the parts each one collects: the seven regions; or, where
they are kept apart (g_simple_mask.py --regions parts), the eighteen parts, each a region of its own"""


def region_count(parts: bool) -> int:
    """R of a run: how many regions its masks have, 18 where it is one on parts (--parts)."""
    return len(PARTS) if parts else len(REGIONS)


STAND_INS = {
    "l_eye": ("r_eye",), "r_eye": ("l_eye",), "l_brow": ("r_brow", "hair"), "r_brow": ("l_brow", "hair"),
    "l_ear": ("r_ear", "skin"), "r_ear": ("l_ear", "skin"), "nose": ("skin",), "neck": ("skin",),
    "mouth": ("l_lip", "u_lip"), "u_lip": ("l_lip", "mouth"), "l_lip": ("u_lip", "mouth"),
}  # fmt: skip
"""Parts whose colour an empty part takes, the first of them that there is: somebody whose ears the hair covers has none
of their own, but is painted into maps that show ears."""


def label_numbers(table: dict[str, tuple[str, ...]]) -> np.ndarray:
    """label id -> number of its region, (19,) uint8: 0 background, 1 the first region of the table."""
    number = {part: i for i, parts in enumerate(table.values(), 1) for part in parts}
    return np.array([0, *(number[part] for part in PARTS)], np.uint8)


LABEL_NUMBERS = {count: label_numbers(table) for count, table in TABLES.items()}
LABEL_REGION = LABEL_NUMBERS[len(REGIONS)]
"""label id -> number of its region: 0 background, 1 skin ... 7 accessories"""

# A pixel's regions are held as the bits of one number while masks are merged and shrunk: bit i is region i. That makes
# "any of the pixels it covers" a bitwise or, once for all regions. Seven fit into a byte, eighteen do not.
LABEL_BITS = {
    len(REGIONS): (1 << LABEL_REGION.astype(int) >> 1).astype(np.uint8),
    len(PARTS): (1 << LABEL_NUMBERS[len(PARTS)].astype(int) >> 1).astype(np.uint32),
}
"""number of regions -> label id -> region bit, (19,)"""
BIT_MASKS = np.stack([np.arange(1 << len(REGIONS)) >> i & 1 for i in range(len(REGIONS))], -1).astype(np.uint8)
"""region bits of a pixel -> its seven masks: (2^7, 7)"""
OTHER_SIDE = {
    f"{a}_{part[2:]}": f"{b}_{part[2:]}" for part in PARTS for a, b in ("lr", "rl") if f"r_{part[2:]}" in PARTS
}
MIRRORED_LABEL = np.array([0, *(1 + PARTS.index(OTHER_SIDE.get(part, part)) for part in PARTS)], np.uint8)
"""label id -> the id it has in a mirrored picture: l_eye and r_eye, brows and ears change places (l_lip is the lower
lip and ear_r an earring: they stay)"""
MIRRORED_REGION = {len(REGIONS): np.arange(len(REGIONS)), len(PARTS): MIRRORED_LABEL[1:].astype(int) - 1}
"""number of regions -> channel -> the channel it has in a mirrored picture: the seven regions have no sides"""

LABEL_COLORS = np.array(
    [
        (0, 0, 0), (204, 0, 0), (76, 153, 0), (204, 204, 0), (51, 51, 255), (204, 0, 204), (0, 255, 255),
        (255, 204, 204), (102, 51, 0), (255, 0, 0), (102, 204, 0), (255, 255, 0), (0, 0, 153), (0, 0, 204),
        (255, 51, 153), (0, 204, 204), (0, 51, 0), (255, 153, 51), (0, 204, 0),
    ],
    np.uint8,
)  # fmt: skip
"""label id -> RGB colour to show it in, as CelebAMask-HQ's own tool paints it"""


def bits_from_parts(parts: dict[str, np.ndarray], count: int = len(REGIONS)) -> np.ndarray:
    """Region bits from separate part masks; parts that cover each other all count.

    parts: part name -> (512, 512) uint8 mask of 0 or 255. count: of the regions. Returns (512, 512), bit i = region i:
    uint8 of seven regions, uint32 of eighteen.
    """
    label_bit = LABEL_BITS[count]
    bits = np.zeros((MASK_SIZE, MASK_SIZE), label_bit.dtype)
    for part, mask in parts.items():
        bits |= (mask != 0) * label_bit[1 + PARTS.index(part)]
    return bits


def bits_from_labels(labels: np.ndarray, count: int = len(REGIONS)) -> np.ndarray:
    """Region bits from a merged label map: (512, 512) uint8 ids 0..18 -> (512, 512), as bits_from_parts() says.

    Raises BadInput where an id is not one of CelebAMask-HQ's.
    """
    highest = int(labels.max())
    if highest > len(PARTS):
        raise BadInput(f"unknown id {highest} in the label map; CelebAMask-HQ's ids are 0..{len(PARTS)}")
    return LABEL_BITS[count][labels]


def labels_from_parts(parts: dict[str, np.ndarray]) -> np.ndarray:
    """The merged label map of separate part masks: later parts are painted over earlier ones, in the order of PARTS.

    parts: part name -> (512, 512) uint8 mask of 0 or 255. Returns (512, 512) uint8 ids 0..18.
    """
    labels = np.zeros((MASK_SIZE, MASK_SIZE), np.uint8)
    for part, mask in parts.items():
        np.maximum(labels, mask & np.uint8(PARTS.index(part) + 1), out=labels)  # ids rise in the order of painting
    return labels


def shrink_labels(labels: np.ndarray, size: int) -> np.ndarray:
    """Label ids on the 512 grid -> (size, size) uint8 on the working grid. size divides 512.

    A working pixel has the id that most of the 512-grid pixels under it have; of equally many, the highest, which is
    painted last. The photograph's pixel is their mean, and the majority made most of it; one pixel of the block, the
    other usual choice, would shift the map by half a 512-grid pixel, for an even block has no centre.
    """
    step = MASK_SIZE // size
    extremes = []
    for function in (np.minimum, np.maximum):
        rows = reduce(function, [labels[i::step] for i in range(step)])  # (size, 512)
        extremes.append(reduce(function, [rows[:, i::step] for i in range(step)]))  # (size, size)
    lowest, small = extremes
    y, x = np.nonzero(lowest != small)  # only blocks on a border, some 5 % of all, need counting
    inside = labels.reshape(size, step, size, step)[y, :, x].reshape(len(y), step * step)
    ids = len(PARTS) + 1
    counts = np.bincount((np.arange(len(y))[:, None] * ids + inside).ravel(), minlength=len(y) * ids)
    small = small.copy()  # at 512 it was labels itself
    small[y, x] = ids - 1 - counts.reshape(-1, ids)[:, ::-1].argmax(1)
    return small


def mirror_labels(labels: np.ndarray) -> np.ndarray:
    """The label map of the mirrored picture: (..., S, S) ids, turned left to right, and l_ and r_ exchanged."""
    return MIRRORED_LABEL[labels[..., ::-1]]


def masks_from_bits(bits: np.ndarray, size: int) -> np.ndarray:
    """Region bits on the 512 grid -> (size, size, R) uint8 masks of 0/1 on the working grid.

    A working pixel belongs to a region when any 512-grid pixel it covers does. size divides 512.
    """
    step = MASK_SIZE // size
    rows = np.bitwise_or.reduce([bits[i::step] for i in range(step)])  # (size, 512)
    small = np.bitwise_or.reduce([rows[:, i::step] for i in range(step)])  # (size, size)
    if bits.dtype == np.uint8:
        return BIT_MASKS.take(small, axis=0)
    return (small[..., None] >> np.arange(len(PARTS), dtype=np.uint32) & 1).astype(np.uint8)


def masks_from_labels(labels: np.ndarray, count: int = len(REGIONS)) -> np.ndarray:
    """Label ids (S, S) -> (S, S, count) uint8 masks of 0/1 that do not overlap."""
    return np.eye(count + 1, dtype=np.uint8)[:, 1:].take(LABEL_NUMBERS[count][labels], axis=0)


def seven_regions(masks: np.ndarray) -> np.ndarray:
    """Masks (..., 18) of the parts, or (..., 7) of the regions already -> (..., 7) uint8 masks of 0/1."""
    if masks.shape[-1] == len(REGIONS):
        return masks
    channels = [[PARTS.index(part) for part in parts] for parts in REGIONS.values()]
    return np.stack([masks[..., channel].max(-1) for channel in channels], -1)


def mean_colors(image: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Mean colour of each region: image (S, S, 3) uint8, masks (S, S, R) of 0/1 -> (R, 3) float32 in 0..255.

    A region without a pixel has colour 0; of the parts, that of its stand-in (STAND_INS).
    """
    # Transposed first: products of long contiguous rows are several times as fast here. float32 is exact up to 2^24,
    # which sums of 255 over a 256 x 256 grid stay below; at 512 the relative error is under 1e-6.
    inside = np.ascontiguousarray(masks.reshape(-1, masks.shape[-1]).T).astype(np.float32)  # (R, S*S)
    sums = inside @ image.reshape(-1, 3).astype(np.float32)  # (R, 3)
    pixels = inside.sum(1)
    colors = sums / np.maximum(pixels[:, None], 1)
    if len(colors) == len(PARTS):
        for part, others in STAND_INS.items():
            present = [PARTS.index(name) for name in (part, *others) if pixels[PARTS.index(name)]]
            colors[PARTS.index(part)] = colors[present[0]] if present else 0
    return colors


def color_map(masks: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Every pixel the mean of the colours of the regions that cover it, 0 where none does.

    masks (S, S, R) of 0/1, colors (R, 3) in 0..255 -> (S, S, 3) float32 in 0..255.
    """
    if masks.shape[-1] != len(REGIONS):
        inside = masks.astype(np.float32)
        return inside @ colors.astype(np.float32) / np.maximum(inside.sum(-1, keepdims=True), 1)
    weights = BIT_MASKS.astype(np.float32)  # (2^7, 7): each combination of a pixel's regions has one colour
    palette = weights @ colors.astype(np.float32) / np.maximum(weights.sum(1, keepdims=True), 1)  # (2^7, 3)
    return palette.take(np.packbits(masks, axis=-1, bitorder="little")[..., 0], axis=0)
