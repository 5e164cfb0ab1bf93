"""Means over a sphere of 1 mL around voxels of a PET, for SUVpeak."""

from __future__ import annotations

from math import pi

import numpy as np
import numpy.typing as npt

from engram.imaging.volume import Volume

SPHERE_ML = 1.0
RADIUS_MM = 10.0 * (3.0 * SPHERE_ML / (4.0 * pi)) ** (1.0 / 3.0)  # 6.2 mm


def sphere_means(pet: Volume, index: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Mean SUV (n,) of the voxels whose centres lie within 6.2 mm of that of each voxel of `index`.

    index: (n,), flat indices into the voxels. Voxels beyond the edge of the scan do not count. Only the spheres
    that are asked for are made: a skeleton is a hundredth of a whole-body PET.
    """
    z, y, x = np.unravel_index(index, pet.voxels.shape)
    totals, counts = np.zeros(len(index)), np.zeros(len(index))
    for dz, dy, dx in _offsets(pet.grid.spacing_mm):
        at = (z + dz, y + dy, x + dx)
        inside = np.ones(len(index), dtype=np.bool_)
        for places, size in zip(at, pet.voxels.shape, strict=True):
            inside &= (places >= 0) & (places < size)
        totals[inside] += pet.voxels[tuple(places[inside] for places in at)]
        counts[inside] += 1
    return totals / counts


def _offsets(spacing_mm: tuple[float, float, float]) -> npt.NDArray[np.intp]:
    """Steps (n, 3) to the voxels whose centres lie in the sphere; the centre itself always does."""
    most = [int(RADIUS_MM / side) for side in spacing_mm]
    steps = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(steps[np.linalg.norm(steps * spacing_mm, axis=1) <= RADIUS_MM], dtype=np.intp)
