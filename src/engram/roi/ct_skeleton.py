"""A skeleton from CT alone, by threshold: an approximation for scans without a label map, and declared as such.

Contrast medium, calcified vessels, teeth and metal are as dense as bone and are taken for it; porous bone is lost.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from engram.imaging.body import ct_body
from engram.imaging.coarse import coarse
from engram.imaging.volume import Grid, Volume
from engram.roi.bones import Mask

_BLOCK_MM = 5.0  # of the body's outline and of the pieces: nothing of the size of the scan but masks is made
_TOUCHING = np.ones((3, 3, 3), dtype=np.bool_)


def ct_skeleton(ct: Volume, *, smooth_mm: float, threshold_hu: float, hole_cm2: float, smallest_ml: float) -> Mask:
    """Dense voxels inside the body in pieces of at least `smallest_ml`, bool (z, y, x).

    smooth_mm: standard deviation of the smoothing of each slice, without which noise of low-dose CT becomes bone.
    Holes of a slice of at most `hole_cm2` (marrow spaces, the canal) are filled; larger ones (the brain) are not.
    """
    small = coarse(ct, _BLOCK_MM)
    body = _Blocks(_body(small.voxels), small.grid, ct.grid)
    hole_pixels = hole_cm2 * 100 / (ct.grid.spacing_mm[1] * ct.grid.spacing_mm[2])
    bone = np.empty(ct.voxels.shape, dtype=np.bool_)
    sigma = [smooth_mm / side for side in ct.grid.spacing_mm[1:]]
    for z, plane in enumerate(ct.voxels):
        dense = ndimage.gaussian_filter(plane.astype(np.float32), sigma, mode="nearest") >= threshold_hu
        bone[z] = _without_small_holes(dense & body.plane(z), hole_pixels)
    share = coarse(Volume(bone, ct.grid), _BLOCK_MM)
    pieces = _Blocks(_large_pieces(share, smallest_ml), share.grid, ct.grid)
    for z, plane in enumerate(bone):
        plane &= pieces.plane(z)
    return bone


class _Blocks:
    """A mask of blocks, read slice by slice in the voxels of the scan; ends that fill no block take the last."""

    def __init__(self, blocks: Mask, coarse_grid: Grid, grid: Grid) -> None:
        self._blocks = blocks
        sides = zip(coarse_grid.spacing_mm, grid.spacing_mm, grid.shape, blocks.shape, strict=True)
        self._block_of = [
            np.minimum(np.arange(n) // round(block / side), count - 1) for block, side, n, count in sides
        ]

    def plane(self, z: int) -> Mask:
        """One slice (y, x)."""
        z_of, y_of, x_of = self._block_of
        found: Mask = self._blocks[z_of[z]][np.ix_(y_of, x_of)]
        return found


def _body(small: npt.NDArray[np.float32]) -> Mask:
    """The body's outline. A body that the scan cuts off goes on beyond it: its edge there is none."""
    return ct_body(np.pad(small, 1, mode="edge"))[1:-1, 1:-1, 1:-1]


def _without_small_holes(plane: Mask, largest: float) -> Mask:
    holes, count = ndimage.label(ndimage.binary_fill_holes(plane) & ~plane)
    if count == 0:
        return plane
    small = np.bincount(holes.ravel()) <= largest
    small[0] = False
    filled: Mask = plane | small[holes]
    return filled


def _large_pieces(share: Volume, smallest_ml: float) -> Mask:
    """Blocks of pieces that are large enough. share: of each block that is bone."""
    pieces, count = ndimage.label(share.voxels > 0, structure=_TOUCHING)
    if count == 0:
        return np.zeros(share.voxels.shape, dtype=np.bool_)
    volumes_ml = np.bincount(pieces.ravel(), weights=share.voxels.ravel()) * share.grid.voxel_volume_ml
    large = volumes_ml >= smallest_ml
    large[0] = False
    kept: Mask = large[pieces]
    return kept
