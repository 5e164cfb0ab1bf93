"""Folders of DICOM read as Engram does, and voxels held against the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engram.imaging.dicom.dump import series_problem, walk
from engram.imaging.dicom.series import Series
from engram.imaging.dicom.stack import build_stack
from engram.imaging.dicom.suv import suv_conversion
from engram.imaging.dicom.voxels import read_ct, read_pet
from engram.imaging.plausibility import check_hu, check_suv
from engram.imaging.volume import Volume
from fuzz_case import LeftError

TOLERANCE = 1e-3  # SUV, and HU


def read_volumes(folder: Path) -> list[Volume]:
    """Every volume that Engram would make of a folder. Raises what Engram raises, LeftError where it leaves all."""
    reasons, volumes = [], []
    for series in walk(folder, workers=0).series:
        problem = series_problem(series)
        if problem is None:
            volumes.append(_volume(series))
        else:
            reasons.append(problem)
    if not volumes:
        raise LeftError(reasons[0] if reasons else "no DICOM series")
    return volumes


def _volume(series: Series) -> Volume:
    if series.modality == "CT":
        ct = read_ct(build_stack(series, patient_id="P01"), patient_id="P01")
        check_hu(ct, patient_id="P01")
        return ct
    conversion = suv_conversion(series, patient_id="P01")
    stack = build_stack(series, patient_id="P01")
    by_path = {one.path: factor for one, factor in zip(series.slices, conversion.factors, strict=True)}
    pet = read_pet(stack, np.array([by_path[one.path] for one in stack.slices]), patient_id="P01")
    check_suv(pet, patient_id="P01")
    return pet


def is_part_of(volume: Volume, truth: Volume) -> bool:
    """Whether every voxel has the truth's value at its place, be it that slices at the ends are gone."""
    if not np.allclose(volume.grid.direction, truth.grid.direction, atol=1e-6):
        return False
    if not np.allclose(volume.grid.spacing_mm, truth.grid.spacing_mm, rtol=0.005):
        return False
    axes = np.reshape(truth.grid.direction, (3, 3)) * np.array(truth.grid.spacing_mm[::-1])
    offset = np.linalg.solve(axes, np.subtract(volume.grid.origin_mm, truth.grid.origin_mm))
    first = np.rint(offset)[::-1].astype(int)
    last = first + volume.voxels.shape
    if np.abs(offset - np.rint(offset)).max() > 0.05 or first.min() < 0 or (last > truth.voxels.shape).any():
        return False
    part = truth.voxels[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
    return bool(np.abs(part - volume.voxels).max() <= TOLERANCE)
