"""Ways to alter the files of a DICOM series: cut, flipped, taken away, doubled, renamed, or among others."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pydicom

FILE_WAYS = (
    "file cut",
    "bytes flipped",
    "slices taken away",
    "slices doubled",
    "files renamed",
    "other file added",
)


def alter_files(rng: np.random.Generator, place: Path, way: str) -> str:
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
