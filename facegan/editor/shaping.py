"""How a map changes shape: a region or part moved, scaled, turned, mirrored; mouth, eyes and hair by an amount. Arrays
only.

S is the working size, R the number of regions: 7, or the 18 parts. Every function takes a face's masks (S, S, R) uint8
of 0/1 and its labels (S, S) uint8, CelebAMask-HQ ids 0..18, and returns the new map of regions, (S, S) uint8: 0
background, 1..R the region that each pixel shows. What a shape leaves shows what borrowing.beneath() says. All raise
BadInput for a face that lacks the part.
"""

import math

import numpy as np

from facegan.editor import borrowing
from facegan.editor.borrowing import BROWS, EYES, FACE, HAIR, MOUTH, SKIN, ids, own_brows, slits
from facegan.editor.compositing import bounding_box, nearest
from facegan.errors import BadInput, brief
from facegan.regions import LABEL_NUMBERS, MIRRORED_LABEL, PARTS, REGIONS

NAMES = tuple(dict.fromkeys([*REGIONS, *PARTS]))
"""What can be moved: the regions, and the parts by CelebAMask-HQ's names; hair is without brows under either name."""
SCALES = (0.25, 4)
"""How small and how large a shape can be made at a time."""
CLOSED_EYE, CLOSED_MOUTH = 1 / 8, 1 / 3
"""What stays of their height: the line of the lashes, the lips."""

OVER_SKIN = [*EYES[0], *EYES[1], *MOUTH, *BROWS, *ids("nose", "eye_g")]
UNDER_HAIR = [0, *ids("l_ear", "r_ear", "cloth", *REGIONS["accessories"])]


def shape(labels: np.ndarray, name: str) -> np.ndarray:
    """Where a map shows a region or part of NAMES, (S, S) bool."""
    check_name(name)
    return np.isin(labels, HAIR if name == "hair" else ids(*REGIONS.get(name, [name])))


def check_name(name: str) -> None:
    if name not in NAMES:
        raise BadInput(f"there is no {brief(name)!r} to move: there are {', '.join(NAMES)}.")


def needed(labels: np.ndarray, name: str) -> np.ndarray:
    """shape(). Raises BadInput where the map has no pixel of it."""
    where = shape(labels, name)
    if not where.any():
        raise BadInput(f"this map shows no {name}: paint or borrow some first.")
    return where


def check_amount(what: str, amount: float) -> None:
    if not -1 <= amount <= 1:
        raise BadInput(f"{what} goes from -1 to 1, not {amount:g}.")


# --- move, scale, turn, mirror ----------------------------------------------------------------------------------------


def transform(
    masks: np.ndarray,
    labels: np.ndarray,
    name: str,
    right: float = 0,
    down: float = 0,
    scale: float = 1,
    turn: float = 0,
    mirror: bool = False,
) -> np.ndarray:
    """The map with a region or part of NAMES mirrored left to right, scaled and turned about the middle of its box, and
    then moved. A pair, as eyes are, moves as one, and so does a region that a map of parts has in pieces.

    right, down: pixels of the working size, -S..S; scale: a factor, within SCALES; turn: degrees clockwise, -180..180.
    The shape covers what it comes to lie on, but skin leaves free what lies over it. Raises BadInput for numbers beyond
    that, and for a map without the shape.
    """
    check_transform(len(labels), name, right, down, scale, turn)
    number_of = LABEL_NUMBERS[masks.shape[-1]]
    old, now = needed(labels, name), number_of[labels]
    how, numbers = matrix(box(old), right, down, scale, turn, mirror), np.unique(now[old]).tolist()
    moved, shows = moved_pieces(old, now, labels, how, number_of[SKIN])
    if mirror and len(numbers) > 1:  # of several parts: left and right ones change places
        shows[moved] = MIRRORED_LABEL[shows[moved]]
    region = moved | np.isin(now, numbers) & ~old
    hair = moved if name == "hair" else labels == HAIR
    result = borrowing.relaid(numbers, shows, region, hair, masks, labels)
    opened = (result == 0) & np.isin(now, numbers)
    opened &= slits(region, (result > 0) & ~region, len(labels) // 16)
    result[opened] = nearest(shows, region)[opened]
    return result


def moved_pieces(
    old: np.ndarray, now: np.ndarray, labels: np.ndarray, how: np.ndarray, skin: int
) -> tuple[np.ndarray, np.ndarray]:
    """A shape `old`, (S, S) bool, of a map of regions, moved as a matrix says: where it is then, (S, S) bool, and the
    map with it there, (S, S) uint8. skin: its number."""
    moved, shows = np.zeros(old.shape, bool), now.copy()
    numbers = np.unique(now[old])
    for number in numbers:
        piece = old & (now == number)
        if number == skin:  # it goes on under what lies over it
            over = np.isin(labels, OVER_SKIN)
            there = borrowing.move(piece | over, how) & ~over
        else:
            there = borrowing.move(piece, how)
        moved |= there
        shows[there] = number
    if len(numbers) > 1:  # a pixel between two pieces may be half of neither
        seam = borrowing.move(old, how) & ~moved
        shows[seam] = nearest(shows, moved)[seam]
        moved |= seam
    return moved, shows


def check_transform(
    size: int, name: str, right: float = 0, down: float = 0, scale: float = 1, turn: float = 0, mirror: bool = False
) -> None:
    """Raise BadInput for what transform() takes for no face of this size."""
    check_name(name)
    limits = {
        "right": (right, -size, size), "down": (down, -size, size), "scale": (scale, *SCALES), "turn": (turn, -180, 180)
    }  # fmt: skip
    for what, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise BadInput(f"{what} of {name} goes from {low:g} to {high:g}, not {value:g}.")


def box(where: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom edge of (S, S) bool, right and bottom exclusive."""
    rows, columns = bounding_box(where)
    return int(columns.start), int(rows.start), int(columns.stop), int(rows.stop)


def matrix(
    edges: tuple[int, int, int, int], right: float, down: float, scale: float, turn: float, mirror: bool
) -> np.ndarray:
    """What transform() does to a point, (2, 3): matrix @ (x, y, 1), the middle of pixel (0, 0) being the origin."""
    left, top, end, bottom = edges
    middle = np.array([(left + end - 1) / 2, (top + bottom - 1) / 2])
    cosine, sine = scale * math.cos(math.radians(turn)), scale * math.sin(math.radians(turn))
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([-1 if mirror else 1, 1])
    return np.column_stack([linear, middle - linear @ middle + (right, down)])


# --- by an amount -----------------------------------------------------------------------------------------------------


def open_mouth(masks: np.ndarray, labels: np.ndarray, amount: float) -> np.ndarray:
    """The map with the lower edge of the mouth moved, most in its middle. amount 1: down by half of the mouth's width,
    at most two thirds of the way to the chin; -1: up, until CLOSED_MOUTH of its height is left."""
    check_amount("open mouth", amount)
    mouth = needed(labels, "mouth")
    left, _, right, end = box(mouth)
    x = np.arange(len(labels))
    across = np.clip((2 * x - (left + right - 1)) / (right - left), -1, 1)  # -1 to 1 over the mouth
    top, bottom = edges_of_columns(mouth)
    if amount > 0:
        below = np.flatnonzero(np.isin(labels, FACE)[:, (left + right) // 2])
        room = max(0, below.max(initial=0) + 1 - end) * 2 / 3
        drop = amount * min((right - left) / 2, room) * np.sqrt(1 - across**2)
    else:
        drop = amount * (1 - CLOSED_MOUTH) * (bottom - top)
    drop = np.rint(drop).astype(int)
    region = between(top, bottom + drop, mouth)
    numbers = LABEL_NUMBERS[masks.shape[-1]][MOUTH]
    shows = opened_lips(labels, bottom, drop) if numbers[0] != numbers[1] else numbers[0]
    return borrowing.relaid(numbers.tolist(), shows, region, labels == HAIR, masks, labels)


def opened_lips(labels: np.ndarray, bottom: np.ndarray, drop: np.ndarray) -> np.ndarray:
    """Which parts a mouth shows once its lower lip has moved down by `drop` pixels, up where that is negative, (S, S)
    uint8: between the lips, the inside. bottom, drop: of each column, (S,) int."""
    inside, _, lower = MOUTH
    rows = np.arange(len(labels))[:, None]
    start = np.where((labels == lower).any(0), (labels == lower).argmax(0), bottom)  # of the lower lip
    sources = np.clip(np.where(rows >= start + drop, rows - drop, rows), 0, len(rows) - 1)
    shows = np.take_along_axis(labels, sources, 0)
    is_between = (rows >= start) & (rows < start + drop)
    return np.where(is_between | ~np.isin(shows, MOUTH), inside, shows).astype(np.uint8)


def close_eyes(masks: np.ndarray, labels: np.ndarray, amount: float) -> np.ndarray:
    """The map with the upper edge of each eye moved. amount 1: down, until CLOSED_EYE of its height is left and at
    least a pixel; -1: up by half of its height, but not over the brows."""
    check_amount("close eyes", amount)
    needed(labels, "eyes")
    number_of = LABEL_NUMBERS[masks.shape[-1]]
    region, shows = np.zeros(labels.shape, bool), number_of[labels]
    for part in EYES:
        eye = np.isin(labels, part)
        top, bottom = edges_of_columns(eye)
        height = (bottom - top) * (1 - amount * (1 - CLOSED_EYE if amount > 0 else 1 / 2))
        lid = between(bottom - np.maximum(np.rint(height), 1), bottom, eye)
        region |= lid
        shows[lid] = number_of[part[0]]
    numbers = number_of[[*EYES[0], *EYES[1]]].tolist()
    return borrowing.relaid(numbers, shows, region & ~np.isin(labels, BROWS), labels == HAIR, masks, labels)


def edges_of_columns(where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each column of (S, S) bool, and the row after its last: (S,) each; 0 and 0 without a pixel."""
    has_any = where.any(0)
    return where.argmax(0) * has_any, (len(where) - where[::-1].argmax(0)) * has_any


def between(top: np.ndarray, bottom: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The rows from top to before bottom, (S,) each, in the columns in which `where` has any, (S, S) bool."""
    y = np.arange(len(where))[:, None]
    return (y >= top) & (y < bottom) & where.any(0)


def lengthen_hair(masks: np.ndarray, labels: np.ndarray, amount: float) -> np.ndarray:
    """The map with longer or shorter hair. amount 1: it falls lower by the height of the face; -1: it is cut level at
    the eyes. What is shorter already stays."""
    check_amount("longer hair", amount)
    hair = needed(labels, "hair")
    _, crown, _, end = box(hair)
    left, top, right, chin = box(np.isin(labels, FACE))
    if amount > 0:
        new = fallen(hair, labels, round(amount * (chin - top)), (left + right - 1) / 2, (right - left) / 4)
    else:
        eyes = borrowing.eyes_center(labels)
        level = (crown + end) / 2 if eyes is None else eyes.imag
        new = hair.copy()
        new[round(end + amount * max(0, end - level)) :] = False
    number_of = LABEL_NUMBERS[masks.shape[-1]]
    number = int(number_of[HAIR])
    return borrowing.relaid([number], number, new | own_brows(number_of, labels), new, masks, labels)


def fallen(hair: np.ndarray, labels: np.ndarray, pixels: int, middle: float, inner: float) -> np.ndarray:
    """Hair, (S, S) bool, that falls lower by some pixels: behind face, neck and jewellery, before ears and clothes;
    straight, and inwards where the face leaves room, but no nearer to the column `middle` than `inner`."""
    x = np.arange(len(hair))
    outer = np.clip(x + np.where(x < middle, -1, 1), 0, len(x) - 1)
    may_fall = np.isin(labels, UNDER_HAIR) & (np.abs(x - middle) > inner)
    below = np.where(hair, 0, pixels + 1)  # how far each pixel lies below hair
    for y in range(1, len(hair)):
        above = np.minimum(below[y - 1], below[y - 1, outer]) + 1
        below[y] = np.where(may_fall[y], np.minimum(below[y], above), below[y])
    return (below <= pixels) & ~np.isin(labels, ids(*REGIONS["accessories"]))
