"""The face parser that parse_face.py trained: a loss uses it, a judge, and it draws the maps of own photographs."""

import json
import math
import random
import warnings
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf

from facegan import files, prepared
from facegan.errors import BadInput, brief
from facegan.labelmaps import IDS
from facegan.regions import MASK_SIZE

LARGEST, LARGEST_CONFIG = 10**9, 4 * 10**6
"""Bytes of a parser's weights, of what one of its layers gives for one face, and of its description."""
warnings.filterwarnings("error", category=UserWarning, module=r"keras\.src\.saving\.saving_lib")  # of weights left out
AGAIN = "the --train of its run writes it again."


def how_to_train(run: Path, size: int | None = None) -> str:
    """What to type for a parser of a size; None: that of the data, whichever it is."""
    return f"run `python parse_face.py --train --data FOLDER --size {size or 'SIZE'} --run {run}`"


def load(run: Path, size: int | None = None) -> keras.Model:
    """The network of a run of parse_face.py: photo (B, S, S, 3) in 0..1 -> logits (B, S, S, 19). Raises BadInput when
    there is none, or when it is damaged or not of this size."""
    path = run / "parser.keras"
    if not path.is_file():
        raise BadInput(f"no {path}: {how_to_train(run, size)}, or name its run with --parser.")
    try:
        check_declared(path)
        network = keras.saving.load_model(path, compile=False)
    except BadInput:
        raise
    except Exception as error:  # a damaged archive raises anything
        raise BadInput(f"{path} is damaged ({brief(error)}): {AGAIN}") from None
    if not all(np.isfinite(weight).all() for weight in network.get_weights()):
        raise BadInput(f"{path} has weights that are NaN or infinite: {AGAIN}")
    network.trainable = False
    if size not in (None, network.input_shape[1]):
        raise BadInput(f"the parser in {run} is for {network.input_shape[1]} pixels, not {size}: name another.")
    return network


def check_declared(path: Path) -> None:
    """Raise BadInput, or any error of a damaged archive, unless a .keras file declares a parser of bounded size. A file
    of some kB may declare a network of many GB, which is not allocated."""
    with files.open_regular(path, LARGEST) as file, zipfile.ZipFile(file) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("it is compressed, which Keras does not do")
        if archive.getinfo("config.json").file_size > LARGEST_CONFIG:
            raise BadInput(f"{path} is too large: at most {LARGEST_CONFIG / 1e6:.0f} MB describe a parser.")
        network = without_weights(json.loads(archive.read("config.json")))
        with archive.open("model.weights.h5") as stored, h5py.File(stored, "r") as weights:
            arrays = [item for item in items_of(weights) if isinstance(item, h5py.Dataset)]
            if any(array.external or array.is_virtual for array in arrays):
                raise BadInput(f"{path} takes weights from other files, which parse_face.py never does: {AGAIN}")
            saved = [array.nbytes for array in arrays]
    declared = [4 * count(variable.shape) for variable in network.variables]
    outputs = [4 * count(layer.output.shape) for layer in network.layers]
    if max(sum(saved), sum(declared), *outputs) > LARGEST:
        raise BadInput(f"{path} is too large: at most {LARGEST / 1e9:.0f} GB of weights, or of what a layer gives.")
    shapes = [tuple(x.shape) for x in (*network.inputs, *network.outputs)]
    s = shapes[0][1]
    if shapes != [(None, s, s, 3), (None, s, s, IDS)] or not prepared.is_size(s):
        raise BadInput(
            f"{path} is no parser: it makes {brief(shapes[-1])} of {brief(shapes[0])}, expected (S, S, 3) to "
            f"(S, S, {IDS}); name a run of parse_face.py with --parser."
        )


def without_weights(config: dict) -> keras.Model:
    """The network that a config.json describes, built in a graph that never runs, where a variable takes no memory."""
    state = random.getstate()
    try:
        with tf.Graph().as_default():
            return keras.saving.deserialize_keras_object(config)
    finally:
        random.setstate(state)  # initializers draw their seeds from it, and a training's must not depend on this


def count(shape: tuple[int | None, ...]) -> int:
    """The numbers of an array, of one face where the batch is free."""
    return math.prod(n or 1 for n in shape)


def items_of(group: h5py.Group) -> list:
    """Everything in a group of an HDF5 file, and in the groups in it."""
    items = []
    group.visititems(lambda _, item: items.append(item))
    return items


def are_the_same(one: Path, other: Path) -> bool:
    """Whether two runs of parse_face.py are one, or one is a copy of the other; a run that is gone has no copies."""
    paths = one / "parser.keras", other / "parser.keras"
    return one.resolve() == other.resolve() or (
        all(path.is_file() for path in paths) and files.sha256(paths[0]) == files.sha256(paths[1])
    )


def label_map(parser: keras.Model, photo: np.ndarray) -> np.ndarray:
    """The label map of a photograph (S, S, 3) in 0..1 at the masks' own size: (512, 512) uint8 ids."""
    logits = parser(photo[None], training=False)  # (1, S, S, 19)
    logits = tf.image.resize(logits, (MASK_SIZE, MASK_SIZE))  # not the ids: borders stay smooth
    return logits.numpy()[0].argmax(-1).astype(np.uint8)
