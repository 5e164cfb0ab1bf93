"""TotalSegmentator's other output, a folder with one mask a structure, as label maps.

Its files are named after structures (`vertebrae_L5.nii.gz`), so no version can have moved a number. Structures that
are no bone, and no organ that Engram asks for, are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engram.errors import ImagingError
from engram.imaging.volume import Volume, read_oriented
from engram.imaging.write import write_nifti
from engram.roi.bones import CODES
from engram.roi.labels import label_scheme

_TOTAL, _TOTAL_V3 = "totalsegmentator-2/total", "totalsegmentator-2/total_v3"
_LIMBS = "totalsegmentator-2/appendicular_bones"


def structure_files(folder: Path) -> dict[str, dict[str, Path]]:
    """The masks of bones and known organs in a folder: file by structure, by the scheme that has the structure."""
    files = {re.sub(r"\.nii(\.gz)?$", "", path.name): path for path in sorted(folder.glob("*.nii*"))}
    known = {name: path for name, path in files.items() if name in CODES}
    body = label_scheme(_TOTAL_V3 if "vertebrae_L6" in known else _TOTAL)
    found = {
        scheme.name: {name: path for name, path in known.items() if name in scheme.labels}
        for scheme in (body, label_scheme(_LIMBS))
    }
    return {scheme: masks for scheme, masks in found.items() if masks}


def merge_structures(masks: Mapping[str, Path], scheme: str, path: Path, *, patient_id: str) -> Path:
    """Write the masks of some structures as one label map of `scheme`.

    masks: file by structure, each a structure of the scheme. Raises ImagingError where one cannot be read, is no
    mask, lies on another grid than the others or on a voxel of another one, StorageError where it cannot write.
    """
    values, first, labels = label_scheme(scheme).labels, None, None
    for name, file in masks.items():
        mask = read_oriented(file, patient_id=patient_id, what=f"mask of {name}")
        if first is None or labels is None:
            first, labels = mask, np.zeros(mask.grid.shape, dtype=np.uint8)
        _check_grid(mask, first, file, patient_id)
        inside = _inside(mask, file, patient_id)
        _check_free(labels[inside], file, patient_id)
        labels[inside] = values[name]
    if first is None or labels is None:
        raise ValueError("no masks to merge")
    return write_nifti(labels, first.grid, path)


def _inside(mask: Volume, file: Path, patient_id: str) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    inside = mask.voxels != 0
    found = np.unique(mask.voxels[inside])
    if found.size <= 1:
        return np.asarray(inside)
    mend = "A file of one structure is 0 and 1; is this a label map of several?"
    value = ", ".join(f"{number:g}" for number in found[:6])
    raise ImagingError(patient_id, "mask of a structure has several values", file=str(file), value=value, mend=mend)


def _check_grid(mask: Volume, first: Volume, file: Path, patient_id: str) -> None:
    if mask.grid.matches(first.grid):
        return
    raise ImagingError(
        patient_id,
        "masks of structures on several grids",
        file=str(file),
        value=f"{mask.grid.describe()}; {first.source} has {first.grid.describe()}",
        mend="Keep the masks of one run in one folder.",
    )


def _check_free(taken: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], file: Path, patient_id: str) -> None:
    count = int(np.count_nonzero(taken))
    if count:
        mend = "One run never marks a voxel twice: keep the masks of one run in one folder."
        raise ImagingError(
            patient_id, "masks of structures overlap", file=str(file), value=f"{count} voxels", mend=mend
        )
