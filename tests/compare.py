"""What two trainings came to: the variables of their checkpoints, and whether they are equal but for rounding."""

from pathlib import Path

import numpy as np
import tensorflow as tf

ENDING = "/.ATTRIBUTES/VARIABLE_VALUE"


def checkpoint_variables(checkpoint: Path) -> dict[str, np.ndarray]:
    """Every variable of a checkpoint, or of the newest one of a folder: weights, optimizer state, dropout seeds, step.
    How often was saved is left out, the only number that an interruption may change."""
    reader = tf.train.load_checkpoint(str(checkpoint))
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith(ENDING)]
    return {name.removesuffix(ENDING): reader.get_tensor(name) for name in names if not name.startswith("save_counter")}


def assert_equal_but_for_rounding(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    """Trainings in float64 agree to 1e-9 of the largest number of each variable: weights and Adam's moments, since
    gradients that are twice too large double these but leave the weights nearly as they are.

    In float32 nothing like it holds: Adam makes steps of full size of gradients that are nearly zero, whose sign the
    order of a sum decides.
    """
    assert a.keys() == b.keys()
    for name, expected in b.items():
        if expected.dtype.kind == "f":
            assert expected.dtype == np.float64, name
            np.testing.assert_allclose(a[name], expected, rtol=0, atol=1e-9 * np.abs(expected).max(), err_msg=name)
        else:  # steps, seeds
            np.testing.assert_array_equal(a[name], expected, name)
