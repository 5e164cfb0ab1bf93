"""What the tool is given of a region: the image around it and its mask, under names that tell no patient."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engram.imaging.coverage import Mask, bounding_box
from engram.imaging.volume import Grid, Volume
from engram.imaging.write import write_nifti

MARGIN_MM = 15.0  # more than the 6.2 mm sphere of the local peak, and than what a cubic spline looks at


@dataclass(frozen=True)
class Staged:
    """Two files on one grid: the image in HU or SUV, and the mask."""

    image: Path
    mask: Path


def stage(volume: Volume, mask: Mask, folder: Path, stem: str) -> Staged:
    """Write image and mask around the region as NIfTI, in `folder`.

    mask: bool (z, y, x) on the volume's grid, not empty. Both lie at the origin, unrotated, for features do not
    depend on the place in the body. Raises ValueError for an empty mask, StorageError where the disk is full.
    """
    box = bounding_box(mask)
    if box is None:
        raise ValueError("an empty mask has no features")
    around = tuple(_wider(side, mm, n) for side, mm, n in zip(box, volume.grid.spacing_mm, mask.shape, strict=True))
    voxels, inside = np.ascontiguousarray(volume.voxels[around], dtype=np.float32), mask[around]
    shape = (voxels.shape[0], voxels.shape[1], voxels.shape[2])
    grid = Grid(shape, volume.grid.spacing_mm)
    image = write_nifti(voxels, grid, folder / f"{stem}_image.nii.gz")
    return Staged(image, write_nifti(np.ascontiguousarray(inside), grid, folder / f"{stem}_mask.nii.gz"))


def _wider(side: slice, spacing_mm: float, size: int) -> slice:
    more = int(np.ceil(MARGIN_MM / spacing_mm))
    return slice(max(side.start - more, 0), min(side.stop + more, size))
