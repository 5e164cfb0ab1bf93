"""Harrell's c, curves and log-rank against their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c, kaplan_meier, logrank_p, numbers_at_risk


def outcome_of(time, event, unit="months"):
    return SurvivalOutcome(np.array(event, dtype=bool), np.array(time, dtype=float), unit)


def c_by_pairs(risk, outcome):
    score, pairs = 0.0, 0
    for i in np.flatnonzero(outcome.event):
        for j in range(len(outcome)):
            later = outcome.time[j] > outcome.time[i]
            if later or (outcome.time[j] == outcome.time[i] and not outcome.event[j]):
                pairs += 1
                score += 1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0
    return score / pairs if pairs else None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.integers(-2, 2)), min_size=1, max_size=15))
def test_harrell_c_counts_pairs(rows):
    time, event, risk = (np.array(column) for column in zip(*rows, strict=True))
    outcome = outcome_of(time, event)
    expected = c_by_pairs(risk, outcome)
    assert harrell_c(risk, outcome) == (None if expected is None else pytest.approx(expected))


def test_direction_the_risky_die_first():
    outcome = outcome_of([1, 2, 3, 4], [1, 1, 1, 0])
    assert harrell_c([4, 3, 2, 1], outcome) == 1.0
    assert harrell_c([1, 2, 3, 4], outcome) == 0.0
    assert harrell_c([0, 0, 0, 0], outcome) == 0.5


@pytest.mark.parametrize(("time", "event"), [([1, 2], [0, 0]), ([1, 2], [0, 1]), ([2, 2], [1, 1])])
def test_no_comparable_pair_is_none(time, event):
    assert harrell_c([1, 2], outcome_of(time, event)) is None


@pytest.mark.parametrize("risk", [[1.0, np.nan], [1.0, np.inf], [1.0], [[1.0], [2.0]]])
def test_unusable_risks_are_refused(risk):
    with pytest.raises(ValueError, match="finite risks"):
        harrell_c(risk, outcome_of([1, 2], [1, 1]))


def test_kaplan_meier_by_hand_and_in_months():
    curve = kaplan_meier(outcome_of([1, 1, 2, 3], [1, 0, 1, 0], "years"))
    np.testing.assert_allclose(curve.time_months, [0, 12, 24, 36])
    np.testing.assert_allclose(curve.survival, [1, 0.75, 0.375, 0.375])


@pytest.mark.parametrize(
    "outcome",
    [
        outcome_of([1, 2], [0, 0]),
        outcome_of([1], [1]),
        outcome_of([1, 1], [1, 1]),
        outcome_of([1, 2, 3], [1, 1, 1]),
        outcome_of([1, 2, 3], [0, 1, 0]),
    ],
)
def test_intervals_are_numbers_that_hold_the_curve(outcome):
    curve = kaplan_meier(outcome)
    assert np.isfinite([curve.lower, curve.upper]).all()
    assert np.all((curve.lower <= curve.survival) & (curve.survival <= curve.upper))


def test_numbers_at_risk_count_those_not_yet_gone():
    assert numbers_at_risk(outcome_of([1, 2, 3], [1, 0, 1]), [0, 1, 2, 2.5, 9]).tolist() == [3, 3, 2, 1, 0]


def logrank_by_hand(a, b):
    time = np.r_[a.time, b.time]
    event, first = np.r_[a.event, b.event], np.r_[np.ones(len(a), bool), np.zeros(len(b), bool)]
    observed = expected = variance = 0.0
    for t in np.unique(time[event]):
        n, n1 = (time >= t).sum(), ((time >= t) & first).sum()
        d, d1 = ((time == t) & event).sum(), ((time == t) & event & first).sum()
        observed, expected = observed + d1, expected + d * n1 / n
        variance += d * n1 / n * (1 - n1 / n) * (n - d) / (n - 1) if n > 1 else 0
    return stats.chi2.sf((observed - expected) ** 2 / variance, 1)


def test_logrank_by_hand():
    rng = np.random.default_rng(0)
    a, b = (outcome_of(rng.integers(1, high, 30), rng.random(30) < 0.7) for high in (8, 16))
    assert logrank_p(a, b) == pytest.approx(logrank_by_hand(a, b), rel=1e-9)


def test_logrank_is_none_where_it_is_not_defined():
    empty, one = outcome_of([], []), outcome_of([1, 2], [1, 0])
    assert logrank_p(empty, one) is None
    assert logrank_p(outcome_of([1], [0]), outcome_of([2], [0])) is None
    assert logrank_p(outcome_of([1, 2], [0, 0]), outcome_of([5, 6], [1, 1])) is None
    with pytest.raises(ValueError, match="no patients"):
        kaplan_meier(empty)
