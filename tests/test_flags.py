"""facegan/flags.py: what stands at a flag is what holds for it."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_type_hints

import pytest

import parse_face
import pix2pix
import pix2pix_rec
import pix2pix_v2
from facegan import flags
from facegan.errors import BadInput
from facegan.flags import Bounds, Kind, Needs


@dataclass
class Args:
    train: Annotated[bool, Kind.CALL] = False
    dry_run: Annotated[bool, Kind.CALL] = False
    epochs: Annotated[int, Bounds(1, 10), Kind.FREE] = 2
    batch_size: Annotated[int, Kind.TRAINING] = 4
    learning_rate_: flags.LearningRate = 1e-3
    weight: flags.Weight = 0.0
    parser: Annotated[Path, Needs("weight")] = Path("parser")


def test_what_binds_a_run():
    names = [field.name for field in dataclasses.fields(Args)]
    assert flags.of_kind(Args, Kind.CALL) == {"train", "dry_run"}
    assert flags.paths(Args) == {"parser"}
    testing, training = Args(weight=1.0), Args(train=True)
    assert [name for name in names[2:] if flags.binds(testing, name)] == ["learning_rate_", "weight", "parser"]
    assert [name for name in names[2:] if flags.binds(training, name)] == ["batch_size", "learning_rate_", "weight"]


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_number_out_of_bounds_is_refused_as_it_was_typed(value):
    with pytest.raises(BadInput, match=f"--learning-rate {value}: expected 1e-12 to 1e"):
        flags.check_bounds(Args(learning_rate_=value))
    flags.check_bounds(Args())


@pytest.mark.parametrize("script", [pix2pix, pix2pix_v2, pix2pix_rec, parse_face], ids=lambda script: script.__name__)
def test_every_number_of_every_script_has_bounds(script):
    numbers = [name for name, kind in get_type_hints(script.Args).items() if kind in (int, float)]
    assert len(numbers) > 5
    assert [name for name in numbers if flags.bounds(script.Args, name) is None] == []
