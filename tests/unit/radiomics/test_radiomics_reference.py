"""Real MIRP on the IBSI digital phantom: tests/reference/radiomics says where the numbers come from."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from engram.radiomics.mirp_script import FAMILIES

REFERENCE = Path(__file__).parents[2] / "reference" / "radiomics"
MADE = json.loads((REFERENCE / "mirp.json").read_text())
DEPEND_ON_VOXELS_OUTSIDE = {"loc_peak_loc", "loc_peak_glob"}


def values() -> list[dict[str, str]]:
    with (REFERENCE / "ibsi_1_digital_phantom.csv").open(newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["tag"] not in DEPEND_ON_VOXELS_OUTSIDE]


def three_digits(value: float) -> float:
    return 0.0 if value == 0 else round(value, 2 - math.floor(math.log10(abs(value))))


@pytest.mark.parametrize("row", values(), ids=lambda row: row["tag"])
def test_a_feature_of_the_phantom_is_that_of_ibsi(row: dict[str, str]) -> None:
    found = three_digits(MADE["ibsi"][row["tag"]])
    assert found == pytest.approx(float(row["reference_value"]), rel=0, abs=float(row["tolerance"]) + 1e-9)


def test_no_family_is_missing_under_the_settings_of_the_command() -> None:
    assert len(values()) == 167
    found = MADE["usual_settings"]
    assert {family for family in FAMILIES if any(name.startswith(family) for name in found)} == set(FAMILIES)
    assert (len(found), len(MADE["ibsi"])) == (175, 177)  # Moran's I and Geary's C
    assert not any("fbs" in name for name in found)
