"""The face parser that parse_face.py trained: a network of a loss, a judge, and what finds the parts of own photos."""

from pathlib import Path

import keras

from facegan import files
from facegan.errors import BadInput


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
