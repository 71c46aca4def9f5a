"""Pictures of one colour, which tests find again in grids and files."""

import numpy as np

RED, BLUE = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])


def pictures_of(color, n: int = 1, size: int = 16) -> np.ndarray:
    """(N, S, S, 3) of one colour."""
    return np.tile(np.asarray(color, np.float32), (n, size, size, 1))
