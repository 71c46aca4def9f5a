"""How to call a script for a tiny run, how it ended, and what it left."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

TINY = ("--size", 64, "--width", 8, "--batch-size", 2, "--epochs", 3, "--precision", "float32")
"""Flags of a tiny run: 8 of the 10 faces train, 4 steps an epoch, 12 in all; a sixteenth of the weights."""


def refusal(outcome) -> str:
    """The one sentence with which a call ended that was refused."""
    (sentence,) = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert outcome.status == 1
    assert outcome.err.endswith(sentence + "\n")
    return sentence


def contents(folder: Path) -> dict[str, bytes]:
    """Path in the folder -> bytes, of every file."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextlib.contextmanager
def kept_at_step(kept: int, run: Path, copy: Path) -> Iterator[None]:
    """A training into run logs every step; copy is what a kill after a checkpoint of that step would have left."""
    from facegan.checkpoints import Checkpoints  # later, as they import TensorFlow
    from facegan.loop import Training
    from facegan.progress import Progress

    save_in_time = Training.save_in_time

    def save_in_time_and_copy(self) -> bool:
        if self.step == kept:
            shutil.copytree(run, copy)
            state = {name: SimpleNamespace(variables=values) for name, values in self.checkpoints.state.items()}
            Checkpoints(copy, **state).save(kept)
        return save_in_time(self)

    with (
        mock.patch.object(Progress, "LOG_STEPS", 1),
        mock.patch.object(Training, "save_in_time", save_in_time_and_copy),
    ):
        yield
