"""DICOM Segmentations (PS3.3 A.51) to masks on the slices of a series, each frame by its own place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels
from pydicom.uid import SegmentationStorage

from engram.errors import ImagingError
from engram.imaging.dicom.contour_places import Floats, Slices, slices_of
from engram.imaging.dicom.headers import quiet
from engram.imaging.dicom.polygon import Mask
from engram.imaging.dicom.seg_places import SAME_PLACE, Frame, functional_group, place_frame
from engram.imaging.dicom.stack import Stack

_LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"  # newer than the tables of pydicom
_TYPES = {SegmentationStorage: ("BINARY", "FRACTIONAL"), _LABEL_MAP_STORAGE: ("LABELMAP",)}


@dataclass(frozen=True, eq=False)
class _Piece:
    """Of one frame, the pixels of one segment."""

    number: int
    frame: Frame
    inside: Mask


class _MalformedError(Exception):
    """What is wrong with the content, in words."""


def read_segments(path: Path, stack: Stack, *, patient_id: str) -> dict[str, Mask]:
    """Each segment by its label, bool (slices, rows, columns) on `stack`; all False where it has no frame.

    Segments of one label are told apart by their numbers: "lesion #1", "lesion #2". Raises ImagingError where the
    file is missing, cut short, no segmentation, has fractions, or a segment that is not on the voxels of `stack`.
    """
    masks: dict[int, Mask] = {}
    slices = slices_of(stack)
    with quiet():
        try:
            dataset = pydicom.dcmread(path)
            names = _names(dataset)
            masks = {number: np.zeros(stack.grid.shape, dtype=np.bool_) for number in names}
            seen: set[tuple[int, int]] = set()
            for piece in _pieces(dataset, set(names)):
                index = _paste(piece, masks[piece.number], slices, names[piece.number], patient_id)
                if (piece.number, index) in seen:
                    raise _MalformedError(f"two frames of '{names[piece.number]}' on one slice")
                seen.add((piece.number, index))
        except ImagingError as error:
            raise error.placed(file=str(path)) from error
        except Exception as error:  # pydicom raises what it meets inside a damaged file
            said = str(error) if isinstance(error, _MalformedError) else f"{type(error).__name__}: {error}"
            mend = "Export it again as a binary DICOM Segmentation, or leave the file out."
            raise ImagingError(
                patient_id, "segmentation unreadable", file=str(path), value=said, mend=mend
            ) from error
    return {names[number]: mask for number, mask in masks.items()}


def _names(dataset: Dataset) -> dict[int, str]:
    kinds = _TYPES.get(dataset.get("SOPClassUID"), ())
    if dataset.get("SegmentationType") not in kinds:
        raise _MalformedError(
            f"SOP class {dataset.get('SOPClassUID')!s} of type {dataset.get('SegmentationType')!s}"
        )
    background = int(dataset.get("PixelPaddingValue", 0)) if kinds == ("LABELMAP",) else None
    labels = {int(item.SegmentNumber): str(item.SegmentLabel).strip() for item in dataset.SegmentSequence}
    if len(labels) < len(dataset.SegmentSequence):
        raise _MalformedError("two segments of one number")
    labels = {number: label for number, label in labels.items() if number != background}
    if not all(label and label.isprintable() for label in labels.values()):
        raise _MalformedError("a segment without a label, or with one that cannot be printed")
    often = Counter(labels.values())
    return {n: f"{label} #{n}" if often[label] > 1 else label for n, label in labels.items()}


def _pieces(dataset: Dataset, numbers: set[int]) -> Iterator[_Piece]:
    """Of each frame, each segment that has a pixel in it."""
    groups = dataset.PerFrameFunctionalGroupsSequence
    shared = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
    if len(groups) != int(dataset.NumberOfFrames):
        raise _MalformedError(f"{len(groups)} places for {dataset.NumberOfFrames} frames")
    for own, pixels in zip(groups, _frames(dataset), strict=True):
        if not pixels.any() and dataset.SegmentationType != "LABELMAP":
            continue
        frame = _frame(own, shared[0], pixels.shape)
        for number, inside in _segments_of(dataset, own, shared[0], pixels):
            if number not in numbers:
                raise _MalformedError(f"segment {number} is not described")
            yield _Piece(number, frame, inside)


def _frames(dataset: Dataset) -> Iterator[npt.NDArray[Any]]:
    """Frames (rows, columns) as stored. Those of one bit a pixel follow each other without regard to bytes."""
    if dataset.BitsAllocated != 1 or dataset.file_meta.TransferSyntaxUID.is_compressed:
        yield from iter_pixels(dataset, raw=True)
        return
    rows, columns, count = int(dataset.Rows), int(dataset.Columns), int(dataset.NumberOfFrames)
    size, packed = rows * columns, np.frombuffer(dataset.PixelData, dtype=np.uint8)
    if not 0 < size * count <= 8 * packed.size:
        raise _MalformedError(f"{packed.size} bytes of pixels for {count} frames of {rows} x {columns}")
    for start in range(0, size * count, size):
        bits = np.unpackbits(packed[start // 8 : (start + size + 7) // 8], bitorder="little")
        yield bits[start % 8 : start % 8 + size].reshape(rows, columns)


def _segments_of(
    dataset: Dataset, own: Dataset, shared: Dataset, pixels: npt.NDArray[Any]
) -> list[tuple[int, Mask]]:
    if dataset.SegmentationType == "LABELMAP":
        background = int(dataset.get("PixelPaddingValue", 0))
        found = [int(value) for value in np.unique(pixels) if value != background]
        return [(number, pixels == number) for number in found]
    full = int(dataset.MaximumFractionalValue) if dataset.SegmentationType == "FRACTIONAL" else 1
    between = np.unique(pixels[(pixels != 0) & (pixels != full)])
    if between.size:
        raise _MalformedError(f"fractions: {int(between[0])} of {full}, threshold them first")
    identified = functional_group(own, shared, "SegmentIdentificationSequence")
    return [(int(identified.ReferencedSegmentNumber), pixels == full)]


def _frame(own: Dataset, shared: Dataset, shape: tuple[int, ...]) -> Frame:
    measures = functional_group(own, shared, "PixelMeasuresSequence").PixelSpacing
    orientation = functional_group(own, shared, "PlaneOrientationSequence").ImageOrientationPatient
    position = functional_group(own, shared, "PlanePositionSequence").ImagePositionPatient
    rows, columns = shape
    return Frame(_floats(position, 3), _floats(orientation, 6), _floats(measures, 2), (rows, columns))


def _floats(values: Any, count: int) -> Floats:
    found = np.array([float(value) for value in values], dtype=np.float64)
    if found.shape != (count,) or not np.isfinite(found).all():
        raise _MalformedError(f"{found.size} numbers where {count} finite ones place a frame")
    return found


def _paste(piece: _Piece, mask: Mask, slices: Slices, name: str, patient_id: str) -> int:
    """Set the pixels of a frame in the slice that it lies on; return the index of that slice."""
    place = place_frame(piece.frame, slices)
    if not place.turned:
        how = "voxels of another size or plane"
    elif place.off_mm > SAME_PLACE * min(slices.stack.grid.spacing_mm):
        how = f"{place.off_mm:.2f} mm off the voxels"
    else:
        found, begin = place.window(piece.inside)
        end = begin + found.shape
        if (begin >= 0).all() and (end <= mask.shape[1:]).all():
            mask[place.index, begin[0] : end[0], begin[1] : end[1]] |= found
            return place.index
        how = "pixels beyond the images"
    raise ImagingError(
        patient_id,
        "segmentation on another grid",
        value=f"{name}: {how}; {piece.frame.describe()}; the series has {slices.stack.grid.describe()}",
        mend="Use it with the series it was drawn on, or resample it by nearest neighbour to this one.",
    )
