"""Voxels of a stack: CT in HU, PET in SUVbw, axes as in `Volume`.

Slice after slice is read into its place, so that memory holds one float32 volume and one slice. Slope and intercept
are applied in float64, once, here, each slice with its own; a missing one is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engram.errors import ImagingError
from engram.imaging.dicom.body_axes import body_axes
from engram.imaging.dicom.pixels import StoredPlane, read_plane
from engram.imaging.dicom.series import ImageSlice
from engram.imaging.dicom.stack import Stack
from engram.imaging.plausibility import MAX_HU
from engram.imaging.volume import Volume
from engram.jobs import tell_share

AIR_HU = -1024.0  # padding, where the scanner measured nothing, becomes air
_UNITS_OF_HU = (None, "HU", "US")  # US: unspecified (PS3.3 C.11.1.1.2)
_SLOPE, _INTERCEPT = "Rescale Slope (0028,1053)", "Rescale Intercept (0028,1052)"

Values = npt.NDArray[np.float64]
Convert = Callable[[int, ImageSlice, StoredPlane], Values]


def read_ct(stack: Stack, *, patient_id: str) -> Volume:
    """A CT in HU, float32.

    Pixels of the padding value (Pixel Padding Value, and the range to its limit) that are below -1024 HU become
    -1024 HU; no other value is changed. Raises ImagingError where a slice is unreadable, lacks slope or intercept,
    has values that are not HU, and where all voxels are equal.
    """

    def to_hu(_: int, one: ImageSlice, plane: StoredPlane) -> Values:
        if plane.rescale_type not in _UNITS_OF_HU:
            mend = "Take the series of the same scan in HU."
            value = f"Rescale Type (0028,1054) = {plane.rescale_type}"
            raise ImagingError(patient_id, "CT is not in HU", file=str(one.path), value=value, mend=mend)
        return _without_padding(_rescaled(one, plane, patient_id, "CT"), plane, AIR_HU)

    return _read(stack, to_hu, patient_id, "CT", limit=MAX_HU)


def read_pet(stack: Stack, factors: npt.NDArray[np.float64], *, patient_id: str) -> Volume:
    """A PET in SUVbw, float32: factor x stored x slope; an intercept that is not 0 is refused.

    factors: (n,), SUVbw per unit of the rescaled values, one for each of `stack.slices` in their order. Pixels of
    the padding value that are below 0 become 0; other negative values, which reconstructions have, stay. Raises
    ImagingError as `read_ct`, and ValueError for factors of another number or that are not positive.
    """
    if factors.shape != (len(stack.slices),) or not (np.isfinite(factors) & (factors > 0)).all():
        raise ValueError(f"{len(stack.slices)} slices need as many positive factors, not {factors!r}")

    def to_suv(index: int, one: ImageSlice, plane: StoredPlane) -> Values:
        values = _without_padding(_rescaled(one, plane, patient_id, "PET"), plane, 0.0)
        return np.asarray(factors[index] * values, dtype=np.float64)

    return _read(stack, to_suv, patient_id, "PET", limit=float(np.finfo(np.float32).max))


def _read(stack: Stack, convert: Convert, patient_id: str, what: str, *, limit: float) -> Volume:
    folder = str(stack.slices[0].path.parent)
    axes = body_axes(stack.grid, patient_id=patient_id, what=what, file=folder)
    grid = axes.grid
    voxels = np.empty(grid.shape, dtype=np.float32)
    as_stored = axes.as_stored(voxels)
    lowest, highest = np.inf, -np.inf
    for index, one in enumerate(stack.slices):
        with np.errstate(over="ignore"):  # an infinite value is refused below
            values = convert(index, one, read_plane(one, patient_id=patient_id, what=what))
        low, high = float(values.min()), float(values.max())
        if max(-low, high) > limit:
            value = f"{low:g} to {high:g}, expected within {limit:g}"
            mend = "Look at slope, intercept and pixel representation of this file, or export the series again."
            raise ImagingError(
                patient_id, f"{what} has impossible values", file=str(one.path), value=value, mend=mend
            )
        as_stored[index] = values
        lowest, highest = min(lowest, low), max(highest, high)
        tell_share((index + 1) / len(stack.slices))
    if lowest == highest:
        mend, value = "The scan is blank: export it again.", f"{lowest:g} everywhere"
        raise ImagingError(patient_id, f"{what} is constant", file=folder, value=value, mend=mend)
    return Volume(voxels, grid, folder)


def _rescaled(one: ImageSlice, plane: StoredPlane, patient_id: str, what: str) -> Values:
    slope, intercept = one.slope, one.intercept
    if slope is None or slope <= 0:
        raise _no_scale(f"{_SLOPE} {_in_words(slope)}", one.path, patient_id, what)
    if intercept is None or (what == "PET" and intercept != 0):  # always zero for PET: PS3.3 table C.8-63
        raise _no_scale(f"{_INTERCEPT} {_in_words(intercept)}", one.path, patient_id, what)
    scaled: Values = plane.values * np.float64(slope) + np.float64(intercept)
    return scaled


def _no_scale(value: str, path: Path, patient_id: str, what: str) -> ImagingError:
    mend = "Export the series again: nobody knows what its stored numbers mean."
    return ImagingError(patient_id, f"{what} has no valid scale", file=str(path), value=value, mend=mend)


def _in_words(value: float | None) -> str:
    return "missing or unreadable" if value is None else f"= {value:g}"


def _without_padding(values: Values, plane: StoredPlane, floor: float) -> Values:
    """Padding below `floor` set to it. Padding that looks like tissue is left: headers name it wrongly too."""
    if plane.padding is None:
        return values
    first, last = plane.padding
    padding = (plane.values >= first) & (plane.values <= last) & (values < floor)
    return np.where(padding, floor, values)
