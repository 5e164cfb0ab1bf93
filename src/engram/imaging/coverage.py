"""A mask of one grid on another, coarser one: the share of each voxel that it covers.

SUVmax and SUVpeak are numbers of the PET as it was reconstructed: interpolated to the CT's grid, its highest voxels
are averaged with their neighbours. So masks are brought to the PET, and not the PET to the masks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engram.imaging.itk import resampled, to_itk
from engram.imaging.volume import Grid

_PARALLEL = 1e-3  # largest difference of direction cosines, a twentieth of a degree
_NOTHING = 1e-6  # a smaller share of a voxel is rounding
_ALIKE = 1e-3  # shares that differ by less, in proportion, are one: files round places

Mask = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]


def bounding_box(mask: Mask) -> tuple[slice, slice, slice] | None:
    """The smallest box that holds a mask (z, y, x); None where it is empty."""
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    if not slices.size:
        return None
    z = slice(int(slices[0]), int(slices[-1]) + 1)
    seen = np.zeros(mask.shape[1:], dtype=np.bool_)
    for plane in mask[z]:
        seen |= plane
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return z, slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def half_covered(mask: Mask, grid: Grid, target: Grid) -> Mask:
    """The voxels of `target` of which the mask, bool (z, y, x) on `grid`, covers at least half, by world position.

    Where the axes of both grids are parallel, as those of one scanner are, the share is exact; else it is that of a
    voxel of `grid` linearly interpolated at the voxel's centre. Raises ValueError where the mask is not on `grid`.
    """
    if mask.shape != grid.shape:
        raise ValueError(f"mask {mask.shape} is not on a grid of {grid.shape}")
    if grid.matches(target):
        return mask
    half: Mask = (_exact if _parallel(grid, target) else _interpolated)(mask, grid, target) >= 0.5
    return half


def best_covered(mask: Mask, grid: Grid, target: Grid) -> Mask:
    """As `half_covered`; where a region is too small to cover half of any voxel, those that it covers most.

    So every region that meets `target` has a voxel. Voxels that it covers alike, and more than any other, count
    all. Where axes are oblique, their shares are told by the centres of the mask's voxels that they hold.
    """
    half = half_covered(mask, grid, target)
    if half.any() or not mask.any():
        return half
    shares = (_exact if _parallel(grid, target) else _counted)(mask, grid, target)
    most: Mask = shares >= max(float(shares.max()) * (1 - _ALIKE), _NOTHING)
    return most


def _parallel(one: Grid, other: Grid) -> bool:
    return bool(np.abs(np.subtract(one.direction, other.direction)).max() <= _PARALLEL)


def _exact(mask: Mask, grid: Grid, target: Grid) -> Float32:
    """Shares, float32 (z, y, x) on `target`: the boxes of both grids are parallel, so axes can be taken in turn."""
    axes = np.reshape(grid.direction, (3, 3))
    between_mm = axes.T @ np.subtract(target.origin_mm, grid.origin_mm)  # x, y, z, along the axes
    starts = [
        (mm / step, other / step)
        for mm, step, other in zip(between_mm[::-1], grid.spacing_mm, target.spacing_mm, strict=True)
    ]
    z, y, x = (
        _overlaps(start, step, size, n)
        for (start, step), size, n in zip(starts, target.shape, grid.shape, strict=True)
    )
    shares = np.zeros(target.shape, dtype=np.float32)
    box = bounding_box(mask)
    if box is None:
        return shares
    inside, y, x = mask[box], y[:, box[1]], x[:, box[2]].T
    for share, weights in zip(shares, z[:, box[0]], strict=True):
        used = np.flatnonzero(weights)
        if used.size:
            share[:] = y @ np.tensordot(weights[used], inside[used].astype(np.float32), axes=1) @ x
    return shares


def _overlaps(start: float, step: float, size: int, n: int) -> Float32:
    """Weights (size, n): the share of each target interval that lies in each of n unit intervals around 0, 1, ...

    start: centre of the first target interval, step: their length, both in units of the source's voxel side.
    """
    low = start + step * (np.arange(size)[:, None] - 0.5)
    edge = np.arange(n)[None, :] - 0.5
    inside = np.minimum(low + step, edge + 1) - np.maximum(low, edge)
    return np.asarray(np.clip(inside, 0, None) / step, dtype=np.float32)


def _interpolated(mask: Mask, grid: Grid, target: Grid) -> Float32:
    return resampled(to_itk(mask, grid), target, linear=True)


def _counted(mask: Mask, grid: Grid, target: Grid) -> Float32:
    """How many of the mask's voxel centres lie in each voxel of `target`: thin regions slip between its centres."""
    between_mm = np.subtract(grid.origin_mm, target.origin_mm)[:, None]
    away_mm = _axes_mm(grid) @ np.argwhere(mask)[:, ::-1].T + between_mm  # x, y, z
    index = np.floor(np.linalg.solve(_axes_mm(target), away_mm) + 0.5).astype(np.int64)[::-1]
    inside = ((index >= 0) & (index < np.reshape(target.shape, (3, 1)))).all(axis=0)
    counts = np.zeros(target.shape, dtype=np.float32)
    np.add.at(counts, tuple(index[:, inside]), 1)
    return counts


def _axes_mm(grid: Grid) -> npt.NDArray[np.float64]:
    """Matrix (3, 3) from voxel steps (x, y, z) to mm."""
    return np.asarray(np.reshape(grid.direction, (3, 3)) * grid.spacing_mm[::-1])
