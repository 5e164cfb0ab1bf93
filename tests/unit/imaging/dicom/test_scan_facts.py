"""The plausibility sheet: facts by hand, flags at their limits, and a CSV that names no UID."""

from __future__ import annotations

import csv
from dataclasses import asdict, replace

import numpy as np
import pytest
from pet_series import UID, series

from engram.imaging.dicom.scan_facts import LIMITS, MOST_SHARE_IN_VIEW, ScanFacts, scan_facts, write_scan_facts
from engram.imaging.dicom.suv import suv_conversion
from engram.imaging.volume import Grid, Volume


@pytest.fixture
def facts() -> ScanFacts:
    """1000 voxels of 50 mL: SUV 1 in 75 litres of them would be the whole dose of 75 kg."""
    voxels = np.full((10, 10, 10), 1.0, dtype=np.float32)
    voxels[0, 0, 0], voxels[0, 0, 1] = 31.0, 21.0
    grid = Grid((10, 10, 10), (50.0, 40.0, 25.0))
    return scan_facts(suv_conversion(series(), patient_id="P01"), Volume(voxels, grid))


def test_facts_by_hand(facts):
    assert facts.share_in_view == pytest.approx((998 + 31 + 21) * 50 / 75_000)
    assert (facts.suv_max, facts.suv_high) == (31.0, 21.0)
    assert (facts.uptake_min, facts.dose_mbq, facts.weight_kg, facts.dose_mbq_per_kg) == (60, 300, 75, 4)
    assert (facts.nuclide, facts.units, facts.decay_correction) == ("F-18", "BQML", "START")
    assert facts.flags == ()


def test_facts_survive_a_record(facts):
    assert ScanFacts(**{**asdict(facts), "notes": tuple(facts.notes)}) == facts


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.of)
@pytest.mark.parametrize("end", ["lowest", "highest"])
def test_flags_begin_beyond_their_limits(facts, limit, end):
    edge = getattr(limit, end)
    beyond = edge * (0.999 if end == "lowest" else 1.001)
    if limit.of == "dose_mbq_per_kg":
        at, over = (replace(facts, dose_mbq=value * 75) for value in (edge, beyond))
    else:
        at, over = (replace(facts, **{limit.of: value}) for value in (edge, beyond))
    assert not [flag for flag in at.flags if flag.startswith(limit.what)]
    (flag,) = [flag for flag in over.flags if flag.startswith(limit.what)]
    assert f"usual {limit.lowest:g} to {limit.highest:g}" in flag


def test_limits_of_f18_are_not_for_others(facts):
    assert replace(facts, nuclide="Zr-89", uptake_min=5000.0, dose_mbq=50.0).flags == ()


def test_what_is_not_known_is_not_flagged(facts):
    unknown = replace(facts, uptake_min=None, dose_mbq=None, weight_kg=None, share_in_view=None)
    assert unknown.dose_mbq_per_kg is None
    assert unknown.flags == ()


def test_more_than_the_dose_is_impossible(facts):
    told = replace(facts, share_in_view=np.nextafter(MOST_SHARE_IN_VIEW, 2)).impossible
    assert "holds 1.5 times the injected dose" in str(told)
    assert "holds 1000 times" in str(replace(facts, share_in_view=1000.0).impossible)  # Bq/mL taken for kBq/mL
    assert "holds nan times" in str(replace(facts, share_in_view=float("nan")).impossible)
    for fine in (MOST_SHARE_IN_VIEW, 1.2, 0.0, None):
        assert replace(facts, share_in_view=fine).impossible is None


def test_suv_without_weight_has_no_share():
    conversion = suv_conversion(series(units="GML", suv_type="BW", weight_kg=None), patient_id="P01")
    volume = Volume(np.arange(8, dtype=np.float32).reshape(2, 2, 2), Grid((2, 2, 2), (1.0, 1.0, 1.0)))
    assert scan_facts(conversion, volume).share_in_view is None


def test_sheet_of_a_cohort(tmp_path, facts):
    odd = replace(facts, uptake_min=20.0, dose_mbq=None, notes=("one", "two"))
    path = write_scan_facts(tmp_path / "scan_facts.csv", {"P02": facts, "P01": odd})
    with path.open(encoding="utf-8") as stream:
        first, second = csv.DictReader(stream)
    assert (first["patient_id"], second["patient_id"]) == ("P02", "P01")
    assert (first["uptake_min"], first["dose_mbq_per_kg"], first["flags"]) == ("60", "4", "")
    assert (second["dose_mbq"], second["dose_mbq_per_kg"], second["notes"]) == ("", "", "one; two")
    assert "time from injection to scan 20 min" in second["flags"]
    assert UID not in path.read_text(encoding="utf-8")
