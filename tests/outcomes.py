"""How to call a script for a tiny run, how it ended, and what it left."""

from pathlib import Path

TINY = ("--size", 64, "--width", 8, "--batch-size", 2, "--epochs", 3, "--precision", "float32")
"""Flags of a tiny run: 8 of the 10 faces train, 4 steps an epoch, 12 in all; a sixteenth of the weights."""

NO_FACE_NETWORK = ("--identity", 0, "--perceptual", 0)
"""Saves seconds of tracing where another script's training has these losses."""


def refusal(outcome) -> str:
    """The one sentence with which a call ended that was refused."""
    (sentence,) = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert outcome.status == 1
    assert outcome.err.endswith(sentence + "\n")
    return sentence


def contents(folder: Path) -> dict[str, bytes]:
    """Path in the folder -> bytes, of every file."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
