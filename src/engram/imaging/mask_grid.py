"""A mask from the grid it was drawn on to the grid of another scan."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

from engram.imaging.volume import Grid


def mask_on_grid(mask: npt.NDArray[np.bool_], grid: Grid, target: Grid) -> npt.NDArray[np.bool_]:
    """Nearest neighbour by world coordinates: a voxel of `target` is in where its centre lies in one that is."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(grid.spacing_mm[::-1])
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction)
    resample = sitk.ResampleImageFilter()
    resample.SetInterpolator(sitk.sitkNearestNeighbor)
    resample.SetSize(target.shape[::-1])
    resample.SetOutputSpacing(target.spacing_mm[::-1])
    resample.SetOutputOrigin(target.origin_mm)
    resample.SetOutputDirection(target.direction)
    found: npt.NDArray[np.bool_] = sitk.GetArrayFromImage(resample.Execute(image)) != 0
    return found
