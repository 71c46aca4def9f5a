"""facegan/dry_run.py: what --dry-run prints."""

import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from facegan import devices
from facegan.dry_run import describe_training
from facegan.run_folder import Split


@pytest.mark.parametrize(("number", "share", "gigabytes"), [(1, 10, "0.6"), (2, 5, "0.3")])
def test_a_dry_run_counts_by_hand(number, share, gigabytes, prepared_64, monkeypatch, capsys):
    """5 million numbers a face, 4 bytes each, three passes."""
    monkeypatch.setattr(devices, "strategy", lambda: SimpleNamespace(num_replicas_in_sync=number))
    inputs = keras.Input((1000, 1000, 3)), keras.Input((7,))
    painted = keras.layers.Conv2D(2, 1)(inputs[0]) + keras.ops.mean(inputs[1])
    network = keras.Model(inputs, painted, name="painter")
    args = SimpleNamespace(data=prepared_64, batch_size=10, precision="float32", size=64, epochs=3)
    faces = Split(np.arange(40), np.arange(0), np.arange(10))
    describe_training(args, faces, {network: 3})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "painter: 1000 x 1000 x 3 + 7 -> 1000 x 1000 x 2, 8 parameters"
    assert f"{gigabytes} layer outputs of {share} faces" in lines[1]
    assert lines[-2:] == ["40 training and 10 test faces: 4 steps an epoch", "3 epochs: 12 steps. Nothing was written."]
    assert lines[1].endswith("0.8 the program)")  # on a CPU
    args.precision = "mixed_bfloat16"
    describe_training(args, faces, {network: 3})
    in_16_bits = re.search(r"([\d.]+) layer outputs", capsys.readouterr().out)[1]
    assert float(in_16_bits) < float(gigabytes)
    args.precision = "float64"
    describe_training(args, faces, {network: 3})
    in_64_bits = re.search(r"([\d.]+) layer outputs", capsys.readouterr().out)[1]
    assert float(in_64_bits) == pytest.approx(2 * float(gigabytes), abs=0.1)
