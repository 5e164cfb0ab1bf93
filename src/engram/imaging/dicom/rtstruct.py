"""RT Structure Sets: regions drawn as contours, as the file has them.

Contour Data are read from their bytes: a structure set of a whole body holds a million points, and pydicom makes
an object of each number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import RTStructureSetStorage

from engram.errors import ImagingError
from engram.imaging.dicom.headers import quiet


@dataclass(frozen=True, eq=False)
class Polygon:
    """points_mm: (n, 3), x, y, z, LPS. kind: Contour Geometric Type. image_uid: the one slice it was drawn on."""

    points_mm: npt.NDArray[np.float64]
    kind: str
    image_uid: str | None = None


@dataclass(frozen=True, eq=False)
class Contours:
    """One region. polygons: in the order of the file, of every kind; none where nothing was drawn."""

    name: str
    number: int
    frame_of_reference_uid: str | None
    polygons: tuple[Polygon, ...]


def read_structures(path: Path, *, patient_id: str) -> tuple[Contours, ...]:
    """Every region of an RT Structure Set, in the order of the file.

    Raises ImagingError where the file is missing, cut short, no structure set, or has a region without a name, two
    of one number, contours of no region, or coordinates that are not finite triplets, as many as it states.
    """
    with quiet():
        try:
            dataset = pydicom.dcmread(path)
            if dataset.get("SOPClassUID") != RTStructureSetStorage:
                raise ValueError(f"SOP class {dataset.get('SOPClassUID')!s}")
            return _regions(dataset)
        except (_MalformedError, ValueError, InvalidDicomError, OSError) as error:
            raise _unreadable(path, patient_id, str(error)) from error
        except Exception as error:  # pydicom raises what it meets inside a damaged file
            raise _unreadable(path, patient_id, f"{type(error).__name__}: {error}") from error


class _MalformedError(Exception):
    """What is wrong with the content, in words."""


def _unreadable(path: Path, patient_id: str, value: str) -> ImagingError:
    mend = "Export it again as an RT Structure Set, or leave the file out."
    return ImagingError(patient_id, "structure set unreadable", file=str(path), value=value, mend=mend)


def _regions(dataset: Dataset) -> tuple[Contours, ...]:
    frames = {str(uid) for uid in (dataset.get("FrameOfReferenceUID"), *_referenced_frames(dataset)) if uid}
    frame = frames.pop() if len(frames) == 1 else None
    if "ROIContourSequence" not in dataset:
        raise _MalformedError("no ROI Contour Sequence")
    drawn = _drawn(dataset)
    rois = [_contours(item, drawn, frame) for item in _items(dataset, "StructureSetROISequence")]
    if not rois:
        raise _MalformedError("no Structure Set ROI Sequence")
    if len({roi.number for roi in rois}) < len(rois):
        raise _MalformedError("two regions of one ROI Number")
    if drawn:
        raise _MalformedError(f"contours of ROI Number {', '.join(map(str, sorted(drawn)))}, which has no name")
    return tuple(rois)


def _drawn(dataset: Dataset) -> dict[int, tuple[Polygon, ...]]:
    found: dict[int, tuple[Polygon, ...]] = {}
    for item in _items(dataset, "ROIContourSequence"):
        number = int(item.ReferencedROINumber)
        polygons = tuple(_polygon(contour) for contour in _items(item, "ContourSequence"))
        found[number] = found.get(number, ()) + polygons
    return found


def _contours(item: Dataset, drawn: dict[int, tuple[Polygon, ...]], frame: str | None) -> Contours:
    name, number = str(item.get("ROIName") or "").strip(), int(item.ROINumber)
    if not name or not name.isprintable():
        raise _MalformedError(f"ROI Number {number} has no name" if not name else f"ROI Name {name!r}")
    own = str(item.get("ReferencedFrameOfReferenceUID") or "") or frame
    return Contours(name, number, own, drawn.pop(number, ()))


def _polygon(contour: Dataset) -> Polygon:
    numbers = _decimals(contour)
    if numbers.size == 0 or numbers.size % 3 or not np.isfinite(numbers).all():
        raise _MalformedError(f"Contour Data of {numbers.size} numbers, not triplets of finite ones")
    stated = contour.get("NumberOfContourPoints")
    if stated is not None and 3 * int(stated) != numbers.size:
        raise _MalformedError(f"Contour Data of {numbers.size} numbers, where {stated} points are stated")
    images = [str(image.ReferencedSOPInstanceUID) for image in _items(contour, "ContourImageSequence")]
    kind = str(contour.get("ContourGeometricType") or "")
    return Polygon(numbers.reshape(-1, 3), kind, images[0] if len(images) == 1 else None)


def _decimals(contour: Dataset) -> npt.NDArray[np.float64]:
    if "ContourData" not in contour:
        raise _MalformedError("a contour without Contour Data")
    raw: Any = contour.get_item("ContourData").value
    if isinstance(raw, bytes):
        text = raw.decode("ascii").strip(" \0")
        return np.array(text.split("\\") if text else [], dtype=np.float64)
    return np.array([] if raw is None else raw, dtype=np.float64).reshape(-1)


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    return list(dataset.get(keyword) or [])


def _referenced_frames(dataset: Dataset) -> Iterator[str | None]:
    for frame in _items(dataset, "ReferencedFrameOfReferenceSequence"):
        yield frame.get("FrameOfReferenceUID")
