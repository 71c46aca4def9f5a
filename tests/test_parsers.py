"""facegan/parsers.py: the network of a run of parse_face.py, and which runs hold the same one."""

import contextlib
import io
import json
import random
import resource
import shutil
import zipfile
from pathlib import Path

import h5py
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
    with pytest.raises(
        BadInput, match=r"no .*parser.keras: run `python parse_face.py --train --data FOLDER --size SIZE --run .*none`"
    ):
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


def save(network: keras.Model, run: Path) -> None:
    network.save(run / "parser.keras")


def rewrite(path: Path, change) -> None:
    """Change config.json in a .keras file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config["config"]["layers"])
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def convolved(shape: tuple, filters: int, **options) -> keras.Model:
    photo = keras.Input(shape)
    return keras.Model(photo, keras.layers.Conv2D(filters, 1, **options)(photo))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda: convolved((16, 16, 3), 20), r"makes \(None, 16, 16, 20\) of"),
        (lambda: convolved((16, 16, 4), 19), r"of \(None, 16, 16, 4\)"),
        (lambda: convolved((16, 32, 3), 19), r"of \(None, 16, 32, 3\)"),
        (lambda: convolved((None, None, 3), 19), r"of \(None, None, None, 3\)"),
        (lambda: convolved((17, 17, 3), 19), r"of \(None, 17, 17, 3\)"),
        (lambda: convolved((16, 16, 3), 19, strides=2), r"makes \(None, 8, 8, 19\)"),
    ],
)
def test_a_network_that_is_no_parser_is_a_sentence(network, words, run):
    save(network(), run)
    with pytest.raises(BadInput, match=rf"parser\.keras is no parser: it .*{words}.*name a run of parse_face\.py"):
        parsers.load(run)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_a_sentence(value, run):
    network = parsers.load(run)
    kernel, bias = network.get_weights()
    bias[7] = value
    network.set_weights([kernel, bias])
    save(network, run)
    with pytest.raises(BadInput, match="weights that are NaN or infinite: the --train of its run writes it again"):
        parsers.load(run)


def wide(layers: list[dict]) -> None:
    """30,000 channels of 64 x 64 kernels, then 19 channels: 1.5 GB and a 3 GB kernel in a file of some kB."""
    layers[1]["config"].update(filters=30_000, kernel_size=[64, 64], padding="same")


def long(layers: list[dict]) -> None:
    layers[1]["config"].update(filters=2**30)


@pytest.mark.parametrize("change", [wide, long])
def test_a_small_file_that_declares_a_large_network_allocates_nothing(change, run):
    path = run / "parser.keras"
    rewrite(path, change)
    assert path.stat().st_size < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadInput, match=r"parser\.keras is too large: at most 1 GB"):
        parsers.load(run)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


def rewrite_weights(path: Path, write) -> None:
    """Put other weights, which write() writes into a HDF5 file, into a .keras file."""
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        write(file)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | {"model.weights.h5": weights.getvalue()}).items():
            archive.writestr(name, content)


def test_a_small_file_of_large_weights_allocates_nothing(run):
    path = run / "parser.keras"
    shape = (30_000, 30_000)
    rewrite_weights(path, lambda file: file.create_dataset("vars/0", shape, "f4", chunks=(1000, 1000)))  # nothing in it
    assert path.stat().st_size < 200_000
    with pytest.raises(BadInput, match=r"parser\.keras is too large: at most 1 GB"):
        parsers.load(run)


@pytest.mark.parametrize(
    "change",
    [
        lambda layers: layers.clear(),
        lambda layers: layers[1].update(class_name="Lambda"),
        lambda layers: layers[1]["config"].update(filters=-3),
        lambda layers: layers[1]["config"].update(filters="many"),
        lambda layers: layers[0]["config"].update(batch_shape=7),
    ],
)
def test_a_damaged_description_is_a_sentence(change, run):
    rewrite(run / "parser.keras", change)
    with pytest.raises(BadInput, match=r"parser\.keras is (damaged|no parser)"):
        parsers.load(run)


def test_a_file_cut_or_changed_anywhere_is_a_sentence_or_harmless(run):
    path = run / "parser.keras"
    whole = path.read_bytes()
    for place in range(0, len(whole), len(whole) // 12):
        for content in (whole[:place], whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]):
            path.write_bytes(content)
            with contextlib.suppress(BadInput):
                assert parsers.load(run).output_shape == (None, 16, 16, 19)


def test_reading_a_parser_draws_no_random_numbers(run):
    """A training's seeds come from the same generator."""
    random.seed(5)
    parsers.check_declared(run / "parser.keras")
    drawn = random.random()
    random.seed(5)
    assert random.random() == drawn


def external(file: h5py.File, secret: Path) -> None:
    file.create_dataset("layers/conv2d/vars/0", (1, 1, 3, 19), "f4", external=[(str(secret), 0, 228)])


def virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((1, 1, 3, 19), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "x", (1, 1, 3, 19))
    file.create_virtual_dataset("layers/conv2d/vars/0", layout)


def linked(file: h5py.File, secret: Path) -> None:
    file["layers/conv2d/vars/0"] = h5py.ExternalLink(str(secret), "x")


@pytest.mark.parametrize("write", [external, virtual, linked])
def test_weights_are_never_read_from_other_files(write, run, tmp_path):
    """A parser that somebody else made could otherwise paint with what lies on this disk."""
    with h5py.File(tmp_path / "secret", "w") as file:
        file["x"] = np.full((1, 1, 3, 19), 7, "f4")
        file["bias"] = np.zeros(19, "f4")

    def write_all(file):
        write(file, tmp_path / "secret")
        file["layers/conv2d/vars/1"] = np.zeros(19, "f4")

    rewrite_weights(run / "parser.keras", write_all)
    with pytest.raises(BadInput, match=r"parser\.keras (takes weights from other files|is damaged)"):
        parsers.load(run)
