"""The headers of one DICOM file as plain facts. No pixel is read, and no file, however odd, ends in a traceback.

Sources: DICOM PS3.3 C.7.6.2 (Image Plane), C.8.2.1 (CT Image), C.8.9 (PET); PS3.5 6.2 (values), 7.8 (private).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial

from engram.cohort.imported import LeftFile
from engram.imaging.dicom.pet_headers import (
    PET_KEYWORDS,
    PRIVATE_TAGS,
    pet_facts,
    philips_activity_factor,
    philips_suv_factor,
)
from engram.imaging.dicom.series import ImageSlice, PetFacts
from engram.imaging.dicom.values import date_and_time, date_of, local_moment, number, numbers, text, texts, whole

IMAGE_CLASSES = {"CT": "1.2.840.10008.5.1.4.1.1.2", "PT": "1.2.840.10008.5.1.4.1.1.128"}  # one image a file
_DEFLATED = "1.2.840.10008.1.2.1.99"
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")  # of a file without preamble, little or big endian
_UNDEFINED = 0xFFFFFFFF
_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_KEYWORDS = (
    *("SpecificCharacterSet", "TimezoneOffsetFromUTC", "SOPClassUID", "SOPInstanceUID", "Modality"),
    *("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID", "StudyDate"),
    *("SeriesDate", "SeriesTime", "SeriesDescription", "SeriesNumber", "ImageType", "InstanceNumber"),
    *("AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "ActualFrameDuration", "FrameReferenceTime"),
    *("DecayFactor", "NumberOfFrames", "Rows", "Columns", "PixelSpacing", "ImagePositionPatient"),
    *("ImageOrientationPatient", "RescaleSlope", "RescaleIntercept"),
)
_TAGS = [*(tag_for_keyword(word) for word in (*_KEYWORDS, *PET_KEYWORDS)), *PRIVATE_TAGS]


@dataclass(frozen=True)
class SharedFacts:
    """What every file of a series should say alike. Fields as in `Series`."""

    uid: str
    study_uid: str
    patient_id: str
    modality: str
    sop_class_uid: str
    frame_of_reference_uid: str | None = None
    description: str | None = None
    number: int | None = None
    study_date: str | None = None
    started: datetime | None = None
    image_type: tuple[str, ...] = ()
    pet: PetFacts | None = None


@dataclass(frozen=True)
class FileHeader:
    """One DICOM file. image: of a single CT or PET image. damage: why such an image cannot be used as it is."""

    path: Path
    sop_instance_uid: str
    shared: SharedFacts
    image: ImageSlice | None = None
    damage: str | None = None


def read_header(path: Path) -> FileHeader | LeftFile:
    """What a file says of itself, or why it is left. A file without the DICOM preamble needs its SOP Class UID."""
    try:
        with path.open("rb") as stream, quiet():
            reason = _no_dicom(stream)
            return LeftFile(path, reason) if reason else _read(path, stream)
    except OSError as error:
        return LeftFile(path, f"cannot be read ({error.strerror or error}); mend its rights or copy it again")
    except Exception as error:  # a damaged header can fail in any way inside of pydicom
        return LeftFile(path, f"damaged DICOM header ({type(error).__name__}); copy the file again")


@contextmanager
def quiet() -> Iterator[None]:
    """pydicom takes odd values as they are and says nothing: what matters of them is checked by name here."""
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def _no_dicom(stream: BinaryIO) -> str | None:
    start = stream.read(132)
    stream.seek(0)
    if not start:
        return "empty file; copy it again"
    if start[128:] == b"DICM" or start[:2] in _FIRST_GROUPS:
        return None
    return "not a DICOM file"


def _read(path: Path, stream: BinaryIO) -> FileHeader | LeftFile:
    headers = read_partial(stream, _at_pixels, force=True, specific_tags=_TAGS)
    uid, sop_class = text(headers, "SeriesInstanceUID"), text(headers, "SOPClassUID")
    if sop_class is None or uid is None:
        missing = "SOP Class UID (0008,0016)" if sop_class is None else "Series Instance UID (0020,000E)"
        return LeftFile(path, f"no {missing}; copy or export the file again")
    shared = _shared(headers, uid, sop_class)
    sop_instance_uid = text(headers, "SOPInstanceUID") or ""
    if IMAGE_CLASSES.get(shared.modality) != sop_class or (whole(headers, "NumberOfFrames") or 1) > 1:
        return FileHeader(path, sop_instance_uid, shared)
    damage = _cut(stream, headers, path.stat().st_size)
    image = None if damage else _image(headers, path, sop_instance_uid)
    return FileHeader(path, sop_instance_uid, shared, image, damage)


def _at_pixels(tag: int, _representation: str | None, _length: int) -> bool:
    return tag >= 0x7FE00008


def _cut(stream: BinaryIO, headers: Dataset, size: int) -> str | None:
    """The reader stopped before the pixels: they must begin there and be there to their end."""
    if _syntax(headers) == _DEFLATED:
        return None  # the stream is compressed as a whole: whoever reads its pixels will see
    implicit, little = headers.original_encoding
    order: Literal["little", "big"] = "little" if little else "big"
    start = stream.read(8 if implicit else 12)
    if [int.from_bytes(start[i : i + 2], order) for i in (0, 2)] != [0x7FE0, 0x0010]:
        return "cut short or damaged before its Pixel Data (7FE0,0010); copy the file again"
    length = int.from_bytes(start[-4:], order)
    whole_there = _fragments_end(stream) if length == _UNDEFINED else stream.tell() + length <= size
    return None if whole_there else "cut short inside its Pixel Data (7FE0,0010); copy the file again"


def _fragments_end(stream: BinaryIO) -> bool:
    """Whether compressed pixels, a row of items (PS3.5 A.4), come to their delimiter before the file ends."""
    while (start := stream.read(8))[:4] == _ITEM:
        stream.seek(int.from_bytes(start[4:], "little"), os.SEEK_CUR)
    return start[:4] == _DELIMITER


def _syntax(headers: Dataset) -> str | None:
    return text(headers.file_meta, "TransferSyntaxUID")


def _shared(headers: Dataset, uid: str, sop_class: str) -> SharedFacts:
    modality = text(headers, "Modality") or ""
    return SharedFacts(
        uid=uid,
        study_uid=text(headers, "StudyInstanceUID") or "",
        patient_id=text(headers, "PatientID") or "",
        modality=modality,
        sop_class_uid=sop_class,
        frame_of_reference_uid=text(headers, "FrameOfReferenceUID"),
        description=text(headers, "SeriesDescription"),
        number=whole(headers, "SeriesNumber"),
        study_date=date_of(text(headers, "StudyDate")),
        started=date_and_time(text(headers, "SeriesDate"), text(headers, "SeriesTime")),
        image_type=texts(headers, "ImageType"),
        pet=pet_facts(headers) if modality == "PT" else None,
    )


def _image(headers: Dataset, path: Path, sop_instance_uid: str) -> ImageSlice:
    return ImageSlice(
        path=path,
        sop_instance_uid=sop_instance_uid,
        instance_number=whole(headers, "InstanceNumber"),
        rows=whole(headers, "Rows"),
        columns=whole(headers, "Columns"),
        pixel_spacing_mm=numbers(headers, "PixelSpacing", 2),  # type: ignore[arg-type]  # so many or None
        orientation=numbers(headers, "ImageOrientationPatient", 6),  # type: ignore[arg-type]
        position_mm=numbers(headers, "ImagePositionPatient", 3),  # type: ignore[arg-type]
        slope=number(headers, "RescaleSlope"),
        intercept=number(headers, "RescaleIntercept"),
        acquired=_acquired(headers),
        frame_duration_s=_seconds(number(headers, "ActualFrameDuration")),
        frame_reference_s=_seconds(number(headers, "FrameReferenceTime")),
        decay_factor=number(headers, "DecayFactor"),
        philips_suv_factor=philips_suv_factor(headers),
        philips_activity_factor=philips_activity_factor(headers),
        transfer_syntax=_syntax(headers),
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000.0


def _acquired(headers: Dataset) -> datetime | None:
    """Acquisition Date and Time, else Acquisition DateTime."""
    found = date_and_time(text(headers, "AcquisitionDate"), text(headers, "AcquisitionTime"))
    return found or local_moment(text(headers, "AcquisitionDateTime"), headers)
