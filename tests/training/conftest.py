"""Runs and data that a test may change, and a training step that takes no time."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf

import pix2pix
from facegan.progress import Progress
from three_scripts import LOSSES


@pytest.fixture
def copy(trained, tmp_path) -> Iterator[Path]:
    """A trained run of pix2pix.py, 12 steps long, that a test may change."""
    yield shutil.copytree(trained(pix2pix).run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run")  # a quarter of a gigabyte


@pytest.fixture
def data(prepared_64, tmp_path) -> Path:
    """A prepared folder that a test may change; nothing is packed in it yet."""
    return shutil.copytree(prepared_64, tmp_path / "data", ignore=shutil.ignore_patterns("packed"))


@pytest.fixture
def fake_step(monkeypatch):
    """fake_step(function): in pix2pix.py's training step every loss becomes function(step number), and nothing needs
    compiling; every step is logged. fake_step() alone: losses that are the step number."""

    def fake(loss=float) -> None:
        def step(batch, number):
            return dict.fromkeys(LOSSES[pix2pix], tf.constant(loss(int(number))))

        monkeypatch.setattr(pix2pix, "make_train_step", lambda *_: step)
        monkeypatch.setattr(Progress, "LOG_STEPS", 1)

    return fake
