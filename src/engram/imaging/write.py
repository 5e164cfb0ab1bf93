"""Volumes and masks to NIfTI files that are either whole or not there."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

from engram.errors import StorageError
from engram.imaging.itk import to_itk
from engram.imaging.volume import Grid

_LONGEST_DESCRIPTION = 79  # bytes of the header's `descrip`, less the one that ends it
_COMPRESSION = 1  # a third of the time of the default, for files some percent larger


def write_nifti(voxels: npt.NDArray[Any], grid: Grid, path: Path, *, description: str = "") -> Path:
    """Write an array (z, y, x) on `grid`, as .nii.gz, with the array's own number type; bool as uint8.

    description: what the header says of the voxels, in at most 79 ASCII characters.
    A reader sees the old file or the whole new one. The same voxels and grid give the same bytes.
    Raises StorageError where the folder cannot be written or the disk is full, ValueError for another shape or a
    description that does not fit.
    """
    if voxels.shape != grid.shape:
        raise ValueError(f"voxels {voxels.shape} are not on a grid of {grid.shape}")
    if len(description) > _LONGEST_DESCRIPTION or not description.isascii():
        raise ValueError(f"a header holds {_LONGEST_DESCRIPTION} ASCII characters, not {description!r}")
    image = to_itk(voxels, grid)
    if description:
        image.SetMetaData("ITK_FileNotes", description)  # as ITK calls the field `descrip`
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # SimpleITK writes to names, not to streams: a folder beside the file is on the same disk.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as scratch:
            made = Path(scratch) / "image.nii.gz"
            sitk.WriteImage(image, str(made), useCompression=True, compressionLevel=_COMPRESSION)
            made.replace(path)
    except (OSError, RuntimeError) as error:
        raise StorageError(
            f"{path}: could not be written ({str(error).strip().splitlines()[-1]}). Free some space or choose "
            "another folder, then run the same command again: finished work is kept."
        ) from error
    return path
