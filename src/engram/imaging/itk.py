"""Between arrays on a grid and ITK images."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

from engram.imaging.volume import Grid


def to_itk(voxels: npt.NDArray[Any], grid: Grid) -> sitk.Image:
    """An array (z, y, x) on `grid` as an ITK image of the array's number type; bool as uint8. It is copied."""
    image = sitk.GetImageFromArray(voxels.astype(np.uint8) if voxels.dtype == np.bool_ else voxels)
    image.SetSpacing(grid.spacing_mm[::-1])
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction)
    return image


def resampled(image: sitk.Image, grid: Grid, *, linear: bool, outside: float = 0.0) -> npt.NDArray[np.float32]:
    """The image on `grid`, float32 (z, y, x), by world coordinates: linear between voxel centres, or the nearest.

    outside: the value beyond the outer edges of the outermost voxels.
    """
    resample = sitk.ResampleImageFilter()
    resample.SetInterpolator(sitk.sitkLinear if linear else sitk.sitkNearestNeighbor)
    resample.SetSize(grid.shape[::-1])
    resample.SetOutputSpacing(grid.spacing_mm[::-1])
    resample.SetOutputOrigin(grid.origin_mm)
    resample.SetOutputDirection(grid.direction)
    resample.SetOutputPixelType(sitk.sitkFloat32)
    resample.SetDefaultPixelValue(outside)
    found: npt.NDArray[np.float32] = sitk.GetArrayFromImage(resample.Execute(image))
    return found
