"""Outcomes of the phantom: exact event count, independent censoring, known concordance."""

from __future__ import annotations

import numpy as np
import pytest

from engram.cohort.phantom import PhantomCohort, PhantomSettings, TrueLogHazard, draw_cohort, true_c_index
from engram.cohort.phantom.survival import Chance, draw_outcome
from engram.outcome import SurvivalOutcome


def cohort(n: int = 400, seed: int = 0, **changes: object) -> PhantomCohort:
    return draw_cohort(PhantomSettings(n_patients=n, seed=seed, faults=False, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("n", "rate"), [(100, 0.705), (227, 0.705), (40, 0.3), (50, 1.0), (200, 0.001)])
def test_exactly_the_asked_number_of_patients_has_an_event(n: int, rate: float) -> None:
    assert cohort(n, event_rate=rate).outcome.event.sum() == round(rate * n)


def test_faulty_patients_change_nothing_for_the_others() -> None:
    plain = cohort(60)
    more = draw_cohort(PhantomSettings(n_patients=60, faults=True))
    assert len(more.patients) == 66
    assert more.patients[:60] == plain.patients
    np.testing.assert_array_equal(more.outcome.time[:60], plain.outcome.time)
    np.testing.assert_array_equal(more.truth.total[:60], plain.truth.total)


def test_times_are_months_to_one_decimal_with_the_asked_median() -> None:
    outcome = cohort(227).outcome
    assert outcome.unit == "months"
    np.testing.assert_allclose(outcome.time, np.round(outcome.time, 1), atol=1e-9)
    assert np.median(outcome.time) == pytest.approx(30, abs=0.2)
    assert np.median(cohort(227, median_months=12.0).outcome.time) == pytest.approx(12, abs=0.2)


def test_the_truth_predicts_as_well_as_promised() -> None:
    found = [true_c_index(c.truth, c.outcome) for c in (cohort(400, seed) for seed in range(5))]
    assert np.mean([c.total for c in found]) == pytest.approx(0.75, abs=0.02)
    assert np.mean([c.clinical for c in found]) == pytest.approx(0.66, abs=0.025)
    assert np.mean([c.imaging for c in found]) == pytest.approx(0.67, abs=0.025)
    assert all(c.total > max(c.clinical, c.imaging) for c in found)


def test_without_strength_the_truth_knows_nothing() -> None:
    empty = cohort(400, clinical_strength=0.0, imaging_strength=0.0)
    assert not empty.truth.total.any()
    image_only = cohort(400, clinical_strength=0.0)
    c = true_c_index(image_only.truth, image_only.outcome)
    assert c.clinical == 0.5
    assert c.imaging == c.total > 0.6


def test_a_hazard_of_lesions_knows_nothing_of_diffuse_disease() -> None:
    alone = cohort(400, hazard_from="lesions")
    focal = np.array([p.disease.focal_burden for p in alone.patients])
    diffuse = np.array([p.disease.diffuse for p in alone.patients])
    assert np.corrcoef(alone.truth.imaging, focal)[0, 1] == pytest.approx(1)
    assert abs(np.corrcoef(alone.truth.imaging, diffuse)[0, 1]) < 0.15
    both = cohort(400)
    assert np.corrcoef(both.truth.imaging, diffuse)[0, 1] > 0.5
    assert [p.disease for p in both.patients] == [p.disease for p in alone.patients]


def test_higher_log_hazard_means_earlier_events() -> None:
    risk = np.array([2.0, 1.0, 0.0, -1.0, -2.0])
    truth = TrueLogHazard(risk, np.zeros(5))
    chance = Chance(np.ones(5), np.full(5, 0.5))
    outcome = draw_outcome(truth, chance, event_rate=1.0, median_months=30.0, n_calibrated=5)
    assert np.all(np.diff(outcome.time) > 0)
    assert outcome.time[2] == 30.0
    assert true_c_index(truth, outcome).total == 1.0


def test_true_c_index_is_harrells() -> None:
    # Comparable pairs: (0, 1), (0, 2), (1, 2); the truth orders two of them rightly.
    outcome = SurvivalOutcome(np.array([True, True, False]), np.array([1.0, 2.0, 3.0]))
    truth = TrueLogHazard(np.array([1.0, 2.0, 0.0]), np.zeros(3))
    assert true_c_index(truth, outcome).total == pytest.approx(2 / 3)


def test_censoring_does_not_follow_the_hazard() -> None:
    """The latent censoring time is a horizon times a uniform: it knows nothing of risk (independent censoring)."""
    big = cohort(1500)
    censored = ~big.outcome.event
    early = censored & (big.outcome.time < 15)
    # Among those still at risk, being censored early is as likely in the low as in the high half of the hazard.
    low = big.truth.total < np.median(big.truth.total)
    at_risk = [np.sum(group & (big.outcome.time >= 5)) for group in (low, ~low)]
    share = [
        np.sum(early & group & (big.outcome.time >= 5)) / n for group, n in zip((low, ~low), at_risk, strict=True)
    ]
    assert share[0] == pytest.approx(share[1], abs=0.04)


@pytest.mark.parametrize(
    "change",
    [
        {"n_patients": 1},
        {"seed": -1},
        {"event_rate": 0.0},
        {"event_rate": 1.2},
        {"clinical_strength": -1.0},
        {"median_months": float("nan")},
        {"ct_spacing_mm": (0.0, 5.0, 5.0)},
        {"pet_spacing_mm": (10.0, 6.0)},
        {"lesion_site": "toe"},
    ],
)
def test_settings_out_of_range_are_refused_by_name(change: dict[str, object]) -> None:
    (name,) = change
    with pytest.raises(ValueError, match=name):
        PhantomSettings(**change)  # type: ignore[arg-type]
