"""Covariates of the phantom have the paper's margins and its missingness."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from engram.cohort.phantom import PhantomSettings, clinical, draw_cohort, manifest
from engram.cohort.phantom.clinical import ClinicalTruth, draw_clinical


@pytest.fixture(scope="module")
def truths() -> list[ClinicalTruth]:
    return [draw_clinical(np.random.default_rng([7, k])) for k in range(3000)]


@pytest.fixture(scope="module")
def complete(truths: list[ClinicalTruth]) -> pd.DataFrame:
    return pd.DataFrame([asdict(truth.complete) for truth in truths])


@pytest.fixture(scope="module")
def recorded() -> pd.DataFrame:
    return manifest(draw_cohort(PhantomSettings(n_patients=1500, faults=False)))


def test_margins_are_the_papers(complete: pd.DataFrame) -> None:
    assert complete["age"].mean() == pytest.approx(62.5, abs=0.6)
    assert complete["age"].std() == pytest.approx(9.7, abs=0.5)
    assert (complete["sex"] == "M").mean() == pytest.approx(0.581, abs=0.03)
    assert complete["creatinine"].skew() > 1
    shares = complete["r_iss"].value_counts(normalize=True)
    for level, count in (("I", 49), ("II", 95), ("III", 25)):
        assert shares[level] == pytest.approx(count / 169, abs=0.03)


def test_missingness_is_the_papers_and_clearance_is_mostly_missing(recorded: pd.DataFrame) -> None:
    missing = recorded.isna().mean()
    assert missing["r_iss"] == pytest.approx(0.256, abs=0.04)
    assert 0.5 < missing["creatinine_clearance"] < 0.7  # beyond the 40 % at which a covariate is dropped
    for lab in ("creatinine", "hemoglobin", "platelets", "calcium"):
        assert 0 < missing[lab] < 0.09
    assert missing[["age", "sex", "pfs_months", "progression"]].sum() == 0


def test_labs_follow_the_severity_in_the_direction_of_myeloma(
    truths: list[ClinicalTruth], complete: pd.DataFrame
) -> None:
    severity = np.array([truth.severity for truth in truths])
    signs = {"creatinine": 1, "hemoglobin": -1, "platelets": -1, "calcium": 1, "creatinine_clearance": -1}
    for lab, sign in signs.items():
        assert sign * np.corrcoef(severity, complete[lab])[0, 1] > 0.2


def test_the_hazard_reads_the_truth_and_not_what_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = PhantomSettings(n_patients=100, faults=False)
    hidden = draw_cohort(settings)
    monkeypatch.setattr(clinical, "MISSING_SHARE", {})
    seen = draw_cohort(settings)
    assert not manifest(seen).isna().any(axis=None)
    assert manifest(hidden).isna().any(axis=None)
    np.testing.assert_array_equal(seen.truth.total, hidden.truth.total)
    np.testing.assert_array_equal(seen.outcome.time, hidden.outcome.time)


def test_imaging_follows_the_clinic_only_weakly() -> None:
    truth = draw_cohort(PhantomSettings(n_patients=1500, faults=False)).truth
    assert 0.0 < np.corrcoef(truth.clinical, truth.imaging)[0, 1] < 0.25
