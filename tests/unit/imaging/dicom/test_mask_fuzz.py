"""Damaged files of masks: 500 of them end in a refusal that names the file, or in masks; never in a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_files import uid, write_ct
from mask_files import write_structures

from engram.errors import ImagingError
from engram.imaging.dicom.drawn import read_masks
from engram.imaging.dicom.dump import walk
from engram.imaging.dicom.seg_write import MadeBy, write_seg
from engram.imaging.dicom.stack import build_stack

MUTATIONS = 250
HEADER_BYTES = 132  # of the preamble, which says nothing


def _byte(raw: bytearray, at: int, chance: np.random.Generator) -> None:
    raw[at] = int(chance.integers(256))


def _bit(raw: bytearray, at: int, chance: np.random.Generator) -> None:
    raw[at] ^= 1 << int(chance.integers(8))


def _lost(raw: bytearray, at: int, chance: np.random.Generator) -> None:
    del raw[at : at + int(chance.integers(1, 20))]


def _more(raw: bytearray, at: int, chance: np.random.Generator) -> None:
    raw[at:at] = chance.bytes(int(chance.integers(1, 8)))


def _cut(raw: bytearray, at: int, chance: np.random.Generator) -> None:
    del raw[at:]


WAYS: list[Callable[[bytearray, int, np.random.Generator], None]] = [_byte, _bit, _lost, _more, _cut]


@pytest.mark.parametrize("kind", ["seg", "rtstruct"])
def test_damaged_files_are_refused_by_name_or_read(tmp_path: Path, kind: str) -> None:
    write_ct(tmp_path / "ct")
    (series,) = walk(tmp_path / "ct", workers=0).series
    stack = build_stack(series, patient_id="P01")
    path = tmp_path / f"{kind}.dcm"
    if kind == "seg":
        mask = np.random.default_rng(0).random(stack.grid.shape) > 0.5
        masks = {"spine": mask, "lesion": ~mask}
        write_seg(masks, series, stack, path, made_by=MadeBy("manual"), patient_id="P01")
    else:
        loop = [(-6, -19, -27), (1, -19, -27), (1, -15, -27), (-6, -15, -27)]
        write_structures(path, {"spine": [loop], "lesion": [loop]}, frame=uid("frame", "P01", "20200102"))
    whole, refusals = path.read_bytes(), []
    for seed in range(MUTATIONS):
        chance = np.random.default_rng(seed)
        raw = bytearray(whole)
        WAYS[seed % len(WAYS)](raw, int(chance.integers(HEADER_BYTES, len(raw))), chance)
        path.write_bytes(raw)
        try:
            found = read_masks(path, series, stack, patient_id="P01")
        except ImagingError as error:
            refusals.append(str(error))
        else:
            assert all(one.dtype == np.bool_ and one.shape == stack.grid.shape for one in found.masks.values())
            assert all(str(path) in str(error) for error in found.left)
    assert all(str(path) in said for said in refusals)
    assert len(refusals) > MUTATIONS / 3
