"""Cox regressions against published numbers: Rossi's recidivism and the 6-MP trial of Freireich."""

import numpy as np
import pandas as pd
import pytest
from lifelines.datasets import load_rossi

from engram.evaluation.cox import (
    fit_cox,
    hazard_ratio,
    independent_columns,
    likelihood_ratio,
    proportional_hazards_p,
)
from engram.evaluation.logrank import corrected_p, logrank_chi_square, permutation_p
from engram.evaluation.statistics import fold_statistics
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import logrank_p

# Freireich et al., Blood 21 (1963) 699: weeks in remission, 6-MP (+ is censored) and placebo.
SIX_MP = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
PLACEBO = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23"


@pytest.fixture
def remission():
    weeks = [*SIX_MP.split(), *PLACEBO.split()]
    event = np.array([not text.endswith("+") for text in weeks])
    return SurvivalOutcome(event, np.array([float(text.rstrip("+")) for text in weeks]), "weeks")


@pytest.fixture
def placebo():
    return np.repeat([False, True], [len(SIX_MP.split()), len(PLACEBO.split())])


@pytest.fixture
def rossi():
    frame = load_rossi()
    return frame.drop(columns=["week", "arrest"]), SurvivalOutcome(frame["arrest"] == 1, frame["week"], "weeks")


def test_the_likelihood_ratio_of_rossi(rossi):
    """Fox and Weisberg, Cox Regression in R: likelihood ratio test 33.3 on 7 df, p = 2.36e-05."""
    found = likelihood_ratio(*rossi)
    assert found.parameters == 7
    assert found.chi_square == pytest.approx(33.27, abs=0.005)
    assert found.p == pytest.approx(2.36e-5, rel=0.01)


def test_what_is_added_is_the_difference_of_both(rossi):
    columns, outcome = rossi
    first, second = columns[["fin", "age", "prio"]], columns[["race", "wexp", "mar", "paro"]]
    added = likelihood_ratio(second, outcome, beside=first)
    whole, alone = likelihood_ratio(columns, outcome), likelihood_ratio(first, outcome)
    assert added.parameters == 4
    assert added.chi_square == pytest.approx(whole.chi_square - alone.chi_square, abs=1e-6)


def test_proportional_hazards_of_rossi(rossi):
    """Fox and Weisberg, cox.zph of fin, age and prio: p = 0.943, 0.0105 and 0.379.

    lifelines takes the Kaplan-Meier curve at a time where R takes it just before, so they agree to two digits.
    """
    columns, outcome = rossi
    found = proportional_hazards_p(columns[["fin", "age", "prio"]], outcome)
    assert list(found) == ["fin", "age", "prio"]
    assert found["fin"] == pytest.approx(0.943, abs=0.06)
    assert found["age"] == pytest.approx(0.0105, abs=0.002)
    assert found["prio"] == pytest.approx(0.379, abs=0.02)


def test_the_hazard_ratio_of_the_6_mp_trial(remission, placebo):
    """R, survival::coxph with Efron ties: coefficient 1.5721, hazard ratio 4.817 (2.147 to 10.81)."""
    found = hazard_ratio(placebo, remission, np.zeros(len(remission)))
    assert (found.ratio, found.lower, found.upper) == pytest.approx((4.817, 2.147, 10.81), rel=1e-3)


def test_the_log_rank_test_of_the_6_mp_trial(remission, placebo):
    """Kleinbaum and Klein, Survival Analysis, chapter 2: log-rank chi-square 16.79."""
    assert float(logrank_chi_square(~placebo, placebo, remission)) == pytest.approx(16.79, abs=0.005)


@pytest.mark.parametrize("seed", range(10))
def test_many_groupings_at_once_are_those_of_lifelines(seed):
    from scipy import stats

    rng = np.random.default_rng(seed)
    outcome = SurvivalOutcome(rng.random(40) < 0.6, rng.integers(1, 15, 40).astype(float))
    group = rng.integers(0, 4, (5, 40))
    found = logrank_chi_square(group == 0, group == 3, outcome)
    expected = [
        logrank_p(outcome.subset(np.flatnonzero(row == 0)), outcome.subset(np.flatnonzero(row == 3)))
        for row in group
    ]
    assert stats.chi2.sf(found, 1) == pytest.approx(expected)


def test_permutation_finds_an_effect_and_is_never_zero(remission, placebo):
    halves = [np.arange(0, 42, 2), np.arange(1, 42, 2)]
    assert permutation_p(~placebo, placebo, remission, halves, seed=0) == pytest.approx(1 / 2001, abs=1e-3)


def test_the_corrected_p_is_that_of_petos_log_hazard_ratios(remission, placebo):
    """Peto's by hand in each fold: events in excess of those expected, over their hypergeometric variance."""
    parts = [np.arange(0, 42, 3), np.arange(1, 42, 3), np.arange(2, 42, 3)]
    effects = []
    for part in parts:
        outcome, high = remission.subset(part), placebo[part]
        excess = variance = 0.0
        for time in np.unique(outcome.time[outcome.event]):
            at_risk, now = outcome.time >= time, (outcome.time == time) & outcome.event
            n, n_high, d = at_risk.sum(), (at_risk & high).sum(), now.sum()
            excess += (now & high).sum() - d * n_high / n
            variance += d * n_high * (n - n_high) * (n - d) / (n**2 * (n - 1)) if n > 1 else 0.0
        effects.append(excess / variance)
    expected = fold_statistics(effects, held_out_ratio=0.5, null=0).p_corrected
    assert corrected_p(~placebo, placebo, remission, parts, held_out_ratio=0.5) == pytest.approx(expected)
    assert min(effects) > 0


def test_an_effect_of_folds_is_no_effect():
    """Who is in which group is decided by the fold alone: every permutation within folds is the same grouping."""
    high = np.repeat([False, True], 20)
    outcome = SurvivalOutcome(np.ones(40, dtype=bool), np.r_[np.arange(100.0, 120), np.arange(1.0, 21)])
    folds = [np.arange(20), np.arange(20, 40)]
    assert logrank_p(outcome.subset(folds[0]), outcome.subset(folds[1])) < 1e-6
    assert permutation_p(~high, high, outcome, folds, seed=0) == 1


def test_permuted_p_is_uniform_under_the_null():
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        outcome = SurvivalOutcome(rng.random(40) < 0.7, rng.exponential(10, 40) + 0.1)
        group = rng.integers(0, 4, 40)
        p.append(permutation_p(group == 0, group == 3, outcome, [np.arange(20), np.arange(20, 40)], seed=seed))
    assert np.mean(p) == pytest.approx(0.5, abs=0.12)
    assert np.mean(np.array(p) < 0.2) == pytest.approx(0.2, abs=0.15)


def test_groups_that_nobody_can_compare_have_no_p(remission):
    nobody = np.zeros(len(remission), dtype=bool)
    assert permutation_p(nobody, ~nobody, remission, [np.arange(42)], seed=0) is None
    halves = [np.arange(21), np.arange(21, 42)]
    assert corrected_p(nobody, ~nobody, remission, halves, held_out_ratio=1) is None
    assert hazard_ratio(nobody, remission, np.zeros(42)) is None


def test_columns_that_tell_nothing_new_are_dropped():
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, 30)
    dummies = pd.DataFrame({f"level_{k}": (level == k).astype(float) for k in range(3)})
    columns = dummies.assign(constant=1.0, age=rng.normal(size=30))
    assert list(independent_columns(columns).columns) == ["level_0", "level_1", "age"]


def test_a_fit_that_cannot_be_made_is_none(rossi):
    columns, outcome = rossi
    nobody = SurvivalOutcome(np.zeros(len(outcome), dtype=bool), outcome.time)
    assert fit_cox(columns, nobody) is None
    assert likelihood_ratio(columns.iloc[:, :0], outcome) is None
    assert proportional_hazards_p(columns, nobody) is None


def test_groups_that_meet_in_no_fold_have_no_hazard_ratio():
    """Within a fold there is nobody to compare with: the interval has no end, and no ratio is given."""
    high = np.array([True, False, False, False, True, True, False, False, True, True])
    outcome = SurvivalOutcome(np.ones(10, dtype=bool), np.arange(10.0, 20.0))
    assert hazard_ratio(high, outcome, high.astype(int)) is None
