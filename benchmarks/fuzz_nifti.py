"""NIfTI for `fuzz`: a CT and a PET whose voxels are known, and ways to alter their bytes."""

from __future__ import annotations

import gzip
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from engram.imaging.study import ImagePair, load_pair
from fuzz_case import Case

TOLERANCE = 1e-3
_SHAPE = (14, 12, 10)
_HEADER = 348
_WAYS = (
    *("NIfTI header bytes flipped", "NIfTI cut", "NIfTI number type altered", "NIfTI voxels NaN or infinite"),
    *("NIfTI affine altered", "NIfTI size altered", "NIfTI scale altered", "NIfTI compressed bytes flipped"),
)
# What says how voxels are to be read or where they lie: first byte and the one after the last (nifti1.h).
_UNSEEN = {
    "size": (40, 56),
    "number type": (70, 74),
    "voxel sizes": (76, 108),
    "place of the voxels in the file": (108, 112),
    "scale": (112, 120),
    "units": (123, 124),
    "orientation codes": (252, 256),
    "quaternion and affine": (256, 328),
    "byte order or format": (0, 4),
    "magic": (344, 348),
}


def cases(rng: np.random.Generator, folder: Path) -> Iterator[Case]:
    """Altered pairs without end; the CT or the PET is altered."""
    folder.mkdir(parents=True)
    originals = _write(folder / "seed")
    truth = load_pair(*originals, patient_id="P01")
    number = 0
    while True:
        for way in _WAYS:
            number += 1
            yield _case(rng, folder / f"{number:05}", originals, truth, way)


def _case(rng: np.random.Generator, place: Path, originals: tuple[Path, Path], truth: ImagePair, way: str) -> Case:
    place.mkdir()
    which = int(rng.integers(2))
    packed = way == "NIfTI compressed bytes flipped"
    paths = [
        place / (path.name + (".gz" if packed and index == which else "")) for index, path in enumerate(originals)
    ]
    content = bytearray(originals[which].read_bytes())
    what = _alter(rng, content, way)
    paths[1 - which].write_bytes(originals[1 - which].read_bytes())
    paths[which].write_bytes(content)
    unseen = frozenset() if packed else _unseen(originals[which].read_bytes(), bytes(content))

    def read() -> bool:
        try:
            return _equal(load_pair(paths[0], paths[1], patient_id="P01"), truth)
        finally:
            shutil.rmtree(place)

    return Case(way, f"{paths[which].name}: {what}", unseen, read)


def _write(folder: Path) -> tuple[Path, Path]:
    folder.mkdir()
    rng = np.random.default_rng(0)
    ct = rng.integers(-1000, 1500, _SHAPE).astype(np.float32)
    pet = rng.uniform(0.1, 30, _SHAPE).astype(np.float32)
    paths = folder / "ct.nii", folder / "pet.nii"
    for voxels, path in zip((ct, pet), paths, strict=True):
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing((2.0, 2.5, 3.0))
        image.SetOrigin((-10.0, -20.0, -30.0))
        sitk.WriteImage(image, str(path))
    return paths


def _alter(rng: np.random.Generator, content: bytearray, way: str) -> str:
    if "header" in way:
        places = rng.integers(0, _HEADER, int(rng.integers(1, 7)))
        for at in places:
            content[at] ^= int(rng.integers(1, 256))
        return f"bytes {sorted(int(p) for p in places)}"
    if "cut" in way:
        size = int(rng.integers(len(content)))
        del content[size:]
        return f"after {size} bytes"
    if "type" in way:
        code, bits = (
            int(n) for n in rng.choice([(2, 8), (4, 16), (8, 32), (64, 64), (128, 24), (0, 0), (9999, 16)])
        )
        struct.pack_into("<hh", content, 70, code, bits)
        return f"datatype {code}"
    if "NaN" in way:
        at = 352 + 4 * int(rng.integers(np.prod(_SHAPE)))
        value = float(rng.choice([np.nan, np.inf, -np.inf, 1e38, -1e6]))
        struct.pack_into("<f", content, at, value)
        return f"a voxel {value}"
    if "compressed" in way:
        packed = bytearray(gzip.compress(bytes(content), mtime=0))
        for at in rng.integers(0, len(packed), 3):
            packed[at] ^= int(rng.integers(1, 256))
        content[:] = packed
        return "three bytes"
    return _alter_numbers(rng, content, way)


def _alter_numbers(rng: np.random.Generator, content: bytearray, way: str) -> str:
    odd = [0.0, np.nan, np.inf, -1.0, 1e-30, 1e30, 2.0, 0.1]
    if "size" in way:
        at, value = 40 + 2 * int(rng.integers(8)), int(rng.choice([0, 1, -1, 5, 13, 32767]))
        struct.pack_into("<h", content, at, value)
        return f"dim[{(at - 40) // 2}] {value}"
    first, last = (112, 120) if "scale" in way else (76, 108) if rng.random() < 0.5 else (256, 328)
    at, value = first + 4 * int(rng.integers((last - first) // 4)), float(rng.choice(odd))
    struct.pack_into("<f", content, at, value)
    if "affine" in way and rng.random() < 0.3:
        struct.pack_into("<hh", content, 252, 0, 0)
    return f"number at byte {at} {value}"


def _unseen(before: bytes, after: bytes) -> frozenset[str]:
    """What was altered that a reader has to believe."""
    names = {name for name, (a, b) in _UNSEEN.items() if before[a:b] != after[a:b]}
    if before[_HEADER:] != after[_HEADER : len(before)] and len(before) == len(after):
        names.add("voxels")
    return frozenset(names)


def _equal(pair: ImagePair, truth: ImagePair) -> bool:
    for modality in ("CT", "PET"):
        one, other = pair.volume(modality), truth.volume(modality)
        if not one.grid.matches(other.grid) or np.abs(one.voxels - other.voxels).max() > TOLERANCE:
            return False
    return True
