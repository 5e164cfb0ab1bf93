"""PET on the grid of the CT (paper 2.2): linear interpolation by world coordinates, no deformation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

from engram.errors import ImagingError
from engram.imaging.itk import resampled, to_itk
from engram.imaging.volume import Grid, Volume

Floats = npt.NDArray[np.float32]

_SLICES = 16  # resampled at once
# NIfTI keeps the place of whichever corner comes first in the file, to seven digits. Rounded here, one scan gives
# the same bits in whatever order its axes are stored.
_PLACE_DECIMALS = 2  # of a mm
# Added before rounding: without it, places that end in 5 at the third decimal lie on the edge between two
# hundredths, and the last digit of a file decides. From the edges at .003334, values of three decimals are 0.3 um
# away and binary fractions down to 1/128 mm 0.1 um; other values meet one about once in 50.
_OFF_EDGES_MM = 0.001666
_SHARE_DECIMALS = 6  # of cosines, and of voxel sides in mm
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
    image, voxels = itk_image(pet), np.empty(ct.grid.shape, dtype=np.float32)
    grid, inside = _snapped(ct.grid), 0
    # A few slices at a time: the library's own copy of a whole-body grid would take another gibibyte.
    for first in range(0, ct.grid.shape[0], _SLICES):
        slab = voxels[first : first + _SLICES]
        slab[:] = _linear(image, _slices(grid, first, len(slab)))  # rounded once, not slab by slab
        # NaN marks what lies outside: a scan has no NaN of its own, read_volume refuses them.
        outside = np.isnan(slab)
        slab[outside] = 0.0
        inside += outside.size - int(outside.sum())
    coverage = inside / voxels.size
    _check_overlap(coverage, pet, ct, patient_id)
    return AlignedPet(Volume(voxels, ct.grid, pet.source), coverage)


def itk_image(volume: Volume) -> sitk.Image:
    """The volume as an ITK image of float32, its place rounded to 0.01 mm."""
    return to_itk(volume.voxels.astype(np.float32, copy=False), _snapped(volume.grid))


def on_grid(image: sitk.Image, grid: Grid) -> Floats:
    """The image on `grid`, float32 (z, y, x): linear between its voxel centres, NaN outside its field of view.

    The place of `grid` is rounded to 0.01 mm.
    """
    return _linear(image, _snapped(grid))


def _linear(image: sitk.Image, grid: Grid) -> Floats:
    return resampled(image, grid, linear=True, outside=float("nan"))


def _snapped(grid: Grid) -> Grid:
    z, y, x = (round(side, _SHARE_DECIMALS) for side in grid.spacing_mm)
    ox, oy, oz = (round(place + _OFF_EDGES_MM, _PLACE_DECIMALS) for place in grid.origin_mm)
    direction = tuple(round(cosine, _SHARE_DECIMALS) for cosine in grid.direction)
    return Grid(grid.shape, (z, y, x), (ox, oy, oz), direction)


def _slices(grid: Grid, first: int, count: int) -> Grid:
    """The grid of `count` axial slices, from number `first` on."""
    x, y, z = (first * grid.spacing_mm[0] * cosine for cosine in grid.direction[2::3])
    ox, oy, oz = grid.origin_mm
    return replace(grid, shape=(count, *grid.shape[1:]), origin_mm=(ox + x, oy + y, oz + z))


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
