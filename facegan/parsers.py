"""The face parser that parse_face.py trained: a loss uses it, a judge, and it draws the maps of own photographs."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from facegan import files
from facegan.errors import BadInput
from facegan.regions import MASK_SIZE


def load(run: Path, size: int | None = None) -> keras.Model:
    """The network of a run of parse_face.py: photo (B, S, S, 3) in 0..1 -> logits (B, S, S, 19). Raises BadInput when
    there is none, or when it is damaged or not of this size."""
    path = run / "parser.keras"
    if not path.is_file():
        raise BadInput(f"no {path}: run `python parse_face.py --train --run {run}`, or name its run with --parser.")
    try:
        network = keras.saving.load_model(path, compile=False)
    except Exception as error:  # a damaged archive raises anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{path} is damaged ({reason}): the --train of its run writes it again.") from None
    network.trainable = False
    if size not in (None, network.input_shape[1]):
        raise BadInput(f"the parser in {run} is for {network.input_shape[1]} pixels, not {size}: name another.")
    return network


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
