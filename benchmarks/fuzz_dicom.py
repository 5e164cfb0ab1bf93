"""DICOM for `fuzz`: a small series, altered in one way, and whether anybody could see it."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from fuzz_case import Case
from fuzz_files import FILE_WAYS, alter_files
from fuzz_headers import HEADER_WAYS, OF_PET, alter_headers
from fuzz_reading import is_part_of, read_volumes
from fuzz_seeds import Seed, make_seeds

_EVEN = 1 / 3 + 1e-6  # of a gap of 3 mm: the millimetre by which `build_stack` lets slices be off their places

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


def cases(rng: np.random.Generator, folder: Path, shared: Path | None) -> Iterator[Case]:
    """Altered series without end, seeds and ways in turn."""
    seeds = list(make_seeds(folder / "seeds", shared))
    number = 0
    while True:
        for way in (*HEADER_WAYS, *FILE_WAYS):
            number += 1
            fitting = [s for s in seeds if "CT" not in s.name] if way in OF_PET else seeds
            yield _case(rng, fitting[int(rng.integers(len(fitting)))], way, folder / f"{number:05}")


def _case(rng: np.random.Generator, seed: Seed, way: str, place: Path) -> Case:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(seed.folder, place)
    what = alter_files(rng, place, way) if way in FILE_WAYS else alter_headers(rng, place, way)
    unseen = _unseen(seed, place)

    def read() -> bool:
        try:
            return all(is_part_of(volume, seed.truth) for volume in read_volumes(place))
        finally:
            shutil.rmtree(place)

    return Case(way, f"{seed.name}: {what}", unseen, read)


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
