"""DICOM for `fuzz`: small series whose voxels are known, and ways to alter them."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from engram.imaging.dicom.dump import series_problem, walk
from engram.imaging.dicom.series import Series
from engram.imaging.dicom.stack import build_stack
from engram.imaging.dicom.suv import suv_conversion
from engram.imaging.dicom.voxels import read_ct, read_pet
from engram.imaging.plausibility import check_hu, check_suv
from engram.imaging.volume import Volume
from fuzz_case import Case, LeftError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "unit" / "imaging" / "dicom"))
from dicom_files import write_ct, write_pet

TOLERANCE = 1e-3  # SUV, and HU
_HALF_LIFE_S = 6586.2
_FRAME_S, _AVERAGE_S = 120.0, 59.937  # of it: the moment of average count rate
_EVEN = 1 / 3 + 1e-6  # of a gap of 3 mm: the millimetre by which `build_stack` lets slices be off their places
_WHOLE_FILES = (
    "file cut",
    "bytes flipped",
    "slices taken away",
    "slices doubled",
    "files renamed",
    "other file added",
)
_PHILIPS = 0x7053, "Philips PET Private Group"

# Headers that say what the numbers mean: with another plausible value in all files, nobody can tell. An earlier
# Acquisition Time makes the series look post-processed, which is noted.
_UNSEEN_IN_ALL = {
    *("PatientWeight", "RadionuclideTotalDose", "RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime"),
    *("Units", "PixelSpacing", "ImageOrientationPatient", "Manufacturer", "Columns", "Rows", "AcquisitionTime"),
}
# Headers and pixels that may differ from slice to slice.
_UNSEEN_IN_ONE = {
    *("RescaleSlope", "RescaleIntercept", "PixelData", "BitsStored", "HighBit", "BitsAllocated"),
    *("PixelRepresentation", "ImagePositionPatient", "PixelPaddingValue", "7053,1000", "7053,1009"),
}


@dataclass(frozen=True)
class Seed:
    """A valid series in a folder of its own. unseen: headers of single slices that nobody can check in this one."""

    name: str
    folder: Path
    truth: Volume
    unseen: frozenset[str] = frozenset()


def cases(rng: np.random.Generator, folder: Path, shared: Path | None) -> Iterator[Case]:
    """Altered series without end, seeds and ways in turn."""
    seeds = list(_seeds(folder / "seeds", shared))
    number = 0
    while True:
        for way in (*_WAYS, *_WHOLE_FILES):
            number += 1
            fitting = [s for s in seeds if "CT" not in s.name] if way in _OF_PET else seeds
            yield _case(rng, fitting[int(rng.integers(len(fitting)))], way, folder / f"{number:05}")


def _case(rng: np.random.Generator, seed: Seed, way: str, place: Path) -> Case:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(seed.folder, place)
    what = _alter_files(rng, place, way) if way in _WHOLE_FILES else _alter_headers(rng, place, way)
    unseen = _unseen(seed, place)

    def read() -> bool:
        try:
            return all(_is_part_of(volume, seed.truth) for volume in read_volumes(place))
        finally:
            shutil.rmtree(place)

    return Case(way, f"{seed.name}: {what}", unseen, read)


# Seeds


def _pixels(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(200, 20000, (count, 12, 10)).astype(np.int16)


def _times(offset_s: float, *, ge: bool = False) -> Callable[[int], Mapping[str, Any]]:
    """Frame times of three beds, 150 s apart; offset_s: from the moment of correction to the first."""

    def each(index: int) -> Mapping[str, Any]:
        start = 150.0 * (index // 2)
        after = offset_s + start + _AVERAGE_S
        seconds = 0 if ge else int(start)
        return {
            "AcquisitionTime": f"10{5 + seconds // 60:02}{seconds % 60:02}",
            "FrameReferenceTime": 1000 * (start if ge else after),
            "DecayFactor": round(2 ** (after / _HALF_LIFE_S), 6),
            "ActualFrameDuration": int(1000 * _FRAME_S),
            "RescaleSlope": round(1.7 + 0.1 * index, 2),
        }

    return each


def _philips(suv: float, activity: float) -> Mapping[Any, Any]:
    return {(*_PHILIPS, 0x00, "DS"): f"{suv:.9g}", (*_PHILIPS, 0x09, "DS"): f"{activity:.9g}"}


def _seeds(folder: Path, shared: Path | None) -> Iterator[Seed]:
    rng = np.random.default_rng(0)
    factor = 70_000 / 300e6 * 2 ** (3600 / _HALF_LIFE_S)
    plain, at_injection = _times(0), _times(3600)
    private = _philips(factor * 1.5, 1.5)

    def gml(index: int) -> Mapping[str, Any]:
        return {**plain(index), "RescaleSlope": round(0.0004 + 1e-5 * index, 6)}

    def none(index: int) -> Mapping[str, Any]:
        return {**plain(index), "DecayFactor": 1}

    def counts(index: int) -> Mapping[Any, Any]:
        return {**plain(index), **private}

    changed: Mapping[str, tuple[Any, Mapping[str, Any], set[str]]] = {
        "Siemens START": (plain, {"Manufacturer": "SIEMENS"}, set()),
        "GE START": (_times(0, ge=True), {"Manufacturer": "GE MEDICAL SYSTEMS"}, set()),
        "ADMIN": (at_injection, {"DecayCorrection": "ADMIN"}, set()),
        "NONE": (
            none,
            {"DecayCorrection": "NONE", "CorrectedImage": ["ATTN", "NORM"]},
            {"ActualFrameDuration", "AcquisitionTime", "AcquisitionDate", "FrameReferenceTime"},
        ),
        "SUV": (gml, {"Units": "GML", "SUVType": "BW"}, set()),
        "Philips counts": (counts, {"Units": "CNTS", "Manufacturer": "Philips"}, set()),
    }
    for name, (each, headers, unseen) in changed.items():
        place = folder / name
        write_pet(place, 6, pixels=_pixels(rng, 6), each=each, **headers)
        yield Seed(name, place, _truth(place), frozenset(unseen))
    write_ct(folder / "CT", 6, pixels=_pixels(rng, 6) // 10, SeriesDescription="CT")
    yield Seed("CT", folder / "CT", _truth(folder / "CT"))
    for name, files in _real(shared) if shared else ():
        (folder / name).mkdir()
        for path in files:
            shutil.copyfile(path, folder / name / path.name)
            (folder / name / path.name).chmod(0o644)
        yield Seed(name, folder / name, _truth(folder / name))


def _real(shared: Path) -> Iterator[tuple[str, Sequence[Path]]]:
    for name, folder in (
        ("real GE in Bq", "sts_raw_pet_dicom/STS_001/PET"),
        ("real PET in SUV", "sts_dicom/STS_002/PET"),
        ("real CT", "sts_dicom/STS_002/CT"),
    ):
        yield name, sorted((shared / folder).iterdir())[:8]


def _truth(folder: Path) -> Volume:
    (volume,) = read_volumes(folder)
    return volume


# Reading, as Engram does


def read_volumes(folder: Path) -> list[Volume]:
    """Every volume that Engram would make of a folder. Raises what Engram raises, LeftError where it leaves all."""
    reasons, volumes = [], []
    for series in walk(folder, workers=0).series:
        problem = series_problem(series)
        if problem is None:
            volumes.append(_volume(series))
        else:
            reasons.append(problem)
    if not volumes:
        raise LeftError(reasons[0] if reasons else "no DICOM series")
    return volumes


def _volume(series: Series) -> Volume:
    if series.modality == "CT":
        ct = read_ct(build_stack(series, patient_id="P01"), patient_id="P01")
        check_hu(ct, patient_id="P01")
        return ct
    conversion = suv_conversion(series, patient_id="P01")
    stack = build_stack(series, patient_id="P01")
    by_path = {one.path: factor for one, factor in zip(series.slices, conversion.factors, strict=True)}
    pet = read_pet(stack, np.array([by_path[one.path] for one in stack.slices]), patient_id="P01")
    check_suv(pet, patient_id="P01")
    return pet


def _is_part_of(volume: Volume, truth: Volume) -> bool:
    """Whether every voxel has the truth's value at its place, be it that slices at the ends are gone."""
    if not np.allclose(volume.grid.direction, truth.grid.direction, atol=1e-6):
        return False
    if not np.allclose(volume.grid.spacing_mm, truth.grid.spacing_mm, rtol=0.005):
        return False
    axes = np.reshape(truth.grid.direction, (3, 3)) * np.array(truth.grid.spacing_mm[::-1])
    offset = np.linalg.solve(axes, np.subtract(volume.grid.origin_mm, truth.grid.origin_mm))
    first = np.rint(offset)[::-1].astype(int)
    last = first + volume.voxels.shape
    if np.abs(offset - np.rint(offset)).max() > 0.05 or first.min() < 0 or (last > truth.voxels.shape).any():
        return False
    part = truth.voxels[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
    return bool(np.abs(part - volume.voxels).max() <= TOLERANCE)


# What was altered, found by comparing the files


def _unseen(seed: Seed, place: Path) -> frozenset[str]:
    changed = [_changed(path, place / path.name) for path in sorted(seed.folder.iterdir())]
    kept = [names for names in changed if names is not None]
    in_one = frozenset().union(*kept) & (_UNSEEN_IN_ONE | seed.unseen)
    in_all = frozenset.intersection(*kept) & _UNSEEN_IN_ALL if kept else frozenset()
    left = np.flatnonzero([names is not None for names in changed])
    off = np.abs(left - np.linspace(left[0], left[-1], left.size)).max() if left.size > 2 else 1.0
    evenly = off <= _EVEN and left[-1] - left[0] >= left.size
    return in_one | in_all | (frozenset({"slices left at gaps even to 1 mm"}) if evenly else frozenset())


def _changed(before: Path, after: Path) -> frozenset[str] | None:
    """Names of the headers that differ; None where the file is gone or cannot be read."""
    if after.exists() and before.read_bytes() == after.read_bytes():
        return frozenset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            one, other = _flat(pydicom.dcmread(before)), _flat(pydicom.dcmread(after, force=True))
        except Exception:  # whatever pydicom says of a damaged file
            return None
    return frozenset(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _flat(dataset: Dataset) -> dict[str, str]:
    """Every header's value as text, nested ones too; as stored where it cannot be converted."""
    flat: dict[str, str] = {}
    for tag in list(dataset.keys()):
        name = pydicom.datadict.keyword_for_tag(tag) or f"{tag.group:04x},{tag.element:04x}"
        stored = dataset.get_item(tag)
        try:
            element = dataset[tag]
            items = list(element.value or ()) if element.VR == "SQ" else []
            flat[name] = str(len(items)) if element.VR == "SQ" else str(element.value)
        except Exception:  # an odd value: pydicom raises many kinds
            flat[name], items = str(stored), []
        for item in items:
            flat |= _flat(item)
    return flat


# Altering headers

_NUMBERS = ("DS", "IS", "US", "SS", "FD", "FL", "UL")
_TIMES = ("TM", "DT", "DA")


def _alter_headers(rng: np.random.Generator, place: Path, way: str) -> str:
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
    *_UNSEEN_IN_ALL,
    *_UNSEEN_IN_ONE,
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
_WAYS = (
    *(f"{what} {where}" for what in (*_ALTERED, "word altered") for where in ("in one file", "everywhere")),
    "sequence doubled everywhere",
    *("plausible value everywhere", "plausible value in the first file") * 3,
)


_OF_PET = ("sequence doubled everywhere", "plausible value everywhere", "plausible value in the first file")


# Altering files


def _alter_files(rng: np.random.Generator, place: Path, way: str) -> str:
    paths = sorted(place.iterdir())
    path = paths[int(rng.integers(len(paths)))]
    if way == "file cut":
        size = int(rng.integers(path.stat().st_size))
        path.write_bytes(path.read_bytes()[:size])
        return f"{path.name} after {size} bytes"
    if way == "bytes flipped":
        return _flip(rng, path)
    if way == "slices taken away":
        gone = rng.choice(len(paths), int(rng.integers(1, len(paths))), replace=False)
        for index in gone:
            paths[index].unlink()
        return f"{len(gone)} of {len(paths)}"
    if way == "slices doubled":
        return _double(rng, path)
    if way == "files renamed":
        names = [p.with_name(f"{n:06}") for n, p in enumerate(rng.permutation(np.array(paths, dtype=object)))]
        for old, new in zip(rng.permutation(np.array(paths, dtype=object)), names, strict=True):
            old.rename(new)
        return "in another order"
    (place / "other").write_bytes(rng.bytes(int(rng.integers(2000))))
    return "random bytes"


def _flip(rng: np.random.Generator, path: Path) -> str:
    content = bytearray(path.read_bytes())
    header = max(132, len(content) - 240)  # the headers of the small seeds, and a few pixels
    places = rng.integers(0, header, int(rng.integers(1, 9)))
    for at in places:
        content[at] ^= int(rng.integers(1, 256))
    path.write_bytes(content)
    return f"{len(places)} in {path.name}"


def _double(rng: np.random.Generator, path: Path) -> str:
    copy = path.with_name(f"copy-{path.name}")
    shutil.copyfile(path, copy)
    if rng.random() < 0.5:
        return f"{path.name}, byte by byte"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(copy)
        dataset.SOPInstanceUID = f"{dataset.SOPInstanceUID[:60]}.1"
        dataset.save_as(copy)
    return f"{path.name}, under another UID"
