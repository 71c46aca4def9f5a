"""Trainings of eight faces that one device, several devices and several machines must come to the same end with."""

from pathlib import Path

import parse_face
import pix2pix
import pix2pix_rec
from compare import assert_equal_but_for_rounding, checkpoint_variables

NO_FACE_NETWORK = ("--identity", "0", "--perceptual", "0")
FLAGS = {
    pix2pix: ["--epochs", "2", "--modulation", "none", *NO_FACE_NETWORK],
    pix2pix_rec: ["--epochs", "1", "--norm", "batch", *NO_FACE_NETWORK],
    parse_face: ["--epochs", "1"],
}
"""What is trained: dropout, both kinds of normalisation and every loss are among it but the two of the face network, of
which test_dlibnet.py asks that they are means over faces."""
STEPS_OF_AN_EPOCH = 2  # four faces a batch


def command_line(script, data: Path, run: Path, *flags) -> list[str]:
    """The flags of a script's training."""
    tiny = ("--size", "64", "--width", "8", "--batch-size", "4", "--precision", "float64", "--cache", "on")
    return ["--train", "--data", str(data), "--run", str(run), *tiny, *map(str, (*FLAGS[script], *flags))]


def assert_the_same(run: Path, reference: Path, step: int) -> None:
    """Both runs came to the same weights and optimizer states in this step."""
    ours, theirs = (checkpoint_variables(folder / "checkpoints" / f"ckpt-{step}") for folder in (run, reference))
    assert_equal_but_for_rounding(ours, theirs)
