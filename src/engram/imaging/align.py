"""PET on the grid of the CT (paper 2.2): linear interpolation by world coordinates, no deformation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813

from engram.errors import ImagingError
from engram.imaging.volume import Grid, Volume

MIN_OVERLAP = 0.5  # of the smaller field of view; PET and CT of one session overlap nearly wholly


@dataclass(frozen=True)
class AlignedPet:
    """PET on the grid of the CT.

    volume: float32, 0 outside the PET's field of view.
    coverage: share in (0, 1] of the CT's voxel centres that lie inside the PET's field of view.
    """

    volume: Volume
    coverage: float


def pet_on_ct_grid(pet: Volume, ct: Volume, *, patient_id: str) -> AlignedPet:
    """Resample PET to origin, spacing, size and direction of the CT (paper 2.2).

    The field of view reaches to the outer edges of the outermost PET voxels.
    Raises ImagingError where both do not overlap, or by less than half of the smaller field of view.
    """
    # NaN marks what lies outside: a scan has no NaN of its own, read_volume refuses them.
    voxels = _resampled(pet, ct.grid, outside=float("nan"))
    outside = np.isnan(voxels)
    coverage = 1.0 - float(outside.mean())
    _check_overlap(coverage, pet, ct, patient_id)
    voxels[outside] = 0.0
    return AlignedPet(Volume(voxels, ct.grid, pet.source), coverage)


def _resampled(volume: Volume, grid: Grid, *, outside: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    resample = sitk.ResampleImageFilter()
    resample.SetInterpolator(sitk.sitkLinear)
    resample.SetSize(grid.shape[::-1])
    resample.SetOutputSpacing(grid.spacing_mm[::-1])
    resample.SetOutputOrigin(grid.origin_mm)
    resample.SetOutputDirection(grid.direction)
    resample.SetOutputPixelType(sitk.sitkFloat32)
    resample.SetDefaultPixelValue(outside)
    array: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = sitk.GetArrayFromImage(
        resample.Execute(_image(volume))
    )
    return array


def _image(volume: Volume) -> sitk.Image:
    image = sitk.GetImageFromArray(volume.voxels.astype(np.float32, copy=False))
    image.SetSpacing(volume.grid.spacing_mm[::-1])
    image.SetOrigin(volume.grid.origin_mm)
    image.SetDirection(volume.grid.direction)
    return image


def _check_overlap(coverage: float, pet: Volume, ct: Volume, patient_id: str) -> None:
    smaller_ml = min(pet.grid.volume_ml, ct.grid.volume_ml)
    overlap = coverage * ct.grid.volume_ml / smaller_ml
    if overlap >= MIN_OVERLAP:
        return
    reason = "PET and CT do not overlap" if coverage == 0 else "PET and CT overlap too little"
    raise ImagingError(
        patient_id,
        reason,
        file=pet.source,
        value=f"{overlap:.0%} of the smaller one; PET {pet.grid.describe()}; CT {ct.grid.describe()}",
        mend="Check that both are of one session and keep the scanner's coordinates (origin and direction).",
    )
