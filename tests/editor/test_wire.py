"""What goes over the wire."""

import numpy as np

from facegan.editor import wire


def test_a_grid_survives_the_wire():
    rng = np.random.default_rng(0)
    for grid in (np.zeros((512, 512)), rng.integers(0, 8, (64, 64)), rng.choice([255, 254, 3], (64, 64))):
        back = wire.unpack(wire.pack(grid.astype(np.uint8)), len(grid))
        np.testing.assert_array_equal(back, grid)
