"""The record of a map: nothing is lost but the patch under way, and nothing of another study is found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from engram.errors import StorageError
from engram.explain.patch_deltas import PatchDeltas
from engram.explain.patches import patch_grid
from engram.files import read_json, write_json

SHAPE = (6, 6, 6)
PATCHES = patch_grid(np.ones(SHAPE, bool), (1, 1, 1), patch_mm=(3, 3, 3), stride_mm=(3, 3, 3))
MADE_FROM = {"ct": "0" * 64, "window": [-500.0, 1300.0]}
BASELINE = {"PET": 0.1, "PET + clinical": -0.7}


def opened(folder: Path, **changed: object) -> PatchDeltas:
    given = {"made_from": MADE_FROM, "patches": PATCHES, "baseline": BASELINE} | changed
    return PatchDeltas(folder, **given)  # type: ignore[arg-type]


def risks(number: int) -> Mapping[str, float]:
    return {"PET": 0.1 + number / 3, "PET + clinical": -0.7 - number / 7}


def test_a_record_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    begun = opened(tmp_path)
    for patch in PATCHES[:3]:
        begun.keep(patch, risks(patch.number))
    again = opened(tmp_path)
    assert again.missing == PATCHES[3:]
    for patch in again.missing:
        again.keep(patch, risks(patch.number))
    at_once = opened(tmp_path / "whole")
    for patch in PATCHES:
        at_once.keep(patch, risks(patch.number))
    assert again.path.read_bytes() == at_once.path.read_bytes()
    assert opened(tmp_path).missing == []
    for row in BASELINE:
        found = opened(tmp_path).map_of(row, SHAPE).signed()
        for patch in PATCHES:
            expected = np.float32(risks(patch.number)[row] - BASELINE[row])
            assert (found[patch.box] == expected).all()


def test_a_map_is_whole_or_not_there(tmp_path: Path) -> None:
    record = opened(tmp_path)
    record.keep(PATCHES[0], risks(0))
    with pytest.raises(ValueError, match="7 of 8 patches are missing"):
        record.map_of("PET", SHAPE)


@pytest.mark.parametrize(
    "changed",
    [
        {"made_from": {**MADE_FROM, "window": [-500.0, 1301.0]}},
        {"patches": PATCHES[:-1]},
        {"baseline": {"PET": 0.1}},
    ],
)
def test_another_study_has_another_record(tmp_path: Path, changed: Mapping[str, object]) -> None:
    record = opened(tmp_path)
    record.keep(PATCHES[0], risks(0))
    other = opened(tmp_path, **changed)
    assert other.path != record.path
    assert len(other.missing) == len(other.patches)


def test_another_baseline_is_not_mixed_in(tmp_path: Path) -> None:
    opened(tmp_path).keep(PATCHES[0], risks(0))
    with pytest.raises(StorageError, match="another machine"):
        opened(tmp_path, baseline={**BASELINE, "PET": 0.1 + 1e-12})


def test_the_record_of_another_study_under_this_name_is_refused(tmp_path: Path) -> None:
    record, other = opened(tmp_path), opened(tmp_path, patches=PATCHES[:-1])
    other.keep(PATCHES[0], risks(0))
    other.path.replace(record.path)
    with pytest.raises(StorageError, match="not a record of these patches"):
        opened(tmp_path)


@pytest.mark.parametrize("content", [[], {}, {"deltas": []}, {"deltas": {"0": {"PET": 1.0}}, "baseline": BASELINE}])
def test_a_damaged_record_is_refused(tmp_path: Path, content: object) -> None:
    record = opened(tmp_path)
    write_json(record.path, content)
    with pytest.raises(StorageError, match="Remove the file"):
        opened(tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"PET": 0.1}, {"PET": 0.1, "PET + clinical": float("nan")}, {**BASELINE, "CT": 1.0}]
)
def test_a_patch_needs_a_finite_risk_of_each_row(tmp_path: Path, wrong: Mapping[str, float]) -> None:
    record = opened(tmp_path)
    with pytest.raises(ValueError, match="risk"):
        record.keep(PATCHES[0], wrong)
    assert not record.path.exists()


def test_the_file_says_what_its_numbers_are(tmp_path: Path) -> None:
    record = opened(tmp_path)
    record.keep(PATCHES[5], risks(5))
    content = read_json(record.path)
    assert content["sign"].startswith("log-risk occluded minus baseline")
    assert content["made_from"] == MADE_FROM
    assert content["patches"][5]["box"] == [[part.start, part.stop] for part in PATCHES[5].box]
    assert record.path.stem == content["address"] == record.address
