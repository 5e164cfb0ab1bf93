"""Masks to one DICOM Segmentation on the slices of a series.

The same masks of the same series give the same file: UIDs follow from the content, dates are those of the series.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import highdicom
import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID

from engram import __version__
from engram.errors import ImagingError
from engram.files import atomic_write, digest
from engram.imaging.dicom.headers import quiet
from engram.imaging.dicom.polygon import Mask
from engram.imaging.dicom.seg_pixels import HEADER_SHAPE, header_masks, set_pixels
from engram.imaging.dicom.segment_codes import segment_codes
from engram.imaging.dicom.series import Series
from engram.imaging.dicom.stack import Stack

_LONGEST_NAME = 64  # of Segment Label, VR LO
_SERIES_NUMBER = 900  # away from those of scanners
_MAY_BE_EMPTY = (  # type 2 of the patient and study modules; anonymised files often lack them as a whole
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "ReferringPhysicianName"),
    *("StudyID", "StudyDate", "StudyTime"),
)


@dataclass(frozen=True)
class MadeBy:
    """How masks were made, as Segment Algorithm Type and Name say it. algorithm: its name and version.

    Raises ValueError for an algorithm that has no name, and for the name of one where everything is manual.
    """

    kind: Literal["automatic", "semiautomatic", "manual"]
    algorithm: str = ""

    def __post_init__(self) -> None:
        if (self.kind == "manual") == bool(self.algorithm.strip()):
            raise ValueError("an automatic or semiautomatic algorithm needs a name; manual segments have none")


def write_seg(
    masks: Mapping[str, Mask],
    series: Series,
    stack: Stack,
    path: Path,
    *,
    made_by: MadeBy,
    patient_id: str,
    description: str = "Engram regions",
) -> Path:
    """Write each mask, bool (slices, rows, columns) on `stack`, as a binary segment; masks may overlap.

    stack: the slices of `series`, whose files give patient and study. Raises ImagingError where a mask is empty, a
    name is no Segment Label, or a header that DICOM asks for is missing in the series; StorageError where the file
    cannot be written; ValueError for a mask of another shape.
    """
    for name, mask in masks.items():
        if mask.shape != stack.grid.shape:
            raise ValueError(f"mask '{name}' {mask.shape} is not on a stack of {stack.grid.shape}")
        _check(name, mask, patient_id)
    with quiet():
        try:
            made = _segmentation(masks, series, stack, made_by, description)
        except Exception as error:  # highdicom meets a missing header anywhere
            raise ImagingError(
                patient_id,
                "series cannot carry a segmentation",
                file=str(series.folder),
                value=f"{type(error).__name__}: {error}",
                mend="Export the series again with all its headers.",
            ) from error
        return atomic_write(path, lambda stream: made.save_as(stream, enforce_file_format=True))


def _check(name: str, mask: Mask, patient_id: str) -> None:
    if not name.strip() or name != name.strip() or len(name) > _LONGEST_NAME or "\\" in name:
        mend = f"A Segment Label has 1 to {_LONGEST_NAME} characters, no backslash, no spaces around it."
        raise ImagingError(patient_id, "name of a mask is no label", value=repr(name), mend=mend)
    if not mask.any():
        mend = "Leave it out: a segment without a voxel says nothing."
        raise ImagingError(patient_id, "mask is empty", value=f"'{name}', 0 voxels", mend=mend)


def _segmentation(
    masks: Mapping[str, Mask], series: Series, stack: Stack, made_by: MadeBy, description: str
) -> highdicom.seg.Segmentation:
    sources = [_source(one.path, stack) for one in stack.slices]
    content = _content_digest(masks, series, stack, made_by, description)
    made = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=header_masks(masks),
        segmentation_type="BINARY",
        segment_descriptions=[_described(n, name, made_by) for n, name in enumerate(masks, start=1)],
        series_instance_uid=_uid(content, "series"),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=_uid(content, "instance"),
        instance_number=1,
        manufacturer="Engram",
        manufacturer_model_name="engram-survival",
        software_versions=__version__,
        device_serial_number="none",
        content_description=description,
        content_label="REGIONS",
        series_description=description,
        specific_character_set="ISO_IR 192",
    )
    set_pixels(made, masks, stack)
    _settle(made, sources[0], content)
    return made


def _source(path: Path, stack: Stack) -> Dataset:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    for keyword in _MAY_BE_EMPTY:
        if keyword not in header:
            setattr(header, keyword, None)
    if header.get("SliceThickness") is None:
        header.SliceThickness = stack.grid.spacing_mm[0]  # what a frame of the segmentation stands for
    header.Rows, header.Columns = HEADER_SHAPE
    return header


def _described(number: int, name: str, made_by: MadeBy) -> highdicom.seg.SegmentDescription:
    codes = segment_codes(name)
    described = highdicom.seg.SegmentDescription(number, name, codes.category, codes.kind, "MANUAL")
    described.SegmentAlgorithmType = made_by.kind.upper()
    if made_by.algorithm:
        # highdicom would have us name the family of the algorithm in a code, which nobody told us.
        described.SegmentAlgorithmName = made_by.algorithm
    return described


def _settle(made: Dataset, source: Dataset, content: str) -> None:
    """Instead of the present moment and random UIDs: dates of the scan, and UIDs from the content."""
    for keyword in ("InstanceCreationDate", "InstanceCreationTime"):
        if keyword in made:
            delattr(made, keyword)
    for equipment in made.get("ContributingEquipmentSequence", []):
        if "ContributionDateTime" in equipment:
            del equipment.ContributionDateTime
    made.ContentDate = source.get("SeriesDate") or source.get("StudyDate") or ""
    made.ContentTime = source.get("SeriesTime") or source.get("StudyTime") or ""
    organization = _uid(content, "dimensions")
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization


def _content_digest(
    masks: Mapping[str, Mask], series: Series, stack: Stack, made_by: MadeBy, description: str
) -> str:
    bits = {name: hashlib.sha256(np.packbits(mask).tobytes()).hexdigest() for name, mask in masks.items()}
    slices = [[one.sop_instance_uid, one.position_mm, one.orientation] for one in stack.slices]
    said = [made_by.kind, made_by.algorithm, description, __version__, highdicom.__version__]
    return digest([list(bits.items()), series.uid, slices, said])


def _uid(content: str, part: str) -> UID:
    """DICOM PS3.5 B.2: a UUID, here one made of a name (RFC 9562, version 5), as a decimal number under 2.25."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'engram {content} {part}').int}")
