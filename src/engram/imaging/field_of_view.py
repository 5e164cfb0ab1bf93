"""What PET and CT both see, and whether the uptake in it is still there after resampling.

Linear interpolation keeps the total where the new voxels are as fine as the old ones: each value is a weighted
mean of its neighbours, and the weights of each old voxel sum to the same number everywhere but at the border.
It lowers peaks. Where the new grid is much coarser it picks samples instead of averaging, and the total may change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.imaging.volume import Grid, Volume

SIDES = ("right", "left", "anterior", "posterior", "inferior", "superior")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Activity:
    """SUV x mL of the PET within the CT's field of view, before and after resampling; `outside` of it, before."""

    before: float
    after: float
    outside: float

    @property
    def change(self) -> float | None:
        """(after - before) / before; None where there is no uptake to lose."""
        return (self.after - self.before) / self.before if self.before > 0 else None


def pet_covered(pet: Grid, ct: Grid) -> float:
    """Share of the PET's field of view, 0 to 1, that lies in the CT's."""
    return float(np.mean([share.mean() for share in _shares(pet, ct)]))


def ct_beyond_pet_mm(pet: Grid, ct: Grid) -> dict[str, float]:
    """How far the CT reaches beyond the PET on each side, in mm; negative where the PET reaches farther."""
    low, high = (pet.extent_mm - ct.extent_mm).T
    beyond = [side for pair in zip(low, -high, strict=True) for side in pair]
    return {name: float(mm) for name, mm in zip(SIDES, beyond, strict=True)}


def share_inside(mask: npt.NDArray[np.bool_], grid: Grid, field: Grid) -> float:
    """Share of a mask's voxel centres, 0 to 1, that lie in `field`. mask: bool (z, y, x) on `grid`, not empty.

    Raises ValueError where the mask is not on `grid`, or empty.
    """
    if mask.shape != grid.shape or not mask.any():
        raise ValueError(f"need a mask of {grid.shape} with voxels, not one of {mask.shape}")
    turn, origin = _to_index(grid, field)
    size = np.array(field.shape[::-1])
    inside = total = 0
    for z in np.flatnonzero(mask.any(axis=(1, 2))):
        y, x = np.nonzero(mask[z])
        place = np.stack([x, y, np.full(x.size, z)], axis=1) @ turn.T + origin
        inside += int(((place >= -0.5) & (place <= size - 0.5)).all(axis=1).sum())
        total += x.size
    return inside / total


def activity(pet: Volume, aligned: Volume) -> Activity:
    """Like with like: PET voxels count by the share of them that lies in the field of view of `aligned`.

    aligned: the PET on another grid, 0 outside the PET's field of view.
    """
    before = total = after = 0.0
    for plane, share in zip(pet.voxels, _shares(pet.grid, aligned.grid), strict=True):
        before += float(np.vdot(plane.astype(np.float64), share))
        total += float(plane.sum(dtype=np.float64))
    for plane in aligned.voxels:
        after += float(plane.sum(dtype=np.float64))
    side = pet.grid.voxel_volume_ml
    return Activity(before * side, after * aligned.grid.voxel_volume_ml, (total - before) * side)


def _shares(grid: Grid, field: Grid) -> Iterator[Floats]:
    """For each slice of `grid`, the share (y, x) of each voxel inside `field`; exact where axes are parallel."""
    turn, origin = _to_index(grid, field)
    half = np.abs(np.diag(turn)) / 2
    x, y = np.arange(grid.shape[2]), np.arange(grid.shape[1])[:, None]
    for z in range(grid.shape[0]):
        share = np.ones(grid.shape[1:])
        for axis, n in enumerate(reversed(field.shape)):
            center = origin[axis] + turn[axis, 0] * x + turn[axis, 1] * y + turn[axis, 2] * z
            inside = np.minimum(center + half[axis], n - 0.5) - np.maximum(center - half[axis], -0.5)
            share *= np.clip(inside / (2 * half[axis]), 0.0, 1.0)
        yield share


def _to_index(grid: Grid, field: Grid) -> tuple[Floats, Floats]:
    """Matrix (3, 3) and offset (3,) from voxel index (x, y, z) of `grid` to that of `field`."""
    to_world, of_field = (np.reshape(g.direction, (3, 3)) * np.array(g.spacing_mm[::-1]) for g in (grid, field))
    offset = np.subtract(grid.origin_mm, field.origin_mm)
    return np.linalg.solve(of_field, to_world), np.linalg.solve(of_field, offset)
