"""Masks from a structure set or a segmentation, for the series that they belong to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.uid import RTStructureSetStorage

from engram.errors import ImagingError
from engram.imaging.dicom.contours import Region, rasterise
from engram.imaging.dicom.headers import quiet
from engram.imaging.dicom.polygon import Mask
from engram.imaging.dicom.rtstruct import Contours, read_structures
from engram.imaging.dicom.seg import read_segments
from engram.imaging.dicom.series import Series
from engram.imaging.dicom.stack import Stack
from engram.imaging.dicom.values import items, text

_TAGS = ["SOPClassUID", "FrameOfReferenceUID", "ReferencedSeriesSequence", "ReferencedFrameOfReferenceSequence"]


@dataclass(frozen=True, eq=False)
class DrawnMasks:
    """masks: by name, bool (slices, rows, columns), in the order of the file.

    notes: sentences without identifiers. left: regions of the file that are no mask on these slices, each with why.
    """

    masks: Mapping[str, Mask]
    notes: tuple[str, ...] = ()
    left: tuple[ImagingError, ...] = ()


@dataclass(frozen=True)
class DrawnOn:
    """What a file of masks says of its scan. series_uid: None where it names none or several."""

    structures: bool
    series_uid: str | None
    frame_of_reference_uid: str | None


def drawn_on(path: Path, *, patient_id: str) -> DrawnOn:
    """Which series a structure set or segmentation belongs to. Raises ImagingError where the file is unreadable."""
    with quiet():
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
        except Exception as error:  # pydicom raises what it meets inside a damaged file
            mend = "Copy or export the file again, or leave it out."
            value = f"{type(error).__name__}: {error}"
            raise ImagingError(
                patient_id, "file of masks unreadable", file=str(path), value=value, mend=mend
            ) from error
        named = items(header, "ReferencedSeriesSequence")
        for frame in items(header, "ReferencedFrameOfReferenceSequence"):
            for study in items(frame, "RTReferencedStudySequence"):
                named += items(study, "RTReferencedSeriesSequence")
        series = {uid for uid in (text(item, "SeriesInstanceUID") for item in named) if uid}
        frame_uid = text(header, "FrameOfReferenceUID")
        structures = text(header, "SOPClassUID") == RTStructureSetStorage
    return DrawnOn(structures, series.pop() if len(series) == 1 else None, frame_uid)


def read_masks(
    path: Path, series: Series, stack: Stack, *, patient_id: str, only: Collection[str] = ()
) -> DrawnMasks:
    """Regions of an RT Structure Set or DICOM Segmentation as masks on `stack`, the slices of `series`.

    only: names of those to read; none means all. A region of a structure set that cannot be a mask (points, open
    or empty contours, another frame of reference, ...) is left with its reason. Raises ImagingError where the file
    is unreadable, a segmentation is on other voxels or in another frame of reference, or a name of `only` is not
    there.
    """
    found = drawn_on(path, patient_id=patient_id)
    if found.structures:
        return _of_structures(path, series, stack, patient_id, only)
    known = found.series_uid == series.uid
    _check_frame(found.frame_of_reference_uid, series, known, "segmentation", path, patient_id)
    masks = read_segments(path, stack, patient_id=patient_id)
    return DrawnMasks({name: masks[name] for name in _asked(masks, only, path, patient_id)})


def _of_structures(path: Path, series: Series, stack: Stack, patient_id: str, only: Collection[str]) -> DrawnMasks:
    rois = _by_name(read_structures(path, patient_id=patient_id))
    masks: dict[str, Mask] = {}
    notes: list[str] = []
    left: list[ImagingError] = []
    for name in _asked(rois, only, path, patient_id):
        try:
            region = _region(rois[name], path, series, stack, patient_id)
        except ImagingError as error:
            left.append(error.placed(file=str(path)))
            continue
        masks[name] = region.mask
        notes += [f"{name}: {note}" for note in region.notes]
    return DrawnMasks(masks, tuple(notes), tuple(left))


def _by_name(rois: Sequence[Contours]) -> dict[str, Contours]:
    often = Counter(roi.name for roi in rois)
    return {f"{roi.name} #{roi.number}" if often[roi.name] > 1 else roi.name: roi for roi in rois}


def _asked(names: Collection[str], only: Collection[str], path: Path, patient_id: str) -> list[str]:
    for name in only:
        if name not in names:
            mend = f"It has: {', '.join(names) or 'none'}."
            raise ImagingError(patient_id, "no region of this name", file=str(path), value=name, mend=mend)
    return [name for name in names if not only or name in only]


def _region(roi: Contours, path: Path, series: Series, stack: Stack, patient_id: str) -> Region:
    images = {one.sop_instance_uid for one in stack.slices}
    known = all(polygon.image_uid in images for polygon in roi.polygons)
    _check_frame(roi.frame_of_reference_uid, series, known, roi.name, path, patient_id)
    return rasterise(roi, stack, patient_id=patient_id)


def _check_frame(uid: str | None, series: Series, known: bool, what: str, path: Path, patient_id: str) -> None:
    """known: the file names this very series, which stands in for a frame of reference that is not stated."""
    own = series.frame_of_reference_uid
    if uid == own and uid is not None:
        return
    if uid is None or own is None:
        if known:
            return
        reason, value = (
            "frame of reference of a mask unknown",
            f"{what}: {'none' if uid is None else 'one'} stated; the series: {'none' if own is None else 'one'}",
        )
        mend = "Nobody can tell where the mask lies in this series: use it with the one it was drawn on."
    else:
        reason, value = "mask in another frame of reference", what
        mend = "Its coordinates mean nothing in this series: use it with the one it was drawn on."
    raise ImagingError(patient_id, reason, file=str(path), value=value, mend=mend)
