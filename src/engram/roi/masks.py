"""Masks and label maps from files: on the scan's grid, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engram.errors import ImagingError
from engram.imaging.volume import Grid, Volume, read_oriented
from engram.roi.bones import CODES, BoneMap, Mask, merged
from engram.roi.labels import label_scheme

_SEVERAL = 6  # how many values a message lists


def read_mask(path: Path, *, grid: Grid | None, patient_id: str, roi: str) -> Mask:
    """Read a ready mask of the region `roi`, bool (z, y, x) on `grid`; None: of a scan that could not be read.

    The file holds 0 and one other value. Raises ImagingError where it cannot be read, lies on another grid,
    has several values or NaN, is empty, or covers a single slice.
    """
    what = f"mask of '{roi}'"
    volume = read_oriented(path, patient_id=patient_id, what=what)
    _check_grid(volume, grid, patient_id=patient_id, what=what)
    mask: Mask = volume.voxels != 0
    inside = volume.voxels[mask]
    if inside.size and not np.all(inside == inside[0]):
        raise ImagingError(
            patient_id,
            f"{what} has several values",
            file=str(path),
            value=_values(inside),
            mend="A mask is 0 and 1. Give a label map under images.labels, or threshold probabilities.",
        )
    return check_mask(mask, patient_id=patient_id, roi=roi, file=str(path))


def read_bones(paths: Mapping[str, Path], *, grid: Grid, patient_id: str) -> BoneMap:
    """The label maps of a patient as one map of bones on `grid`. paths: by label scheme, in their order.

    Where two maps name a voxel, the earlier has it. Raises ImagingError as `read_label_map`.
    """
    return merged(
        read_label_map(path, grid=grid, patient_id=patient_id, scheme=scheme) for scheme, path in paths.items()
    )


def read_label_map(path: Path, *, grid: Grid | None, patient_id: str, scheme: str) -> BoneMap:
    """Read one label map as bones (z, y, x) on `grid`; None: of a scan that could not be read.

    Raises ImagingError where it cannot be read, lies on another grid, or holds values that the scheme does
    not know (fractions, negatives, or above its highest label).
    """
    volume = read_oriented(path, patient_id=patient_id, what="label map")
    _check_grid(volume, grid, patient_id=patient_id, what="label map")
    found = _distinct(volume.voxels)
    highest = label_scheme(scheme).highest_label
    strange = found[~((found >= 0) & (found <= highest) & (found == np.rint(found)))]
    if strange.size:
        raise ImagingError(
            patient_id,
            "label map has unknown values",
            file=str(path),
            value=_values(strange),
            mend=f"Labels of '{scheme}' are whole numbers from 0 to {highest}: check images.label_scheme, and "
            "resample label maps by nearest neighbour only.",
        )
    return bone_map(volume.voxels, scheme=scheme)


def bone_map(labels: npt.NDArray[Any], *, scheme: str) -> BoneMap:
    """Bones from the numbers (z, y, x) of a label map, which its scheme must know. Raises ConfigError: unknown."""
    known = label_scheme(scheme)
    table = np.zeros(known.highest_label + 1, dtype=np.uint8)
    for value, name in known.values.items():
        table[value] = CODES[name]
    codes = np.empty(labels.shape, dtype=np.uint8)
    for plane, out in zip(labels, codes, strict=True):
        out[...] = table[plane.astype(np.intp, copy=False)]
    return BoneMap(codes, frozenset(known.values.values()))


def check_mask(mask: Mask, *, patient_id: str, roi: str, file: str | None = None) -> Mask:
    """Return `mask`, ready or the bones of a region, where a propagation can read it: at least two axial slices.

    Raises ImagingError where it is empty or lies on a single slice.
    """
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    if slices.size >= 2:
        return mask
    reason, value = ("is empty", "0 voxels") if slices.size == 0 else ("has a single slice", "1 axial slice")
    raise ImagingError(
        patient_id,
        f"mask of '{roi}' {reason}",
        file=file,
        value=value,
        mend="Look at the segmentation of this patient: a propagation needs at least two axial slices.",
    )


def _check_grid(volume: Volume, grid: Grid | None, *, patient_id: str, what: str) -> None:
    if grid is None or volume.grid.matches(grid):
        return
    raise ImagingError(
        patient_id,
        f"{what} on another grid",
        file=volume.source,
        value=f"{volume.grid.describe()}; the scan has {grid.describe()}",
        mend="Resample it by nearest neighbour to the grid of the CT (of the PET where the study has no CT).",
    )


def _distinct(voxels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sorted distinct values, slice by slice: much faster than one sort of a whole-body map."""
    return np.unique(np.concatenate([np.unique(plane) for plane in voxels]))


def _values(voxels: npt.NDArray[Any]) -> str:
    found = _distinct(voxels)
    more = f" and {found.size - _SEVERAL} more" if found.size > _SEVERAL else ""
    return ", ".join(f"{value:g}" for value in found[:_SEVERAL]) + more
