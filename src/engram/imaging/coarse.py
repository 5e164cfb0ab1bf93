"""A scan in larger voxels, for what needs no detail: means of whole blocks, so that nothing is skipped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from engram.imaging.volume import Grid, Volume

Steps = tuple[int, int, int]


def coarse(volume: Volume, step_mm: float) -> Volume:
    """Means, float32, over blocks of whole voxels with sides close to `step_mm`; larger voxels stay as they are.

    What fills no whole block at the left, posterior and superior ends is left out. Memory: a few slices.
    """
    grid = volume.grid
    block = [min(n, max(1, round(step_mm / side))) for n, side in zip(grid.shape, grid.spacing_mm, strict=True)]
    (nz, ny, nx), (bz, by, bx) = (n // b for n, b in zip(grid.shape, block, strict=True)), block
    small = np.empty((nz, ny, nx), dtype=np.float32)
    for plane, first in zip(small, range(0, nz * bz, bz), strict=True):
        slab = volume.voxels[first : first + bz, : ny * by, : nx * bx].mean(axis=0, dtype=np.float32)
        plane[:] = slab.reshape(ny, by, nx, bx).mean(axis=(1, 3))
    spacing = (grid.spacing_mm[0] * bz, grid.spacing_mm[1] * by, grid.spacing_mm[2] * bx)
    origin = _moved(grid, ((bz - 1) / 2, (by - 1) / 2, (bx - 1) / 2))
    return Volume(small, Grid(small.shape, spacing, origin, grid.direction), volume.source)


def window(grid: Grid, box: tuple[slice, ...], margin: Steps) -> Grid:
    """The part of `grid` inside `box`, with `margin` voxels (z, y, x) more on each side, beyond its end too."""
    z, y, x = (part.stop - part.start + 2 * m for part, m in zip(box, margin, strict=True))
    first = [part.start - m for part, m in zip(box, margin, strict=True)]
    return replace(grid, shape=(z, y, x), origin_mm=_moved(grid, (first[0], first[1], first[2])))


def _moved(grid: Grid, by: tuple[float, float, float]) -> tuple[float, float, float]:
    """World (x, y, z) mm of the place `by` voxels (z, y, x) from the first one."""
    along: npt.NDArray[np.float64] = np.array(by[::-1]) * np.array(grid.spacing_mm[::-1])
    x, y, z = np.reshape(grid.direction, (3, 3)) @ along + np.array(grid.origin_mm)
    return float(x), float(y), float(z)
