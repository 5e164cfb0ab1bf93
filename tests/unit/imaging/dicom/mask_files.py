"""Stacks made by hand, and structure sets written with pydicom."""

from __future__ import annotations

from collections.abc import Sequence as Many
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dicom_files import dataset, save, uid
from pydicom.sequence import Sequence

from engram.imaging.dicom.series import ImageSlice, Series
from engram.imaging.dicom.stack import Stack
from engram.imaging.volume import Grid

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"
RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
FRAME = uid("frame")

Loop = Many[Many[float]] | npt.NDArray[np.float64]


def stack_at(
    heights_mm: Many[float],
    *,
    rows: int = 12,
    columns: int = 10,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Stack:
    """Slices at these heights along row direction x column direction, from the first voxel at `origin_mm`."""
    row, column = np.reshape(np.array(orientation, dtype=float), (2, 3))
    normal = np.cross(row, column)
    positions = [np.array(origin_mm) + height * normal for height in heights_mm]
    slices = tuple(
        ImageSlice(
            path=Path(f"{k}.dcm"),
            sop_instance_uid=uid("slice", k),
            rows=rows,
            columns=columns,
            pixel_spacing_mm=spacing_mm,
            orientation=tuple(orientation),
            position_mm=tuple(float(x) for x in position),
        )
        for k, position in enumerate(positions)
    )
    gaps = np.diff(heights_mm)
    grid = Grid(
        (len(slices), rows, columns),
        (float(np.mean(gaps)), *spacing_mm),
        slices[0].position_mm,
        tuple(np.column_stack([row, column, normal]).ravel()),
    )
    return Stack(slices, grid, gaps, 0.0)


def series_of(stack: Stack, frame: str | None = FRAME) -> Series:
    files = tuple(one.path for one in stack.slices)
    return Series("1.2.3", "1.2", "P01", "CT", "", files, frame_of_reference_uid=frame, slices=stack.slices)


def square(low: float, high: float, z: float = 0.0) -> list[tuple[float, float, float]]:
    return [(low, low, z), (high, low, z), (high, high, z), (low, high, z)]


def write_structures(
    path: Path,
    rois: dict[str, Many[Loop]],
    *,
    kind: str = "CLOSED_PLANAR",
    frame: str | None = FRAME,
    images: Many[str] | None = None,
    **headers: Any,
) -> Path:
    """Regions by name, each of closed loops of (x, y, z). images: the slice that each loop of each region names."""
    named, drawn = [], []
    for number, (name, loops) in enumerate(rois.items(), start=1):
        own = {} if frame is None else {"ReferencedFrameOfReferenceUID": frame}
        named.append(dataset({"ROINumber": number, "ROIName": name, **own}))
        contours = []
        for k, loop in enumerate(loops):
            flat = [float(f"{x:.6f}") for x in np.ravel(loop)]
            item = {"ContourGeometricType": kind, "NumberOfContourPoints": len(flat) // 3, "ContourData": flat}
            if images:
                item["ContourImageSequence"] = Sequence([dataset({"ReferencedSOPInstanceUID": images[k]})])
            contours.append(dataset(item))
        drawn.append(dataset({"ReferencedROINumber": number, "ContourSequence": Sequence(contours)}))
    base = {
        "SOPClassUID": RTSTRUCT_CLASS,
        "SOPInstanceUID": uid("rtstruct"),
        "Modality": "RTSTRUCT",
        "SeriesInstanceUID": uid("rtstruct series"),
        "StudyInstanceUID": uid("study"),
        "StructureSetROISequence": Sequence(named),
        "ROIContourSequence": Sequence(drawn),
    }
    return save(dataset({**base, **headers}), path)
