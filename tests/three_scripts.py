"""The three training scripts, the flags of their tiny runs, and the losses that these log."""

import pytest

import pix2pix
import pix2pix_rec
import pix2pix_v2
from outcomes import NO_FACE_NETWORK, TINY

SCRIPTS = pytest.mark.parametrize("script", [pix2pix, pix2pix_v2, pix2pix_rec], ids=lambda script: script.__name__)
FLAGS = {pix2pix: TINY, pix2pix_v2: TINY, pix2pix_rec: (*TINY, *NO_FACE_NETWORK)}
"""trainings.py has a run of pix2pix_rec.py with the losses that need the face network."""
LOSSES = {
    pix2pix: ["g", "d", "gan", "l1", "l1_agree", "push", "identity", "perceptual", "color", "acc_real", "acc_fake"],
    pix2pix_v2: [
        *("g", "d", "gan", "l1", "map_man", "identity", "perceptual", "color"),
        *("map_real", "acc_real", "acc_fake"),
    ],
    pix2pix_rec: ["g", "d", "gan", "l1", "acc_real", "acc_fake"],
}
