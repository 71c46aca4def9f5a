"""What of a photograph an edit changes, how softly, and in which colours. Arrays only; editing.py has the edits.

S is the working size, R the number of regions: 7, or the 18 parts. A map of regions is (S, S) uint8: 0 background, 1..R
the region that each pixel shows.
"""

import cv2
import numpy as np

from facegan.editor import oklab
from facegan.regions import LABEL_NUMBERS, PARTS, REGIONS, TABLES


def is_feature(feature: str, count: int) -> np.ndarray:
    """Number of a region -> whether it belongs to a region of the seven, (count + 1,) bool."""
    labels = [1 + PARTS.index(part) for part in REGIONS[feature]]
    return np.isin(np.arange(count + 1), LABEL_NUMBERS[count][labels])


FEATURES = {count: [is_feature(name, count) for name in ("eyes", "mouth", "nose")] for count in TABLES}
"""Number of regions -> those of them that are one drawing, as lips and teeth are: an opened mouth is more than its new
border."""
WHOLE = 0.25
"""A feature is painted anew within (share / WHOLE)^2 * its length of a change, where share is the changed part of its
area: all of it from a quarter on, next to nothing for a dab."""
CELLS = 32
"""Colours are matched on a grid of 32 x 32: light and shade, without strands and wrinkles."""


# --- which pixels -----------------------------------------------------------------------------------------------------


def repaint_weights(own: np.ndarray, new: np.ndarray, count: int = len(REGIONS)) -> np.ndarray:
    """How much of each pixel is painted anew when a map of regions `own` becomes `new`, (S, S) float32 in 0..1: see
    `core` and `fade`. count: R."""
    return fade(core(own, new, count), len(own) // 32)


def core(own: np.ndarray, new: np.ndarray, count: int = len(REGIONS)) -> np.ndarray:
    """The pixels that are painted anew as a whole, (S, S) bool: those that show another region now, and of eyes, mouth
    and nose as much around as WHOLE says."""
    where = own != new
    for belongs in FEATURES[count]:
        feature = belongs[own] | belongs[new]
        box = bounding_box(feature)
        change = where[box] & feature[box]
        if change.any():
            where[box] |= neighborhood(change, feature[box])
    return where


def neighborhood(change: np.ndarray, feature: np.ndarray) -> np.ndarray:
    """The pixels of a feature that are painted anew when some of it changes; (H, W) bool each."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(feature.astype(np.uint8))  # each eye is one
    share = np.bincount(pieces[change], minlength=count) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    length = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    radius = (share / WHOLE) ** 2 * length
    return feature & (distance_to(change) <= radius[pieces])


def fade(where: np.ndarray, most: int) -> np.ndarray:
    """Weights, (S, S) float32: 1 in `where` and 1 pixel around, where pixels are a mixture, falling to 0 over sqrt(n)
    pixels more, at most `most`: n counts the pixels of `where` in the square of side 2 most + 1 around the nearest one.
    A dab is blended in over less than a stroke."""
    if not where.any():
        return np.zeros(where.shape, np.float32)
    square = (2 * most + 1, 2 * most + 1)
    count = cv2.boxFilter(where.astype(np.float32), -1, square, normalize=False, borderType=cv2.BORDER_CONSTANT)
    reach = np.minimum(np.sqrt(count), most)
    return np.clip(1 - (distance_to(where) - 1) / np.maximum(nearest(reach, where), 1), 0, 1)


def recolor_weights(own: np.ndarray, new: np.ndarray, numbers: np.ndarray) -> dict[int, np.ndarray]:
    """Number of each region with a new colour -> how much of each pixel of the photograph takes it, (S, S) float32: 1
    where it shows the region before and after, 2/3 at a straight rim beside what keeps its colour, whose pixels are a
    mixture, and 0 in all other regions."""
    recolored = np.isin(new, numbers).astype(np.float32)
    share = cv2.blur(recolored, (3, 3), borderType=cv2.BORDER_REPLICATE)
    return {n: share * ((own == n) & (new == n)) for n in numbers}


# --- which colours ----------------------------------------------------------------------------------------------------


def recolor(photo: np.ndarray, weights: dict[int, np.ndarray], means: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """A photograph (S, S, 3) uint8 -> (S, S, 3) float32 in 0..255, in which regions, by their numbers, have the colours
    of their means shifted to their targets, (R, 3) each in 0..255, by weights (S, S) in 0..1: the photograph's own
    light and strands in another colour."""
    result = photo.astype(np.float32)
    for number, share in weights.items():
        where = np.flatnonzero(share)
        pixels = photo.reshape(-1, 3)[where]
        shift = oklab.shift(pixels, means[number - 1], targets[number - 1]) - pixels
        result.reshape(-1, 3)[where] += shift * share.reshape(-1, 1)[where]
    return result


def match_colors(
    picture: np.ndarray, photo: np.ndarray, own: np.ndarray, new: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """A generated picture with the photograph's local colours wherever its weights, (S, S) in 0..1, are above 0;
    pictures (S, S, 3) float32 in 0..255, maps of regions as for repaint_weights().

    What photograph and picture differ by where both show a region, in OKLab and without detail, is carried on into the
    region's new pixels: hair grows on blond at one side and brown at the other. A region of which nothing of the
    photograph stays, weight 1 everywhere, is as generated.
    """
    result, regions = picture.copy(), np.where(weights > 0, new, 0)
    for number in 1 + np.flatnonzero(np.bincount(regions.ravel())[1:]):
        both = np.flatnonzero((own == number) & (new == number) & (weights < 1))
        if len(both):
            inside = np.flatnonzero(regions == number)
            difference = local_difference(photo, picture, both).reshape(-1, 3)[inside]
            result.reshape(-1, 3)[inside] = oklab.to_srgb(oklab.from_srgb(picture.reshape(-1, 3)[inside]) + difference)
    return result


def local_difference(photo: np.ndarray, picture: np.ndarray, both: np.ndarray) -> np.ndarray:
    """By how much a photograph differs from a picture, (S, S, 3) in OKLab, smooth: measured at the pixels that an index
    `both` names, and from there carried on over the frame."""
    side, cells = len(photo), min(CELLS, len(photo))
    cell = both // side * cells // side * cells + both % side * cells // side
    count = np.bincount(cell, minlength=cells**2)
    means = []
    for pixels in (photo, picture):
        sums = [np.bincount(cell, channel, cells**2) for channel in pixels.reshape(-1, 3)[both].T]
        means.append(oklab.from_srgb(np.stack(sums, 1) / np.maximum(count, 1)[:, None]))
    weight = count.reshape(cells, cells, 1).astype(np.float32)
    difference = (means[0] - means[1]).reshape(cells, cells, 3) * weight
    smooth = cv2.blur(difference, (3, 3)) / np.maximum(cv2.blur(weight, (3, 3)), 1e-6)[..., None]
    return cv2.resize(extend(smooth, weight[..., 0] > 0), (side, side), interpolation=cv2.INTER_LINEAR)


def extend(values: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """Values (S, S, C) float32, carried on from where they are known: elsewhere the nearest one, and the seams between
    those smooth, by 20 rounds of averaging. A membrane at rest would be smoother still, but fade to the mean of
    all within a strand's length."""
    filled = nearest(values, is_known)
    for _ in range(20):
        filled = np.where(is_known[..., None], values, cv2.blur(filled, (3, 3), borderType=cv2.BORDER_REPLICATE))
    return filled


def fill_gaps(picture: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """A picture (S, S, 3) float32 whose other pixels are means of known ones, of the next coarser size that has any
    there; 0 if no pixel is known."""
    if is_known.all() or len(is_known) == 1:
        return picture * is_known[..., None]
    half = (len(is_known) // 2, len(is_known) // 2)
    weights = cv2.resize(is_known.astype(np.float32), half, interpolation=cv2.INTER_AREA)
    small = cv2.resize(picture * is_known[..., None], half, interpolation=cv2.INTER_AREA)
    coarse = fill_gaps(small / np.maximum(weights, 1e-6)[..., None], weights > 0)
    smooth = cv2.resize(coarse, is_known.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(is_known[..., None], picture, smooth)


# --- neighbourhoods ---------------------------------------------------------------------------------------------------


def grow(where: np.ndarray, pixels: int) -> np.ndarray:
    """(S, S) bool, larger by some pixels on every side."""
    square = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return cv2.dilate(where.astype(np.uint8), square) > 0


def bounding_box(where: np.ndarray) -> tuple[slice, slice]:
    """The smallest rows and columns that hold all of (S, S) bool; empty ones for none."""
    box = []
    for axis in (1, 0):
        index = np.flatnonzero(where.any(axis))
        box.append(slice(index[0], index[-1] + 1) if len(index) else slice(0, 0))
    return tuple(box)


def distance_to(where: np.ndarray) -> np.ndarray:
    """Pixels from each pixel to the nearest of `where`, (S, S) float32."""
    return cv2.distanceTransform((~where).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)


def nearest(values: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """For each pixel the value of the nearest source; values (S, S, ...), sources (S, S) bool. 0 without sources."""
    if not sources.any():
        return np.zeros_like(values)
    _, index = cv2.distanceTransformWithLabels(
        (~sources).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros((index.max() + 1, *values.shape[2:]), values.dtype)
    table[index[sources]] = values[sources]
    return table[index]
