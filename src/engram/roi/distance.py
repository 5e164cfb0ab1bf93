"""Masks grown and shrunk by millimetres: Euclidean distance between voxel centres, on grids of any spacing.

A distance map takes some thirty bytes a voxel, so it is made slab by slab; with the neighbours that can decide
about a slab beside it, the result is that of the whole.
"""

from __future__ import annotations

from math import ceil

import numpy as np
from scipy import ndimage

from engram.roi.bones import Box, Mask

Spacing = tuple[float, float, float]

_SLAB_VOXELS = 6_000_000
_FEW = 60  # voxels of a ball that are looked at one by one faster than a distance map is made


def grown(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    """Voxels whose centre lies within `radius_mm` of a voxel centre of the mask."""
    if radius_mm == 0 or not mask.any():
        return mask
    result = np.zeros_like(mask)
    for near, inner, slab in slabs(mask.shape, radius_mm, spacing_mm):
        if (part := mask[near]).any():
            distance_mm = ndimage.distance_transform_edt(~part, sampling=spacing_mm)
            result[slab] = distance_mm[inner] <= radius_mm
    return result


def shrunk(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    """Voxels of the mask whose centre lies farther than `radius_mm` from every voxel centre outside it.

    What lies beyond the array counts as neither: a mask is not shrunk where the scan cuts it off.
    """
    if radius_mm == 0:
        return mask
    ball = _ball(radius_mm, spacing_mm)
    if ball.sum() <= _FEW:
        return np.asarray(ndimage.binary_erosion(mask, ball, border_value=1))
    result = mask.copy()
    for near, inner, slab in slabs(mask.shape, radius_mm, spacing_mm):
        if not (part := mask[near]).all():
            distance_mm = ndimage.distance_transform_edt(part, sampling=spacing_mm)
            result[slab] = distance_mm[inner] > radius_mm
    return result


def closed(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    """Grown, then shrunk by the same ball. The mask must lie `radius_mm` inside its array."""
    return shrunk(grown(mask, radius_mm, spacing_mm), radius_mm, spacing_mm)


def filled_by_slice(mask: Mask) -> Mask:
    """Holes of each axial slice filled: a canal is a tunnel, a hole on each slice only."""
    return np.stack([ndimage.binary_fill_holes(plane) for plane in mask])


def padded_crop(mask: Mask, box: Box, margin_mm: float, spacing_mm: Spacing) -> tuple[Mask, tuple[int, ...]]:
    """The box of a mask with empty space of at least `margin_mm` on each side, and that margin in voxels."""
    margin = tuple(ceil(margin_mm / side_mm) + 1 for side_mm in spacing_mm)
    return np.pad(mask[box], [(m, m) for m in margin]), margin


def around(box: Box, margin_mm: float, spacing_mm: Spacing, shape: tuple[int, ...]) -> Box:
    """The box with at least a voxel and `margin_mm` more on each side, as far as the array goes."""
    margins = [ceil(margin_mm / side_mm) + 1 for side_mm in spacing_mm]
    return tuple(
        slice(max(axis.start - m, 0), min(axis.stop + m, size))
        for axis, m, size in zip(box, margins, shape, strict=True)
    )


def paste(target: Mask, padded: Mask, box: Box, margin: tuple[int, ...]) -> None:
    """Write a padded crop back where it came from; what reaches beyond the scan is cut off."""
    to, source = [], []
    for axis, size, m in zip(box, target.shape, margin, strict=True):
        low, high = max(axis.start - m, 0), min(axis.stop + m, size)
        to.append(slice(low, high))
        source.append(slice(low - axis.start + m, high - axis.start + m))
    target[tuple(to)] = padded[tuple(source)]


def _ball(radius_mm: float, spacing_mm: Spacing) -> Mask:
    """Voxels whose centre lies within `radius_mm` of the middle one."""
    half = [int(radius_mm / side) + 1 for side in spacing_mm]
    offsets = np.ogrid[tuple(slice(-n, n + 1) for n in half)]
    squares = [(offset * side) ** 2 for offset, side in zip(offsets, spacing_mm, strict=True)]
    ball: Mask = np.sqrt(squares[0] + squares[1] + squares[2]) <= radius_mm
    return ball


def slabs(shape: tuple[int, ...], reach_mm: float, spacing_mm: Spacing) -> list[tuple[slice, slice, slice]]:
    """(what decides about a slab, the slab inside of that, the slab), from the first axis on.

    reach_mm: how far away something can decide.
    """
    height, halo = max(1, _SLAB_VOXELS // (shape[1] * shape[2])), ceil(reach_mm / spacing_mm[0])
    found = []
    for start in range(0, shape[0], height):
        stop, low = min(start + height, shape[0]), max(start - halo, 0)
        found.append((slice(low, stop + halo), slice(start - low, stop - low), slice(start, stop)))
    return found
