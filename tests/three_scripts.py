"""The three training scripts, and the losses that these log."""

import pytest

import pix2pix
import pix2pix_rec
import pix2pix_v2

SCRIPTS = pytest.mark.parametrize("script", [pix2pix, pix2pix_v2, pix2pix_rec], ids=lambda script: script.__name__)
LOSSES = {
    pix2pix: ["g", "d", "gan", "l1", "l1_agree", "push", "identity", "perceptual", "color", "acc_real", "acc_fake"],
    pix2pix_v2: [
        *("g", "d", "gan", "l1", "map_man", "identity", "perceptual", "color"),
        *("map_real", "acc_real", "acc_fake"),
    ],
    pix2pix_rec: ["g", "d", "gan", "l1", "identity", "perceptual", "acc_real", "acc_fake"],
}
