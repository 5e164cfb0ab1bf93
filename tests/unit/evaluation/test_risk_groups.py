"""Risk groups: cut by training risks, never by test risks."""

from dataclasses import replace

import numpy as np
import pytest

from engram.evaluation.fold_fit import FoldResult, fit_fold
from engram.evaluation.folds import stratified_folds
from engram.evaluation.risk_groups import QUARTILES, PooledRisks, pool_risks, quartile_of, risk_groups, ticks_months
from engram.evaluation.rows import RIDGE_COX, rows_of
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import logrank_p
from engram.survival.splits import Fold

FOLDS = [Fold(np.arange(4, 8), np.arange(4)), Fold(np.arange(4), np.arange(4, 8))]


def result(test, train):
    return FoldResult(np.array(test, dtype=float), np.array(train, dtype=float), None, ())


def test_each_fold_is_standardised_by_its_own_training_risks():
    pooled = pool_risks([result([0, 1, 2, 3], [1, 2, 3, 4]), result([10, 20, 30, 40], [10, 20, 30, 40])], FOLDS)
    z = (np.arange(4) - 1.5) / np.std(np.arange(4), ddof=1)
    np.testing.assert_allclose(pooled.standardised[4:], z)
    np.testing.assert_allclose(pooled.standardised[:4], (np.arange(4) - 2.5) / np.std(np.arange(4), ddof=1))
    assert pooled.quartile.tolist() == [0, 0, 1, 2, 0, 1, 2, 3]


def test_another_fold_moves_no_cut_point():
    """Its model has learned from these patients' outcomes."""
    mine = result([1.5, 2, 3, 9], [1, 2, 3, 4])
    others = [result(test, train) for test, train in (([0] * 4, [1, 2, 3, 4]), ([9, -9, 5, 7], [0, 0, 0, 90]))]
    found = [pool_risks([mine, other], FOLDS) for other in others]
    assert [one.quartile[:4].tolist() for one in found] == [[0, 1, 2, 3]] * 2
    assert not np.array_equal(found[0].quartile[4:], found[1].quartile[4:])


def test_outcomes_of_test_patients_change_no_quartile_of_their_fold(make_study, make_config):
    table, config = make_study(60)[0], make_config()
    spec = next(spec for spec in rows_of(config) if spec.survival == RIDGE_COX)
    folds = stratified_folds(table.outcome, folds=3, time_quantiles=4, seed=0)
    test = folds[0].test_index
    time, event = table.outcome.time.copy(), table.outcome.event.copy()
    time[test], event[test] = time[test][::-1], ~event[test]
    altered = replace(table, outcome=SurvivalOutcome(event, time))
    before, after = (
        pool_risks([fit_fold(one, spec, fold, config) for fold in folds], folds) for one in (table, altered)
    )
    np.testing.assert_array_equal(before.quartile[test], after.quartile[test])
    assert not np.array_equal(before.standardised, after.standardised)  # the other folds learned otherwise


def test_groups_and_their_curves():
    results = [result([0, 1, 2, 5], [1, 2, 3, 4]), result([0, 2.5, 4, 9], [1, 2, 3, 4])]
    time = np.array([90.0, 50, 40, 3, 80, 30, 5, 4])
    outcome = SurvivalOutcome(np.array([0, 1, 1, 1, 1, 1, 1, 1], dtype=bool), time)
    groups = risk_groups("CT", pool_risks(results, FOLDS), outcome, FOLDS, seed=0)
    low, second, third, high = groups.curves
    assert [(curve.n, curve.events) for curve in groups.curves] == [(3, 2), (2, 2), (0, 0), (3, 3)]
    assert (low.label, second.label, third.label, high.label) == QUARTILES
    assert low.at_risk[0] == 3
    first, last = np.array([0, 1, 4]), np.array([3, 6, 7])
    assert groups.logrank_p == pytest.approx(logrank_p(outcome.subset(first), outcome.subset(last)))
    assert groups.permutation_p > groups.logrank_p
    assert len(groups.ticks_months) == len(high.at_risk)


def test_a_risk_on_a_cut_belongs_below_it():
    training = np.array([-5.0, 0, 1, 2, 9])  # quartiles 0, 1 and 2
    assert quartile_of(np.array([-1.0, 0, 0.5, 1, 2, 3]), training).tolist() == [0, 0, 1, 1, 2, 3]


def test_equal_risks_give_empty_groups_and_no_p():
    same = result([1, 1, 1, 1], [1, 1, 1, 1])
    outcome = SurvivalOutcome(np.ones(8, dtype=bool), np.arange(1.0, 9.0))
    groups = risk_groups("CT", pool_risks([same, same], FOLDS), outcome, FOLDS, seed=0)
    assert [curve.n for curve in groups.curves] == [8, 0, 0, 0]
    assert (groups.logrank_p, groups.permutation_p, groups.hazard_ratio) == (None, None, None)
    assert groups.model_dump_json()


def test_the_hazard_ratio_is_within_folds():
    """One fold fares far worse than the other, and risk says nothing within either: pooled, it would."""
    rng = np.random.default_rng(0)
    fold_of = np.repeat([0, 1], 100)
    time = rng.exponential(np.where(fold_of == 1, 1.0, 50.0))
    risk = fold_of * 0.5 + rng.normal(size=200)
    pooled = PooledRisks(np.arange(200), risk, np.searchsorted([-0.5, 0.25, 1.0], risk))
    folds = [Fold(np.flatnonzero(fold_of != k), np.flatnonzero(fold_of == k)) for k in (0, 1)]
    groups = risk_groups("CT", pooled, SurvivalOutcome(np.ones(200, dtype=bool), time), folds, seed=0)
    assert groups.hr_lower < 1 < groups.hr_upper
    assert groups.logrank_p < 0.05 < groups.permutation_p


@pytest.mark.parametrize("longest", [0.5, 8, 30, 51, 119.9, 300, 900, 1200])
def test_ticks_are_few_and_even(longest):
    ticks = ticks_months(longest)
    assert ticks[0] == 0
    assert ticks[-1] <= longest
    assert len(ticks) <= 9
    assert len(set(np.diff(ticks))) <= 1
