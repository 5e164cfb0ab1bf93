"""A mask from the grid it was drawn on to the grid of another scan."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engram.imaging.itk import resampled, to_itk
from engram.imaging.volume import Grid


def mask_on_grid(mask: npt.NDArray[np.bool_], grid: Grid, target: Grid) -> npt.NDArray[np.bool_]:
    """Nearest neighbour by world coordinates: a voxel of `target` is in where its centre lies in one that is."""
    found: npt.NDArray[np.bool_] = resampled(to_itk(mask, grid), target, linear=False) != 0
    return found
