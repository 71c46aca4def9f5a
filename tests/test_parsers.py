"""facegan/parsers.py: the network of a run of parse_face.py, and which runs hold the same one."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from facegan import parsers
from facegan.errors import BadInput


@pytest.fixture
def run(tmp_path) -> Path:
    """A run with an untrained parser for 16 pixels."""
    photo = keras.Input((16, 16, 3))
    (tmp_path / "run").mkdir()
    keras.Model(photo, keras.layers.Conv2D(19, 1)(photo)).save(tmp_path / "run" / "parser.keras")
    return tmp_path / "run"


def test_a_parser_gives_19_logits_a_pixel_and_is_not_trained_further(run):
    network = parsers.load(run, 16)
    assert network(np.zeros((2, 16, 16, 3), np.float32)).shape == (2, 16, 16, 19)
    assert network.trainable_variables == []
    assert parsers.load(run).input_shape == (None, 16, 16, 3)


def test_a_parser_that_does_not_fit_or_is_not_there_is_a_sentence(run, tmp_path):
    with pytest.raises(BadInput, match="is for 16 pixels, not 64: name another"):
        parsers.load(run, 64)
    with pytest.raises(BadInput, match=r"no .*parser.keras: run `python parse_face.py --train --run .*none`"):
        parsers.load(tmp_path / "none")
    (run / "parser.keras").write_bytes(b"half")
    with pytest.raises(BadInput, match=r"is damaged .*writes it again"):
        parsers.load(run)


def test_a_copy_holds_the_same_parser_and_another_training_does_not(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    assert parsers.are_the_same(run, tmp_path / "copy" / ".." / "run")
    assert parsers.are_the_same(run, copy)
    (copy / "parser.keras").write_bytes(b"another")
    assert not parsers.are_the_same(run, copy)
    shutil.rmtree(copy)
    assert not parsers.are_the_same(run, copy)
