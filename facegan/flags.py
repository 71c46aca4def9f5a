"""Rules for a flag, which stand in its Annotated type: its bounds, and whether a run is bound to it."""

import enum
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

from facegan.errors import BadInput


@dataclass(frozen=True)
class Bounds:
    """The smallest and the largest value of a number."""

    low: float
    high: float


class Kind(enum.Enum):
    """How a run is bound to a flag. Without a kind a flag is recorded and bound for good: it made the weights."""

    CALL = "of one call: not recorded"
    FREE = "recorded; a later call may say otherwise"
    TRAINING = "recorded, and bound while training; --test may say otherwise"


@dataclass(frozen=True)
class Needs:
    """The flag has no effect, and binds nothing, where this other one is 0."""

    flag: str


@dataclass(frozen=True)
class Earlier:
    """The value that the flag had, so to speak, in runs that were trained before it existed."""

    value: object


LearningRate = Annotated[float, Bounds(1e-12, 1e38)]
Decay = Annotated[float, Bounds(0, 0.9999999)]
Weight = Annotated[float, Bounds(0, 1e9)]
Share = Annotated[float, Bounds(0, 1)]
Channels = Annotated[int, Bounds(1, 4096)]


def notes(args_type: type, name: str) -> tuple:
    """What stands at a flag beside its type."""
    return getattr(get_type_hints(args_type, include_extras=True)[name], "__metadata__", ())


def fits(args_type: type, name: str, value: object) -> bool:
    """Whether a value, as JSON has it, is one that a flag may have; not whether it is within its bounds."""
    hint = get_type_hints(args_type).get(name)
    if get_origin(hint) is Literal:
        return any(type(value) is type(choice) and value == choice for choice in get_args(hint))
    if hint is Path:
        return isinstance(value, str) and "\0" not in value
    return type(value) is hint


def of_kind(args_type: type, *kinds: Kind) -> set[str]:
    """The names of the flags of one of these kinds."""
    return {field.name for field in fields(args_type) if set(kinds) & set(notes(args_type, field.name))}


def earlier(args_type: type) -> dict:
    """What runs had that were trained before a flag existed, by the flag's name, where that is known."""
    every = {field.name: notes(args_type, field.name) for field in fields(args_type)}
    return {name: note.value for name, marks in every.items() for note in marks if isinstance(note, Earlier)}


def paths(args_type: type) -> set[str]:
    """The names of the flags that are paths."""
    hints = get_type_hints(args_type)
    return {name for name, kind in hints.items() if kind is Path}


def bounds(args_type: type, name: str) -> Bounds | None:
    return next((note for note in notes(args_type, name) if isinstance(note, Bounds)), None)


def check_bounds(args) -> None:
    """Raise BadInput for a number that is too small or too large."""
    for field in fields(args):
        limits, value = bounds(type(args), field.name), getattr(args, field.name)
        if limits and not limits.low <= value <= limits.high:
            raise BadInput(f"{as_typed(field.name, value)}: expected {limits.low:g} to {limits.high:g}.")


def binds(args, name: str) -> bool:
    """Whether a recorded flag must be as it was for what args ask for."""
    training = args.train or args.dry_run
    for note in notes(type(args), name):
        if note is Kind.FREE or (note is Kind.TRAINING and not training):
            return False
        if isinstance(note, Needs) and not getattr(args, note.flag):
            return False
    return True


def as_typed(name: str, value) -> str:
    """A flag as on the command line."""
    flag = name.rstrip("_").replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value}"
