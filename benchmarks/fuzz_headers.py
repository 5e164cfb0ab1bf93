"""Ways to alter headers of DICOM files: taken away, emptied, of another type, odd, or plausible but wrong."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

_NUMBERS = ("DS", "IS", "US", "SS", "FD", "FL", "UL")
_TIMES = ("TM", "DT", "DA")


def alter_headers(rng: np.random.Generator, place: Path, way: str) -> str:
    paths = sorted(place.iterdir())
    everywhere = way.endswith("everywhere")
    first = "first file" in way  # whose headers are taken for those of all
    chosen = paths if everywhere else [paths[0 if first else int(rng.integers(len(paths)))]]
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        tag, value = _alteration(rng, pydicom.dcmread(chosen[0]), way)
        for path in chosen:
            _alter(path, tag, value)
    shown = "taken away" if value is None else f"to {str(value)[:60]!r}"
    name = pydicom.datadict.keyword_for_tag(tag) or str(tag)
    return f"{name} {shown} in {'all files' if everywhere else chosen[0].name}"


def _alteration(rng: np.random.Generator, dataset: Dataset, way: str) -> tuple[Any, Any]:
    """A header, and its new value; None takes it away."""
    if "plausible" in way:
        wanted = [e for e in dataset.iterall() if e.keyword in _OF_SUV and e.value not in (None, "")]
        element = wanted[int(rng.integers(len(wanted)))]
        return element.tag, _plausible(rng, element)
    wanted = [e for e in dataset.iterall() if _fits(e, way)]
    decisive = [e for e in wanted if e.keyword in _DECISIVE]
    wanted = decisive if decisive and rng.random() < 0.7 else wanted
    element = wanted[int(rng.integers(len(wanted)))]
    return element.tag, _new_value(rng, element, way)


_OF_SUV = {  # what an SUV is made of, with the other words that may stand there
    **dict.fromkeys(("PatientWeight", "RadionuclideTotalDose", "RadionuclideHalfLife"), ()),
    **dict.fromkeys(("FrameReferenceTime", "DecayFactor", "ActualFrameDuration"), ()),
    **dict.fromkeys(("SeriesTime", "AcquisitionTime", "RadiopharmaceuticalStartTime"), ()),
    "RadiopharmaceuticalStartDateTime": (),
    "Units": ("BQML", "GML", "CNTS", "CM2ML"),
    "SUVType": ("BW", "LBM", "IBW", "BSA"),
    "DecayCorrection": ("START", "ADMIN", "NONE"),
    "CorrectedImage": ("ATTN", "DECY", "ATTN\\DECY"),
    "CodeMeaning": ("^68^Gallium", "^11^Carbon", "^89^Zirconium"),
}


def _plausible(rng: np.random.Generator, element: Any) -> Any:
    """Another value that could be: of other words, a share more or less, or a time up to two hours away."""
    words = _OF_SUV[element.keyword]
    if words:
        return str(rng.choice(words))
    if element.VR in _NUMBERS:
        return f"{float(element.value) * float(rng.choice([0.5, 0.8, 0.95, 1.05, 1.25, 2.0])):.8g}"
    text = str(element.value)
    date, clock = text[:-6], text[-6:] if "." not in text else text.split(".")[0][-6:]
    seconds = int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + int(clock[4:])
    seconds = (seconds + 60 * int(rng.integers(-120, 121))) % 86400
    moved = f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}"
    return f"{date if element.VR == 'DT' else ''}{moved}"


_DECISIVE = {
    *("PatientWeight", "RadionuclideTotalDose", "RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime"),
    *("Units", "PixelSpacing", "ImageOrientationPatient", "Manufacturer", "Columns", "Rows", "RescaleSlope"),
    *("RescaleIntercept", "BitsStored", "HighBit", "PixelRepresentation", "ImagePositionPatient"),
    *("SUVType", "DecayCorrection", "CorrectedImage", "RadiopharmaceuticalInformationSequence", "CodeValue"),
    *("RadionuclideHalfLife", "RadionuclideCodeSequence", "CodeMeaning", "SeriesTime", "SeriesDate", "SeriesType"),
    *("AcquisitionTime", "AcquisitionDate", "FrameReferenceTime", "DecayFactor", "ActualFrameDuration", "Modality"),
    *("SOPInstanceUID", "SeriesInstanceUID", "SOPClassUID", "FrameOfReferenceUID", "PatientID", "SliceThickness"),
}


def _fits(element: Any, way: str) -> bool:
    if "number" in way:
        return element.VR in _NUMBERS and element.value not in (None, "")
    if "time" in way:
        return element.VR in _TIMES
    if "word" in way:
        return element.VR in ("CS", "LO", "SH", "UI")
    return "sequence" not in way or element.VR == "SQ"


def _new_value(rng: np.random.Generator, element: Any, way: str) -> Any:
    if "taken away" in way:
        return None
    if "emptied" in way:
        return [] if element.VR == "SQ" else ""
    if "sequence" in way:
        return list(element.value) * 2
    if "number" in way:
        return _number(rng, element)
    if "time" in way:
        return str(rng.choice(_ODD_TIMES)) if rng.random() < 0.5 else _shifted(rng, str(element.value))
    if "word" in way:
        return str(rng.choice(_WORDS))
    return str(rng.choice(["abc", "1\\2", "-", "1e999", "nan", " ", "0x10", "\u00e9"]))  # of another type


_ODD_TIMES = (
    "",
    "250000",
    "ab",
    "19000101",
    "99999999",
    "000000",
    "20200102",
    "10",
    "101500.5",
    "20200102101500-0500",
)
_WORDS = (
    *("START", "ADMIN", "NONE", "BQML", "CNTS", "GML", "CPS", "BW", "LBM", "ATTN", "DECY", "DYNAMIC", "STATIC"),
    *("PT", "CT", "MR", "DERIVED", "C-131A3", "68Ga", "18F", "GE MEDICAL SYSTEMS", "Philips", "P02", "1.2.3", ""),
)


def _number(rng: np.random.Generator, element: Any) -> Any:
    several = not isinstance(element.value, (str, bytes)) and hasattr(element.value, "__len__")
    values = [float(v) for v in element.value] if several else [float(element.value)]
    at, old = int(rng.integers(len(values))), values[0]
    odd = [0.0, -old, old * 1.01, old * 0.9, old * 10, old / 10, old * 1000, old / 1e6, old + 1, 1e30, 70.0, 370.0]
    values[at] = float(rng.choice(odd))
    if element.VR in ("US", "SS", "UL", "IS"):
        values = [float(int(np.clip(v, 0, 60000))) for v in values]
    made = [int(v) if element.VR in ("US", "SS", "UL", "IS") else float(f"{v:.8g}") for v in values]
    return made if several else made[0]


def _shifted(rng: np.random.Generator, text: str) -> str:
    """The same time or date with some digits altered; mostly still one."""
    digits = [i for i, letter in enumerate(text) if letter.isdigit()]
    for _ in range(int(rng.integers(1, 3)) if digits else 0):
        at = int(rng.choice(digits))
        text = text[:at] + str(rng.integers(10)) + text[at + 1 :]
    return text


def _alter(path: Path, tag: Any, value: Any) -> None:
    dataset = pydicom.dcmread(path)
    for holder in list(_holders(dataset)):
        if tag in holder:
            if value is None:
                del holder[tag]
            else:
                _put(holder, tag, value)
    dataset.save_as(path)


def _put(holder: Dataset, tag: Any, value: Any) -> None:
    """Words are written as they are, whatever the type of the header: as a careless writer has it."""
    element = holder[tag]
    if isinstance(value, str):
        text = value.encode("latin-1")
        text += b" " * (len(text) % 2)
        holder[tag] = RawDataElement(element.tag, element.VR, len(text), text, 0, False, True)
    else:
        element.value = value


def _holders(dataset: Dataset) -> Iterator[Dataset]:
    yield dataset
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _holders(item)


_ALTERED = ("header taken away", "header emptied", "header of another type", "number altered", "time altered")
HEADER_WAYS = (
    *(f"{what} {where}" for what in (*_ALTERED, "word altered") for where in ("in one file", "everywhere")),
    "sequence doubled everywhere",
    *("plausible value everywhere", "plausible value in the first file") * 3,
)


OF_PET = ("sequence doubled everywhere", "plausible value everywhere", "plausible value in the first file")
