"""How a mask lies on the grid of a memory (its exact shares: test_readouts.py)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from engram.memory.drawn import coverage


def test_where_the_frame_is_a_multiple_of_the_grid_it_is_the_mean_of_each_cell() -> None:
    plane = np.random.default_rng(0).random((64, 48)) < 0.4
    pooled = functional.avg_pool2d(torch.from_numpy(plane.astype(np.float64))[None], (8, 3))[0].numpy()
    np.testing.assert_allclose(coverage(plane, (8, 16)), pooled, rtol=0, atol=1e-15)


def test_a_pixel_on_the_line_between_cells_is_shared_by_area() -> None:
    middle = np.array([[False, True, False]])
    assert coverage(middle, (1, 2))[0].tolist() == pytest.approx([1 / 3, 1 / 3])


@pytest.mark.parametrize("shape", [(40, 50), (7, 512)])
def test_a_full_mask_covers_every_cell(shape: tuple[int, int]) -> None:
    np.testing.assert_allclose(coverage(np.ones(shape, dtype=bool), (32, 32)), 1, rtol=0, atol=1e-12)
