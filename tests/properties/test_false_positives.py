"""Where there is nothing to find, the corrected test finds it no more often than it says; the paper's does."""

import numpy as np
import pytest

from engram.evaluation.bootstrap import comparable, concordance
from engram.evaluation.folds import stratified_folds
from engram.evaluation.statistics import fold_statistics, held_out_ratio
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


def c_indices(seed):
    """Of a row that was fitted to permuted outcomes, on each of five test folds."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(PATIENTS, COLUMNS))
    outcome = SurvivalOutcome(rng.random(PATIENTS) < 0.7, rng.exponential(30, PATIENTS) + 0.1)
    folds = stratified_folds(outcome, folds=5, time_quantiles=4, seed=seed)
    found = []
    for fold in folds:
        risk = X[fold.test_index] @ one_newton_step(X[fold.train_index], outcome.subset(fold.train_index))
        test = outcome.subset(fold.test_index)
        found.append(float(concordance(risk, test).sum() / comparable(test).sum()))
    return found, held_out_ratio(folds)


@pytest.fixture(scope="module")
def tests_of_nothing():
    return [fold_statistics(c, held_out_ratio=ratio) for c, ratio in map(c_indices, range(RUNS))]


def test_the_corrected_test_keeps_its_level(tests_of_nothing):
    assert np.mean([test.p_corrected < 0.05 for test in tests_of_nothing]) <= 0.06


def test_the_plain_tests_do_not(tests_of_nothing):
    assert np.mean([test.p_two_sided < 0.05 for test in tests_of_nothing]) > 0.06


def test_nothing_is_where_it_should_be(tests_of_nothing):
    assert np.mean([test.mean for test in tests_of_nothing]) == pytest.approx(0.5, abs=0.01)
