"""Two devices train what one does: two virtual CPUs, in a process of their own (two_devices.py)."""

import json
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import export
import parse_face
import pix2pix
import pix2pix_rec
import pix2pix_v2
from facegan import devices, pipeline, runtime, steps
from facegan.errors import BadInput
from trainings import STEPS_OF_AN_EPOCH, assert_the_same, command_line

SCRIPTS = (pix2pix_rec, parse_face)
"""pix2pix.py is trained on two machines, in test_machines.py; of pix2pix_v2.py, only its losses are its own."""


@pytest.fixture(scope="module")
def two_devices(prepared_64, tmp_path_factory, run_script) -> Path:
    """The trainings of SCRIPTS on two virtual devices, and overflow.json."""
    folder = tmp_path_factory.mktemp("two-devices")
    trainings = [[script.__name__, *command_line(script, prepared_64, folder / script.__name__)] for script in SCRIPTS]
    trainings.append(trainings[-1])  # once more: finds its checkpoint, and nothing left to do
    outcome = run_script("tests/two_devices.py", folder / "overflow.json", json.dumps(trainings), timeout=600)
    assert outcome.status == 0, outcome.err
    assert outcome.out.count("as 2 devices") == len(trainings)
    assert outcome.out.count("parse_face: trained 2 steps, 1 epochs") == 2
    return folder


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_two_devices_train_what_one_does(script, two_devices, one_device):
    assert_the_same(two_devices / script.__name__, one_device(script), STEPS_OF_AN_EPOCH)


@pytest.mark.parametrize("script", [pix2pix_v2, pix2pix], ids=lambda script: script.__name__)
def test_losses_and_gradients_of_a_batch_are_means_over_its_parts(script, float64, prepared_64, tmp_path, monkeypatch):
    """Hence two devices, with a part each, add up to what one device does. At once, as no graph need be made."""
    args = script.Args(run=tmp_path, size=64, width=8, dropout=0, identity=0, perceptual=0)
    records = pipeline.Records(prepared_64, np.arange(8), 64)
    (batch,) = script.batches_to_paint(records, np.arange(4), np.arange(4, 8), 4)
    monkeypatch.setattr(steps, "compile_step", lambda gradients, *_: gradients)
    gradients = script.make_train_step(args, script.State(args))
    whole, *halves = (
        tf.nest.flatten(gradients({name: value[part] for name, value in batch.items()}))
        for part in (slice(4), slice(2), slice(2, 4))
    )
    assert any(np.any(value) for value in whole)
    for value, first, second in zip(whole, *halves, strict=True):
        error = 1e-9 if value.dtype == tf.float64 else 1e-6  # the discriminator's accuracies are float32
        np.testing.assert_allclose((first + second) / 2, value, rtol=0, atol=error * np.abs(value).max())


def test_a_run_in_float64_is_tested_exported_and_its_parser_kept_in_float32(one_device, prepared_64, tmp_path, call):
    run = one_device(pix2pix_rec)
    for precision in ("float64", "float32"):
        flags = ("--data", prepared_64, "--run", run, "--out", tmp_path / precision, "--precision", precision)
        outcome = call(pix2pix_rec, "--test", *flags)
        assert outcome.status == 0, outcome.err
    a, b = (np.asarray(Image.open(tmp_path / name / "8_rec.png")).astype(int) for name in ("float64", "float32"))
    assert np.abs(a - b).max() <= 1
    outcome = call(export, "--run", run, "--format", "keras", "--out", tmp_path / "export")
    assert outcome.status == 0, outcome.err
    parser = one_device(parse_face) / "parser.keras"
    before = parser.read_bytes()
    assert {w.dtype for w in keras.models.load_model(parser).weights} == {"float32"}
    call(parse_face, *command_line(parse_face, prepared_64, parser.parent))
    assert parser.read_bytes() == before


def test_an_overflow_on_the_second_device_skips_the_step_on_both(two_devices):
    before, overflown, after = json.loads((two_devices / "overflow.json").read_text())
    assert before == [[1, 1], [2**15, 2**15]]
    assert overflown == [[1, 1], [2**14, 2**14]]
    assert after == [[pytest.approx(0.9, abs=1e-5)] * 2, [2**14, 2**14]]


@pytest.mark.parametrize(
    ("batch_size", "number", "sentence"),
    [(3, 2, "shared by 2 devices: use 2 or 4"), (1, 2, "use 2,"), (16, 3, "use 15 or 18"), (4, 8, "use 8,")],
)
def test_a_batch_that_devices_cannot_share_is_refused_with_sizes_that_they_can(
    batch_size, number, sentence, monkeypatch
):
    monkeypatch.setattr(devices, "strategy", lambda: SimpleNamespace(num_replicas_in_sync=number))
    with pytest.raises(BadInput, match=sentence):
        runtime.start(pix2pix.Args(train=True, batch_size=batch_size, precision="float32"))
