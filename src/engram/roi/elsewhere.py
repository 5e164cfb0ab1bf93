"""A region where no lesion can be: each of its slices, unchanged, moved into the air beside the body."""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from engram.imaging.body import BODY_HU, BODY_SUV
from engram.imaging.volume import Volume
from engram.roi.bones import Mask

Plane = npt.NDArray[Any]
Voxel = TypeVar("Voxel", bound=np.generic)

_COARSE_MM = 5.0  # sides of the blocks on which a place is sought
_MARGIN_MM = 10.0  # kept between region and body, for skin, clothes and the blur of a PET


class Shift(NamedTuple):
    """Voxels along y and x."""

    y: int
    x: int


Shifts = dict[int, Shift]  # of each slice (z) of the region


def air_shifts(mask: Mask, scan: Volume, *, is_ct: bool) -> Shifts | None:
    """For each slice of the region a shift within the slice that puts it into air and inside the image.

    mask: bool (z, y, x) with some voxels. scan: CT in HU, or PET in SUVbw, on the same grid. The most superior
    slice takes the shortest way, each that follows the place nearest to that of the slice before it: slices keep
    shape and size, and what they are moved by changes no more than it must. None where a slice has no such place:
    the region is too wide there, or the image shows no air.
    """
    step, place, found = _steps(scan), Shift(0, 0), {}
    for z in np.flatnonzero(mask.any(axis=(1, 2)))[::-1]:
        free = _free(mask[z], _body(scan.voxels[z], scan.grid.spacing_mm, step, is_ct=is_ct), step)
        nearest = _nearest(free, place, scan.grid.spacing_mm)
        if nearest is None:
            return None
        found[int(z)] = place = nearest
    return found


def moved(voxels: npt.NDArray[Voxel], shifts: Shifts) -> npt.NDArray[Voxel]:
    """An array (z, y, x) with its slices moved; what comes in is 0, as are slices without a shift."""
    result = np.zeros_like(voxels)
    for z, shift in shifts.items():
        to, source = zip(*(_ends(by, size) for by, size in zip(shift, voxels.shape[1:], strict=True)), strict=True)
        result[(z, *to)] = voxels[(z, *source)]
    return result


def _ends(by: int, size: int) -> tuple[slice, slice]:
    """(where to, where from) along one axis."""
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size + min(-by, 0))


def _steps(scan: Volume) -> Shift:
    _, dy, dx = scan.grid.spacing_mm
    return Shift(max(1, round(_COARSE_MM / dy)), max(1, round(_COARSE_MM / dx)))


def _body(plane: Plane, spacing_mm: tuple[float, float, float], step: Shift, *, is_ct: bool) -> Mask:
    """Blocks that hold no air, with what they enclose (lungs are as dark as air) and a margin.

    Small parts and the table count, too: an arm may be no more than that.
    """
    solid = _blocks(plane, step).mean(axis=(1, 3), dtype=np.float32) > (BODY_HU if is_ct else BODY_SUV)
    y, x = (ceil(_MARGIN_MM / (side * by)) for side, by in zip(spacing_mm[1:], step, strict=True))
    reach = np.ones((2 * y + 1, 2 * x + 1), dtype=np.bool_)
    return np.asarray(ndimage.binary_dilation(ndimage.binary_fill_holes(solid), reach), dtype=np.bool_)


def _blocks(plane: Plane, step: Shift) -> Plane:
    """A slice in blocks, (blocks, step.y, blocks, step.x); the last are filled up with its edge."""
    height, width = plane.shape
    whole = np.pad(plane, [(0, -height % step.y), (0, -width % step.x)], mode="edge")
    return whole.reshape(whole.shape[0] // step.y, step.y, whole.shape[1] // step.x, step.x)


def _free(region: Plane, body: Mask, step: Shift) -> npt.NDArray[np.intp]:
    """Shifts (n, 2), in voxels, that keep the region inside the image and out of the body's blocks."""
    sides = [np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))]
    ranges = [
        np.arange(-(int(at[0]) // by), (size - 1 - int(at[-1])) // by + 1)
        for at, size, by in zip(sides, region.shape, step, strict=True)
    ]
    y, x = (axis.ravel() for axis in np.meshgrid(*ranges, indexing="ij"))
    covered = _blocks(region, step).any(axis=(1, 3))
    # By the convolution theorem shifts wrap around: none of these leaves the image, so none does.
    shared = fft.irfft2(np.conj(fft.rfft2(covered)) * fft.rfft2(body), covered.shape)
    free = shared[y, x] < 0.5  # whole numbers, but for rounding
    return np.asarray(np.stack([y, x], axis=1)[free] * np.array(step), dtype=np.intp)


def _nearest(free: npt.NDArray[np.intp], place: Shift, spacing_mm: tuple[float, float, float]) -> Shift | None:
    """That which differs least from `place`, in mm; of several, the first from up and right on."""
    if not len(free):
        return None
    way_mm = np.linalg.norm((free - np.array(place)) * np.array(spacing_mm[1:]), axis=1)
    y, x = free[int(np.argmin(way_mm))]
    return Shift(int(y), int(x))
