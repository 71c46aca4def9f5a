"""How a region of one face fits another: moved and scaled to its head, without slits, without bare skulls. Arrays only.

S is the working size, R the number of regions: 7, or the 18 parts. Labels are (S, S) uint8, CelebAMask-HQ ids 0..18; a
map of regions is (S, S) uint8, 0 background, 1..R the region that each pixel shows, of 18 parts their ids.
"""

import cv2
import numpy as np

from facegan.editor.compositing import grow, nearest
from facegan.regions import LABEL_NUMBERS, PARTS


def ids(*parts: str) -> list[int]:
    return [1 + PARTS.index(part) for part in parts]


EYES, NOSE, MOUTH = (ids("l_eye"), ids("r_eye")), ids("nose"), ids("mouth", "u_lip", "l_lip")
CHEEKS = [*ids("skin"), *NOSE, *MOUTH]
BROWS, (NECK, HAIR, SKIN, CLOTHES) = ids("l_brow", "r_brow"), ids("neck", "hair", "skin", "cloth")
FACE = [*CHEEKS, *EYES[0], *EYES[1], *BROWS, *ids("eye_g", "l_ear", "r_ear")]


def similarity(labels: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The move, turn and scale that brings the face of one label map to that of another, (2, 3): matrix @ (x, y, 1).

    The least squares of the distances between the landmarks() that both maps have (Umeyama, Least-squares estimation of
    transformation parameters between two point patterns, PAMI 1991); in the plane, with points as complex numbers, that
    is a regression with one factor. The identity where fewer than two are in common, or where it would turn by more
    than 45 degrees or scale by more than 2: no pair of faces needs that.
    """
    pairs = zip(landmarks(labels), landmarks(target), strict=True)
    points = np.array([pair for pair in pairs if None not in pair], complex).reshape(-1, 2)
    x, y = (points - points.mean(0)).T if len(points) else points.T
    spread = (np.abs(x) ** 2).sum()
    factor = (x.conj() * y).sum() / spread if spread > 0 else 0j
    if not 0.5 < abs(factor) < 2 or abs(np.angle(factor)) > np.pi / 4:
        return np.eye(2, 3)
    shift = points[:, 1].mean() - factor * points[:, 0].mean()
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def landmarks(labels: np.ndarray) -> list[complex | None]:
    """Eight points as x + iy, None for those that a map lacks: the centres of both eyes, nose and mouth, and the left
    and right edge of the face at nose and mouth. A head that turns moves the edges less than the features, and hair
    goes with the edges."""
    nose, mouth = center(labels, NOSE), center(labels, MOUTH)
    points = [center(labels, EYES[0]), center(labels, EYES[1]), nose, mouth]
    cheeks = np.isin(labels, CHEEKS)
    for point in (nose, mouth):
        columns = [] if point is None else np.flatnonzero(cheeks[round(point.imag)])
        points += [complex(columns[end], point.imag) if len(columns) else None for end in (0, -1)]
    return points


def center(labels: np.ndarray, ids: list[int]) -> complex | None:
    """The centre of a part as x + iy, None where the map has no pixel of it."""
    y, x = np.nonzero(np.isin(labels, ids))
    return complex(x.mean(), y.mean()) if len(x) else None


def move(where: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(S, S) bool under a similarity. A pixel is of it where the four pixels that it comes from are by half, the nearer
    ones counting more: an enlarged rim is a slope, not a staircase. What the frame cuts off goes on outside: straight
    at the sides and at the bottom, where hair falls, and as a dome at the top."""
    margin = len(where) // 4
    padded = np.pad(where, ((margin, margin), (margin, margin)), mode="edge").astype(np.uint8)
    wide = padded.copy()
    wide[:margin] = 0
    edges = np.flatnonzero(np.diff(wide[margin], prepend=0, append=0))
    for left, right in edges.reshape(-1, 2):
        middle, half_width = ((left + right) // 2, margin), (right - left) // 2
        cv2.ellipse(wide, middle, (int(half_width), int(half_width) // 3), 0, 180, 360, 1, cv2.FILLED)
    wide[margin:] = padded[margin:]  # an ellipse reaches a pixel too far
    from_margin = matrix - np.array([[0, 0, 1]]) * (matrix[:, :2].sum(1) * margin)[:, None]
    return cv2.warpAffine(255 * wide, from_margin, where.shape[::-1], flags=cv2.INTER_LINEAR) > 127


def place(number: int, other: np.ndarray, masks: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The map of regions of a face once it has region `number` of another, (S, S) uint8: other and labels are the two
    label maps, masks (S, S, R) the face's own. Hair comes without brows, and the face keeps its own."""
    matrix, numbers = similarity(other, labels), LABEL_NUMBERS[masks.shape[-1]]
    if number == numbers[HAIR]:
        hair = move(other == HAIR, matrix)
        theirs = hair | own_brows(numbers, labels)
    else:
        hair = labels == HAIR
        theirs = move(numbers[other] == number, matrix)
    result = relaid([number], number, theirs, hair, masks, labels)
    rest = (result > 0) & ~theirs
    result[(result == 0) & slits(theirs, rest, max(1, len(labels) // 32))] = number
    return result


def own_brows(numbers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The brows of a map, (S, S) bool, where they are of one region with hair; none where they are parts of their own.
    numbers: label id -> number of its region."""
    return np.isin(labels, BROWS) & (numbers[labels] == numbers[HAIR])


def relaid(
    numbers: list[int],
    shows: np.ndarray | int,
    region: np.ndarray,
    hair: np.ndarray,
    masks: np.ndarray,
    labels: np.ndarray,
) -> np.ndarray:
    """The map of regions of a face once the regions of these numbers cover exactly `region`, (S, S) bool, which shows
    them as `shows` says, (S, S) or one number, and the head has other hair: where they were, what lies beneath() shows.
    (S, S) uint8."""
    now = LABEL_NUMBERS[masks.shape[-1]][labels]
    gone = np.isin(now, numbers) & ~region
    result = np.where(region, shows, now).astype(np.uint8)
    result[gone] = beneath(numbers, hair, masks, labels)[gone]
    return result


def slits(region: np.ndarray, rest: np.ndarray, reach: int) -> np.ndarray:
    """What lies between a region and the rest of the face, as narrow as 2 * reach pixels: (S, S) bool."""
    closed = ~grow(~grow(region | rest, reach), reach)
    return closed & grow(region, reach) & grow(rest, reach)


def beneath(numbers: list[int], hair: np.ndarray, masks: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What each pixel shows when the regions of these numbers are taken away and the head has other hair, (S, S) uint8:
    the last other region of its masks, where the dataset knows what a region covers, else the nearest of background,
    skin (and neck), hair and clothes. But skin only where a head has it, and clothes only inside their convex outline:
    no collar grows where long hair was."""
    count = masks.shape[-1]
    number_of = LABEL_NUMBERS[count]
    now, clothes, skin = number_of[labels], number_of[CLOTHES], set(number_of[[SKIN, NECK]].tolist())
    others = masks * ~np.isin(np.arange(1, count + 1), numbers)
    is_known = others.any(-1)
    top = count - others[..., ::-1].argmax(-1)  # the last of several: all others lie over the skin
    sources = {0, int(number_of[HAIR]), int(clothes), *skin} - set(numbers)
    result = np.where(is_known, top, nearest_of(sources, now)).astype(np.uint8)
    bare = np.isin(result, list(skin)) & ~head(hair, labels, is_known)
    result = np.where(bare, nearest_of(sources - skin, now), result)
    collar = (result == clothes) & ~is_known & ~hull(now == clothes)
    return np.where(collar, 0, result).astype(np.uint8)


def nearest_of(numbers: set[int], now: np.ndarray) -> np.ndarray:
    """For each pixel the nearest of some regions in a map of regions, (S, S) uint8."""
    return nearest(now, np.isin(now, list(numbers)))


def head(hair: np.ndarray, labels: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """Where a face can show skin once its hair is another's, (S, S) bool: inside the convex outline of face and ears,
    and of the neck too where the masks know of skin; and on the skull above the eyes, but not above hair."""
    face, middle = np.isin(labels, FACE), eyes_center(labels)
    outline = np.where(is_known, hull(face | (labels == NECK)), hull(face))
    if middle is None:
        return outline
    rows, columns = np.nonzero(face)
    y, x = np.indices(labels.shape)
    # an ellipse, in which the eyes lie half way from crown to chin, as draughtsmen teach
    half_height, half_width = max(rows.max() - middle.imag, 1), max(columns.max() - columns.min(), 2) / 2
    offset_x, offset_y = x - (columns.max() + columns.min()) / 2, y - middle.imag
    skull = ((offset_x / half_width) ** 2 + (offset_y / half_height) ** 2 <= 1) & (offset_y < 0)
    return outline | (skull & ~beyond(grow(hair, 1), middle))


def eyes_center(labels: np.ndarray) -> complex | None:
    """The middle between the eyes as x + iy, None for a map of fewer than two."""
    left, right = (center(labels, part) for part in EYES)
    return None if left is None or right is None else (left + right) / 2


def beyond(where: np.ndarray, middle: complex) -> np.ndarray:
    """The pixels that lie further from a point than one of `where` in the same direction, or are one, (S, S) bool."""
    size, point, reach = len(where), (middle.real, middle.imag), 1.5 * len(where)
    rays = cv2.warpPolar(where.astype(np.uint8), (2 * size, 4 * size), point, reach, cv2.INTER_NEAREST)
    outwards = np.maximum.accumulate(rays, 1)
    return cv2.warpPolar(outwards, where.shape, point, reach, cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST) > 0


def hull(where: np.ndarray) -> np.ndarray:
    """The convex outline of (S, S) bool, filled."""
    result = np.zeros(where.shape, np.uint8)
    if where.any():
        points = np.argwhere(where)[:, ::-1].astype(np.int32)
        cv2.fillConvexPoly(result, cv2.convexHull(points), 1)
    return result > 0
