"""The bones of one label map: how large each is, where it lies, and whether it hangs together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from engram.imaging.volume import Grid
from engram.roi.pieces import pieces_of

MIN_PIECE_ML = 0.5  # smaller pieces are specks
MAX_GAP_MM = 20.0  # from the box of a bone's largest piece to that of another piece of the bone
RIB_GAP_MM = 120.0  # a rib is thin: on thick slices it breaks, and the piece between two others is lost

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Bone:
    """One bone of a label map.

    volume_ml: of all its voxels. centre_mm: (z, y, x) of its largest piece, from voxel [0, 0, 0] along the axes of
    the grid: upwards, backwards, to the left. cut: whether it reaches an outer face of the grid.
    far_ml, far_mm: volume of its pieces that lie far from the largest, and how far the farthest lies; 0 where none.
    """

    name: str
    volume_ml: float
    centre_mm: tuple[float, float, float]
    cut: bool
    far_ml: float
    far_mm: float


def measure_bones(codes: Codes, names: Sequence[str], grid: Grid) -> dict[str, Bone]:
    """Every bone that has a voxel, by name, in the order of `names`. Raises ValueError: not on the grid."""
    if codes.shape != grid.shape:
        raise ValueError(f"labels {codes.shape} are not on a grid of {grid.shape}")
    boxes = ndimage.find_objects(codes, max_label=len(names))
    return {
        name: _measured(name, codes, code, box, grid)
        for code, (name, box) in enumerate(zip(names, boxes, strict=True), 1)
        if box is not None
    }


def _measured(name: str, codes: Codes, code: int, box: tuple[slice, ...], grid: Grid) -> Bone:
    pieces = pieces_of(codes[box] == code)
    corner = np.array([axis.start for axis in box])
    low, high = pieces.low + corner, pieces.high + corner
    volumes_ml = pieces.voxels * grid.voxel_volume_ml
    allowed_mm = RIB_GAP_MM if name.startswith("rib_") else MAX_GAP_MM
    far = (pieces.gaps_mm(grid.spacing_mm) > allowed_mm) & (volumes_ml >= MIN_PIECE_ML)
    far &= ~_cut_together(low, high, grid.shape)
    centre = tuple(float(c) for c in (pieces.centres[0] + corner) * grid.spacing_mm)
    return Bone(
        name=name,
        volume_ml=float(volumes_ml.sum()),
        centre_mm=(centre[0], centre[1], centre[2]),
        cut=bool((low == 0).any() or (high == np.array(grid.shape) - 1).any()),
        far_ml=float(volumes_ml[far].sum()),
        far_mm=float(pieces.gaps_mm(grid.spacing_mm)[far].max(initial=0.0)),
    )


def _cut_together(
    low: npt.NDArray[np.int64], high: npt.NDArray[np.int64], shape: tuple[int, int, int]
) -> npt.NDArray[np.bool_]:
    """Pieces that reach the face of the grid which the largest reaches, too: they may be one bone beyond it."""
    first, last = low == 0, high == np.array(shape) - 1
    return np.asarray((first & first[0]).any(axis=1) | (last & last[0]).any(axis=1))
