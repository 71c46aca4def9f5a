"""What flags of edit.py ask for, as a person writes them: style:hair:57:0.7, mouth:0,4, hair=#8a3b1f."""

from typing import NamedTuple

from facegan.editor import editing
from facegan.editor.editing import Edit, Face
from facegan.errors import BadInput
from facegan.regions import REGIONS


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
    """ "hair:57", "style:hair:57" or "style:hair:57:0.7" in its parts. BadInput says how a style is written."""
    flag, what, *rest = f"--borrow {wish}", *wish.split(":")
    if what != "style":
        return Loan(flag, what, wish.partition(":")[2])
    try:
        region, number, strength = rest if len(rest) == 3 else [*rest, "1"]
        return Loan(flag, what, number, region, float(strength))
    except ValueError:
        raise BadInput(
            f"{flag}: write style:REGION:NUMBER, for instance style:hair:57, or with a strength in 0..1 "
            "style:hair:57:0.7."
        ) from None


def borrow(edit: Edit, loan: Loan, other: Face) -> Edit:
    """The edit with a loan() from another face. Raises BadInput."""
    if loan.what != "style":
        return editing.borrow(edit, other, loan.what)
    try:
        return editing.borrow_style(edit, other, loan.region, loan.strength)
    except BadInput as error:
        raise BadInput(f"{loan.flag}: {error}") from None


def transform(
    edit: Edit, move: tuple[str, ...], scale: tuple[str, ...], turn: tuple[str, ...], mirror: tuple[str, ...]
) -> Edit:
    """The edit with its map moved, scaled, turned and mirrored. Raises BadInput."""
    for wish in move:
        name, (right, down) = name_and_numbers(f"--move {wish}", wish, "NAME:RIGHT,DOWN", 2)
        edit = editing.transform(edit, name, right=right, down=down)
    for wish in scale:
        name, (factor,) = name_and_numbers(f"--scale {wish}", wish, "NAME:FACTOR", 1)
        edit = editing.transform(edit, name, scale=factor)
    for wish in turn:
        name, (degrees,) = name_and_numbers(f"--turn {wish}", wish, "NAME:DEGREES", 1)
        edit = editing.transform(edit, name, turn=degrees)
    for name in mirror:
        edit = editing.transform(edit, name, mirror=True)
    return edit


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


def recolor(edit: Edit, wish: str) -> Edit:
    """The edit with a --color. Raises BadInput."""
    region, _, color = wish.partition("=")
    if region not in REGIONS:
        raise BadInput(f"--color {wish}: write REGION=#rrggbb; the regions are {', '.join(REGIONS)}.")
    return editing.recolor(edit, region, editing.parse_color(color))
