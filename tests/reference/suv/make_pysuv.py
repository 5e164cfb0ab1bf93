"""Writes pysuv.json beside it: SUVbw factors of the independent package pySUV 0.1.0 for the headers of each case.

    python -m venv reference-venv && reference-venv/bin/pip install pysuv==0.1.0
    reference-venv/bin/python tests/reference/suv/make_pysuv.py [folder of the shared data]

With the folder, the factors of its real files are made again; without it they are kept. Only cases where pySUV does
what QIBA's pseudo-code says are here: it does not look at dates, at Decay Factor or at the order of the times.
"""

import json
import sys
from pathlib import Path

import pysuv
from pydicom.dataset import Dataset

REAL = {
    "sts_raw_pet_dicom": "sts_raw_pet_dicom/STS_001/PET/1-001.dcm",
    "acrin_flt_breast_1": "pet_dicom_headers/acrin_flt_breast_1.dcm",
    "acrin_flt_breast_2": "pet_dicom_headers/acrin_flt_breast_2.dcm",
}
USUAL = {
    "Manufacturer": "SIEMENS",
    "SeriesTime": "101500",
    "AcquisitionTime": "101500",
    "RadiopharmaceuticalStartTime": "090500",
    "PatientWeight": 82.5,
    "RadionuclideTotalDose": 301.5e6,
    "RadionuclideHalfLife": 6586.2,
    "ActualFrameDuration": 180000,
    "FrameReferenceTime": 89857.9,
}
CASES = {
    "Siemens, series time": USUAL,
    "Siemens, second bed": {**USUAL, "AcquisitionTime": "102000", "FrameReferenceTime": 389857.9},
    "GE, series time": {**USUAL, "Manufacturer": "GE MEDICAL SYSTEMS", "FrameReferenceTime": 0},
    "Ga-68": {**USUAL, "RadionuclideHalfLife": 4062.6, "FrameReferenceTime": 89769.6},
    "Philips, post-processed": {**USUAL, "Manufacturer": "Philips", "SeriesTime": "113000"},
    "Philips, post-processed, third bed": {
        **USUAL,
        "Manufacturer": "Philips",
        "SeriesTime": "113000",
        "AcquisitionTime": "102500",
        "FrameReferenceTime": 689857.9,
    },
}
IN_TRACER = ("RadiopharmaceuticalStartTime", "RadionuclideTotalDose", "RadionuclideHalfLife")


def factor(headers: dict) -> float:
    image, tracer = Dataset(), Dataset()
    for name, value in headers.items():
        setattr(tracer if name in IN_TRACER else image, name, value)
    image.RadiopharmaceuticalInformationSequence = [tracer]
    image.Units, image.DecayCorrection, image.CorrectedImage = "BQML", "START", ["ATTN", "DECY"]
    image.RescaleSlope, image.RescaleIntercept = 1, 0
    return float(pysuv.get_suv_factor(image, philips_timing="zrad").suv_factor)


place = Path(__file__).with_name("pysuv.json")
kept = json.loads(place.read_text())["real"] if place.exists() else {}
shared = Path(sys.argv[1]) if len(sys.argv) > 1 else None
real = {name: pysuv.get_suv_factor(shared / path).suv_factor for name, path in REAL.items()} if shared else kept
made = [{"name": name, "headers": headers, "factor": factor(headers)} for name, headers in CASES.items()]
place.write_text(json.dumps({"real": real, "cases": made}, indent=2) + "\n")
