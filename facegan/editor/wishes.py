"""What flags of edit.py ask for, as a person writes them: style:hair:57:0.7, mouth:0,4, hair=#8a3b1f.

They are read before anything is done that takes long; what only a face can refuse is refused later.
"""

from typing import NamedTuple

import numpy as np

from facegan.editor import editing, shaping
from facegan.editor.editing import Edit, Face
from facegan.errors import BadInput, brief
from facegan.regions import PARTS, REGIONS


class Loan(NamedTuple):
    """What a --borrow asks for."""

    flag: str
    what: str
    """a region, map, colors, identity, or style"""
    number: str
    """of the face to borrow from"""
    region: str = ""
    """of a style"""
    strength: float = 1.0
    """of a style"""


def loan(wish: str) -> Loan:
    """ "hair:57", "style:hair:57" or "style:hair:57:0.7" in its parts. BadInput says what there is, and how a style is
    written."""
    flag, what, *rest = f"--borrow {wish}", *wish.split(":")
    if what not in (*REGIONS, *PARTS, "map", "colors", "identity", "style"):
        there_are = f"there are {editing.REGION_WORDS}; map, colors, identity and style:REGION."
        raise BadInput(f"{flag}: cannot borrow {brief(what)!r}: {there_are}")
    if what != "style" and len(rest) != 1:
        raise BadInput(f"{flag}: write WHAT:NUMBER, as hair:57; only a style has a strength, style:hair:57:0.7.")
    if what != "style":
        return Loan(flag, what, *rest)
    try:
        region, number, strength = rest if len(rest) == 3 else [*rest, "1"]
        result = Loan(flag, what, number, region, float(strength))
    except ValueError:
        raise BadInput(
            f"{flag}: write style:REGION:NUMBER, for instance style:hair:57, or with a strength in 0..1 "
            "style:hair:57:0.7."
        ) from None
    try:
        editing.check_style(result.region, result.strength)
    except BadInput as error:
        raise BadInput(f"{flag}: {error}") from None
    return result


def borrow(edit: Edit, loan: Loan, other: Face) -> Edit:
    """The edit with a loan() from another face. Raises BadInput."""
    if loan.what != "style":
        return editing.borrow(edit, other, loan.what)
    try:
        return editing.borrow_style(edit, other, loan.region, loan.strength)
    except BadInput as error:
        raise BadInput(f"{loan.flag}: {error}") from None


def transforms(
    size: int, move: tuple[str, ...], scale: tuple[str, ...], turn: tuple[str, ...], mirror: tuple[str, ...]
) -> list[tuple[str, dict[str, float]]]:
    """The name of a shape and how it changes, as editing.transform() takes them, in their order; size: S. Raises
    BadInput."""
    result = []
    for wish in move:
        name, (right, down) = name_and_numbers(f"--move {wish}", wish, "NAME:RIGHT,DOWN", 2)
        result.append((name, {"right": right, "down": down}))
    for wish in scale:
        name, (factor,) = name_and_numbers(f"--scale {wish}", wish, "NAME:FACTOR", 1)
        result.append((name, {"scale": factor}))
    for wish in turn:
        name, (degrees,) = name_and_numbers(f"--turn {wish}", wish, "NAME:DEGREES", 1)
        result.append((name, {"turn": degrees}))
    result += [(name, {"mirror": True}) for name in mirror]
    for name, how in result:
        shaping.check_transform(size, name, **how)
    return result


def name_and_numbers(flag: str, wish: str, form: str, count: int) -> tuple[str, list[float]]:
    """ "mouth:0,4" -> "mouth", [0, 4]. BadInput says how it is written."""
    name, _, text = wish.partition(":")
    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise BadInput(f"{flag}: write {form}, for instance mouth:{','.join(['2'] * count)}.")
    return name, numbers


def color(wish: str) -> tuple[str, np.ndarray]:
    """The region or part of a --color, and its colour, (3,) in 0..255. Raises BadInput."""
    region, _, text = wish.partition("=")
    if region not in (*REGIONS, *PARTS):
        raise BadInput(f"--color {wish}: write REGION=#rrggbb; the regions are {editing.REGION_WORDS}.")
    return region, editing.parse_color(text)
