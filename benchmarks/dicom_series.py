"""A CT and a PET in Bq/mL as DICOM files of one patient, as large as one likes, for `streaming.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

WEIGHT_KG, DOSE_BQ, HALF_LIFE_S, UPTAKE_S = 70.0, 300e6, 6586.2, 3600.0
_CT = {"Modality": "CT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "RescaleSlope": 1, "RescaleIntercept": -1024}
_PET = {
    "Modality": "PT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.128", "RescaleIntercept": 0, "Units": "BQML",
    "DecayCorrection": "START", "CorrectedImage": ["DECY", "ATTN"], "PatientWeight": WEIGHT_KG,
    "SeriesType": ["WHOLE BODY", "IMAGE"],
}  # fmt: skip


def write_ct(folder: Path, hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> None:
    """hu: int16 (z, y, x). spacing_mm: (z, y, x)."""
    for index, plane in enumerate(hu):
        _write(folder, index, np.maximum(plane + 1024, 0).astype(np.uint16), spacing_mm, _CT)


def write_pet(folder: Path, suv: np.ndarray, spacing_mm: tuple[float, float, float]) -> None:
    """suv: float32 (z, y, x), written as activity with a slope of its own in each slice."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    tracer = Dataset()
    tracer.RadiopharmaceuticalStartDateTime = "20200102090000"
    tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = DOSE_BQ, HALF_LIFE_S
    headers = {**_PET, "RadiopharmaceuticalInformationSequence": Sequence([tracer])}
    to_bq = DOSE_BQ * 2 ** (-UPTAKE_S / HALF_LIFE_S) / (WEIGHT_KG * 1000)
    for index, plane in enumerate(suv):
        slope = float(f"{plane.max() * to_bq / 32000:.6g}")
        stored = np.rint(plane * to_bq / slope).astype(np.uint16)
        _write(folder, index, stored, spacing_mm, {**headers, "RescaleSlope": slope})


def _write(
    folder: Path, index: int, plane: np.ndarray, spacing_mm: tuple[float, float, float], own: Mapping[str, Any]
) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    dz, dy, dx = spacing_mm
    series = generate_uid(entropy_srcs=["engram benchmark", own["Modality"]])
    headers = {
        "PatientID": "P1", "StudyInstanceUID": generate_uid(entropy_srcs=["engram benchmark"]),
        "StudyDate": "20200102", "SeriesInstanceUID": series,
        "FrameOfReferenceUID": generate_uid(entropy_srcs=["engram frame"]),
        "SOPInstanceUID": f"{series[:50]}.{index}", "SeriesDate": "20200102", "SeriesTime": "100000",
        "AcquisitionDate": "20200102", "AcquisitionTime": "100000", "ImageType": ["ORIGINAL", "PRIMARY"],
        "Rows": plane.shape[0], "Columns": plane.shape[1], "PixelSpacing": [dy, dx], "InstanceNumber": index + 1,
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImagePositionPatient": [dx / 2, dy / 2, dz * (index + 0.5)],
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 16,
        "HighBit": 15, "PixelRepresentation": 0, **own,
    }  # fmt: skip
    image = Dataset()
    for name, value in headers.items():
        setattr(image, name, value)
    image.PixelData = plane.tobytes()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    folder.mkdir(parents=True, exist_ok=True)
    image.save_as(folder / f"{index:05}.dcm", enforce_file_format=True)
