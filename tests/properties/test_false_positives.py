"""Where there is nothing to find, the corrected test finds it no more often than it says; the paper's does."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from engram.evaluation.bootstrap import comparable, concordance
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.folds import stratified_folds
from engram.evaluation.logrank import corrected_p, logrank_chi_square
from engram.evaluation.risk_groups import pool_risks
from engram.evaluation.statistics import FoldStatistics, fold_statistics, held_out_ratio
from engram.outcome import SurvivalOutcome

RUNS, PATIENTS, COLUMNS = 300, 120, 6


def one_newton_step(X, outcome):
    """Coefficients (d,) after one step of Cox regression from zero, with a ridge: as cheap as a row can be."""
    order = np.argsort(-outcome.time, kind="stable")
    X, event = X[order], outcome.event[order]
    at_risk = np.arange(1, len(X) + 1)[:, None]
    mean = np.cumsum(X, axis=0) / at_risk
    score = (X - mean)[event].sum(axis=0)
    return score / (event.sum() * X.var(axis=0))


@dataclass(frozen=True)
class Nothing:
    """What is said of a row that was fitted to outcomes it knows nothing of, on five test folds."""

    c_index: FoldStatistics
    groups: float  # p of the pooled log-rank test
    groups_corrected: float


def nothing(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(PATIENTS, COLUMNS))
    outcome = SurvivalOutcome(rng.random(PATIENTS) < 0.7, rng.exponential(30, PATIENTS) + 0.1)
    folds = stratified_folds(outcome, folds=5, time_quantiles=4, seed=seed)
    found, results = [], []
    for fold in folds:
        beta = one_newton_step(X[fold.train_index], outcome.subset(fold.train_index))
        risk, test = X[fold.test_index] @ beta, outcome.subset(fold.test_index)
        found.append(float(concordance(risk, test).sum() / comparable(test).sum()))
        results.append(FoldResult(risk, X[fold.train_index] @ beta, found[-1], ()))
    ratio, quartile = held_out_ratio(folds), pool_risks(results, folds).quartile
    low, high = quartile == 0, quartile == 3
    return Nothing(
        fold_statistics(found, held_out_ratio=ratio),
        float(stats.chi2.sf(logrank_chi_square(low, high, outcome), 1)),
        corrected_p(low, high, outcome, [fold.test_index for fold in folds], held_out_ratio=ratio),
    )


@pytest.fixture(scope="module")
def tests_of_nothing():
    return [nothing(seed) for seed in range(RUNS)]


def test_the_corrected_test_keeps_its_level(tests_of_nothing):
    assert np.mean([test.c_index.p_corrected < 0.05 for test in tests_of_nothing]) <= 0.06
    assert np.mean([test.groups_corrected < 0.05 for test in tests_of_nothing]) <= 0.06


def test_the_plain_tests_do_not(tests_of_nothing):
    assert np.mean([test.c_index.p_two_sided < 0.05 for test in tests_of_nothing]) > 0.06
    assert np.mean([test.groups < 0.05 for test in tests_of_nothing]) > 0.1


def test_nothing_is_where_it_should_be(tests_of_nothing):
    assert np.mean([test.c_index.mean for test in tests_of_nothing]) == pytest.approx(0.5, abs=0.01)
