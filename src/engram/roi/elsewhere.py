"""A region's shape where no lesion can be: moved, slice by slice alike, into the air beside the body."""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from engram.imaging.body import BODY_HU, BODY_SUV
from engram.imaging.coverage import bounding_box
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


def air_shift(mask: Mask, scan: Volume, *, is_ct: bool) -> Shift | None:
    """The shortest shift within the slice that puts the whole region, unchanged, into air and inside the image.

    mask: bool (z, y, x) with some voxels. scan: CT in HU, or PET in SUVbw, on the same grid. Every slice of the
    region is moved alike, so shape, size and slices stay. None where there is no such place: the region is too
    wide, or the image shows no air.
    """
    box = bounding_box(mask)
    if box is None:
        raise ValueError("an empty region has no place")
    step = _steps(scan)
    body = _body(scan, box[0], step, is_ct=is_ct)
    overlap = _overlap(_any(mask[box[0]], step), body)
    return _shortest(overlap, box, mask.shape, step, scan.grid.spacing_mm)


def moved(voxels: npt.NDArray[Voxel], shift: Shift) -> npt.NDArray[Voxel]:
    """An array (z, y, x) moved within its slices; what comes in is 0, what leaves is lost."""
    result = np.zeros_like(voxels)
    to, source = zip(*(_ends(by, size) for by, size in zip(shift, voxels.shape[1:], strict=True)), strict=True)
    result[(slice(None), *to)] = voxels[(slice(None), *source)]
    return result


def _ends(by: int, size: int) -> tuple[slice, slice]:
    """(where to, where from) along one axis."""
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size + min(-by, 0))


def _steps(scan: Volume) -> Shift:
    _, dy, dx = scan.grid.spacing_mm
    return Shift(max(1, round(_COARSE_MM / dy)), max(1, round(_COARSE_MM / dx)))


def _body(scan: Volume, z: slice, step: Shift, *, is_ct: bool) -> Mask:
    """Blocks that hold no air, with what they enclose (lungs are as dark as air) and a margin.

    Small parts and the table count, too: an arm may be no more than that.
    """
    _, dy, dx = scan.grid.spacing_mm
    solid = _means(scan.voxels[z], step) > (BODY_HU if is_ct else BODY_SUV)
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in solid])
    y, x = ceil(_MARGIN_MM / (dy * step.y)), ceil(_MARGIN_MM / (dx * step.x))
    reach = np.ones((1, 2 * y + 1, 2 * x + 1), dtype=np.bool_)
    return np.asarray(ndimage.binary_dilation(filled, reach), dtype=np.bool_)


def _blocks(plane: Plane, step: Shift) -> Plane:
    """A slice in blocks, (blocks, step.y, blocks, step.x); the last are filled up with its edge."""
    height, width = plane.shape
    whole = np.pad(plane, [(0, -height % step.y), (0, -width % step.x)], mode="edge")
    return whole.reshape(whole.shape[0] // step.y, step.y, whole.shape[1] // step.x, step.x)


def _means(planes: Plane, step: Shift) -> npt.NDArray[np.float32]:
    return np.stack([_blocks(plane, step).mean(axis=(1, 3), dtype=np.float32) for plane in planes])


def _any(mask: Mask, step: Shift) -> Mask:
    return np.stack([_blocks(plane, step).any(axis=(1, 3)) for plane in mask])


def _overlap(region: Mask, body: Mask) -> npt.NDArray[np.float64]:
    """Blocks that a region moved by (y, x) shares with the body, summed over slices: at [y, x], wrapped around."""
    found = np.zeros((region.shape[1], region.shape[2] // 2 + 1), dtype=np.complex128)
    for one, other in zip(region, body, strict=True):
        found += np.conj(fft.rfft2(one)) * fft.rfft2(other)
    return np.asarray(fft.irfft2(found, region.shape[1:]))


def _shortest(
    overlap: npt.NDArray[np.float64],
    box: tuple[slice, ...],
    shape: tuple[int, ...],
    step: Shift,
    spacing_mm: tuple[float, float, float],
) -> Shift | None:
    """Of those inside the image and without overlap; of equally long ones the first, from up and right on."""
    ranges = [
        np.arange(-(side.start // by), (size - side.stop) // by + 1)
        for side, size, by in zip(box[1:], shape[1:], step, strict=True)
    ]
    y, x = np.meshgrid(*ranges, indexing="ij")
    free = overlap[y, x] < 0.5  # whole numbers, but for rounding
    if not free.any():
        return None
    length_mm = np.hypot(y * step.y * spacing_mm[1], x * step.x * spacing_mm[2])
    best = np.unravel_index(int(np.argmin(np.where(free, length_mm, np.inf))), y.shape)
    return Shift(int(y[best]) * step.y, int(x[best]) * step.x)
