"""Small valid CT and PET series written with pydicom, every header of which a test can change or take away.

write_ct(folder, count=5)                                 five axial slices, 3 mm apart
write_pet(folder, PatientWeight=REMOVED)                  without a header
write_ct(folder, each=lambda i: {"InstanceNumber": 1})    another header in each slice
write_pet(folder, tracer={"RadionuclideTotalDose": 0})    inside the Radiopharmaceutical Information Sequence
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

REMOVED = object()  # as a header's value: the header is not written
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CT_IMAGE, PET_IMAGE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.128"

Headers = Mapping[str, Any]
Each = Callable[[int], Headers]
Pixels = npt.NDArray[np.integer[Any]]

_COMMON: Headers = {
    "PatientID": "P01",
    "PatientName": "P01",
    "StudyDate": "20200102",
    "StudyTime": "100000",
    "SeriesDate": "20200102",
    "AcquisitionDate": "20200102",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "Manufacturer": "Test",
    "PixelSpacing": [2.0, 2.5],
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
}
_CT: Headers = {
    "Modality": "CT",
    "SOPClassUID": CT_IMAGE,
    "SeriesTime": "100100",
    "AcquisitionTime": "100110",
    "SeriesNumber": 2,
    "SeriesDescription": "CT",
    "RescaleSlope": 1,
    "RescaleIntercept": -1024,
    "RescaleType": "HU",
}
_PET: Headers = {
    "Modality": "PT",
    "SOPClassUID": PET_IMAGE,
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "SeriesTime": "100500",
    "AcquisitionTime": "100500",
    "SeriesNumber": 3,
    "SeriesDescription": "PET AC",
    "SeriesType": ["WHOLE BODY", "IMAGE"],
    "Units": "BQML",
    "CountsSource": "EMISSION",
    "DecayCorrection": "START",
    "CorrectedImage": ["DECY", "ATTN", "SCAT", "NORM"],
    "PatientWeight": 70.0,
    "PatientSize": 1.75,
    "ActualFrameDuration": 120000,
    "FrameReferenceTime": 59936.9,
    "DecayFactor": 1.0063279,
    "RescaleIntercept": 0,
}
_TRACER: Headers = {
    "Radiopharmaceutical": "FDG",
    "RadiopharmaceuticalStartTime": "090500",
    "RadiopharmaceuticalStartDateTime": "20200102090500",
    "RadionuclideTotalDose": 300e6,
    "RadionuclideHalfLife": 6586.2,
}
_NUCLIDE: Headers = {"CodeValue": "C-111A1", "CodingSchemeDesignator": "SRT", "CodeMeaning": "^18^Fluorine"}


def uid(*words: object) -> str:
    """A UID that is the same whenever the words are."""
    return str(generate_uid(entropy_srcs=["engram", *map(str, words)]))


def write_ct(folder: Path, count: int = 5, **more: Any) -> list[Path]:
    """A CT series. more: as `write_series` takes it; headers by their DICOM keyword."""
    return write_series(folder, _CT, count, **more)


def write_pet(
    folder: Path, count: int = 5, *, tracer: Headers | None = None, nuclide: Headers | None = None, **more: Any
) -> list[Path]:
    """A PET series in Bq/mL with slopes 2.0, 2.1, 2.2, ...; tracer, nuclide: headers of these nested items."""
    item = dataset({**_TRACER, **(tracer or {})})
    item.RadionuclideCodeSequence = Sequence([dataset({**_NUCLIDE, **(nuclide or {})})])
    given = {"RadiopharmaceuticalInformationSequence": Sequence([item]), "NumberOfSlices": count}
    each: Each = more.pop("each", lambda _: {})
    return write_series(
        folder,
        {**_PET, **given},
        count,
        each=lambda i: {"RescaleSlope": round(2.0 + 0.1 * i, 1), **each(i)},
        **more,
    )


def write_series(
    folder: Path,
    base: Headers,
    count: int,
    *,
    pixels: Pixels | None = None,
    gap_mm: float = 3.0,
    origin_mm: tuple[float, float, float] = (-10.0, -20.0, -30.0),
    orientation: tuple[float, ...] = AXIAL,
    each: Each | None = None,
    syntax: str = ExplicitVRLittleEndian,
    prefix: str = "",
    **headers: Any,
) -> list[Path]:
    """Write `count` slices along row direction x column direction, one file each; returns the paths.

    pixels: (count, rows, columns) integers as stored; by default 4 x 5 numbers that differ in every voxel.
    each: headers of slice i, over those of all. UIDs follow from the series' own words, so that two calls with
    one SeriesDescription (or SeriesInstanceUID) write into one series.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stored = np.arange(count * 20, dtype=np.int16).reshape(count, 4, 5) if pixels is None else pixels
    row, column = np.reshape(orientation, (2, 3))
    paths = []
    for index in range(count):
        place = np.array(origin_mm) + index * gap_mm * np.cross(row, column)
        own = {"ImageOrientationPatient": list(orientation), "ImagePositionPatient": [float(x) for x in place]}
        own |= {"InstanceNumber": index + 1}
        words = {**_COMMON, **base, **own, **headers, **(each(index) if each else {})}
        paths.append(write_image(folder / f"{prefix}{index + 1:04}.dcm", words, stored[index], syntax=syntax))
    return paths


def write_image(path: Path, headers: Headers, pixels: Pixels, *, syntax: str = ExplicitVRLittleEndian) -> Path:
    """One file of one image: headers over those that the pixels and UIDs call for."""
    words = [headers.get(name) for name in ("PatientID", "StudyDate")]
    series = [*words, headers.get("Modality"), headers.get("SeriesDescription")]
    made = {
        "StudyInstanceUID": uid("study", *words),
        "SeriesInstanceUID": uid("series", *series),
        "FrameOfReferenceUID": uid("frame", *words),
        "SOPInstanceUID": uid("image", *series, headers.get("SeriesInstanceUID"), path.name),
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": 8 * pixels.dtype.itemsize,
        "BitsStored": 8 * pixels.dtype.itemsize,
        "HighBit": 8 * pixels.dtype.itemsize - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
    }
    image = dataset({**made, **headers})
    image.add_new("PixelData", "OW", pixels.astype(pixels.dtype.newbyteorder("<")).tobytes())
    if image["PixelData"].value and len(image.PixelData) % 2:
        image.PixelData += b"\0"
    return save(image, path, syntax=syntax)


def dataset(headers: Headers) -> Dataset:
    """Headers by keyword, or private ones by (group, creator, element, VR), unchecked; REMOVED ones left out."""
    made = Dataset()
    for name, value in headers.items():
        if value is REMOVED:
            continue
        if isinstance(name, tuple):
            group, creator, element, representation = name
            made.private_block(group, creator, create=True).add_new(element, representation, value)
        else:
            with warnings.catch_warnings(), pydicom.config.disable_value_validation():
                warnings.simplefilter("ignore")
                setattr(made, name, value)
    return made


def save(image: Dataset, path: Path, *, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write a dataset, odd values included, as a DICOM file with its preamble."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(str(image.get("SOPClassUID", CT_IMAGE)))
    meta.MediaStorageSOPInstanceUID = UID(str(image.get("SOPInstanceUID", uid(path.name))))
    meta.TransferSyntaxUID = UID(syntax)
    image.file_meta = meta
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        image.save_as(
            path, enforce_file_format=True, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True
        )
    return path
