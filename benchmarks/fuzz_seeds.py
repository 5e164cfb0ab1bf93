"""Small DICOM series whose voxels are known: of every way of decay correction and unit, and real ones."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engram.imaging.volume import Volume
from fuzz_reading import read_volumes

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "unit" / "imaging" / "dicom"))
from dicom_files import write_ct, write_pet

_HALF_LIFE_S = 6586.2
_FRAME_S, _AVERAGE_S = 120.0, 59.937  # of it: the moment of average count rate
_PHILIPS = 0x7053, "Philips PET Private Group"


@dataclass(frozen=True)
class Seed:
    """A valid series in a folder of its own. unseen: headers of single slices that nobody can check in this one."""

    name: str
    folder: Path
    truth: Volume
    unseen: frozenset[str] = frozenset()


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


def make_seeds(folder: Path, shared: Path | None) -> Iterator[Seed]:
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
