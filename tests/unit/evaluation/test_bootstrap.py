"""Intervals of the c-index: what is resampled, and that scipy says the same of the plain definition."""

import numpy as np
import pytest
from scipy import stats

from engram.evaluation import bootstrap
from engram.evaluation.bootstrap import c_index_interval, comparable, concordance, difference_interval
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c


def make_fold(rng, n, strength=1.0, *, ties=True):
    risk = rng.normal(size=n)
    time = rng.exponential(20 * np.exp(-strength * risk)) + 1
    time = np.ceil(time) if ties else time
    return risk.round(1) if ties else risk, SurvivalOutcome(rng.random(n) < 0.7, time)


@pytest.fixture
def folds():
    rng = np.random.default_rng(3)
    made = [make_fold(rng, n) for n in (21, 20, 20)]
    return [risk for risk, _ in made], [outcome for _, outcome in made]


@pytest.mark.parametrize("seed", range(20))
def test_pairs_are_those_of_harrell(seed):
    risk, outcome = make_fold(np.random.default_rng(seed), 30)
    assert concordance(risk, outcome).sum() / comparable(outcome).sum() == pytest.approx(harrell_c(risk, outcome))


def test_the_interval_is_that_of_the_plain_definition(folds, monkeypatch):
    """The same resamples, each patient by patient and scored by lifelines."""
    monkeypatch.setattr(bootstrap, "RESAMPLES", 60)
    risks, outcomes = folds

    def mean_c(*samples):
        return np.mean([harrell_c(r[s], o.subset(s)) for r, o, s in zip(risks, outcomes, samples, strict=True)])

    expected = stats.bootstrap(
        [np.arange(len(risk)) for risk in risks], mean_c, n_resamples=60, method="BCa", vectorized=False,
        rng=np.random.default_rng(5),
    ).confidence_interval  # fmt: skip
    found = c_index_interval(risks, outcomes, seed=5)
    assert (found.lower, found.upper) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_differences_resample_both_rows_together(folds, monkeypatch):
    monkeypatch.setattr(bootstrap, "RESAMPLES", 60)
    risks, outcomes = folds
    others = [risk + np.random.default_rng(i).normal(size=len(risk)) for i, risk in enumerate(risks)]

    def mean_difference(*samples):
        parts = zip(risks, others, outcomes, samples, strict=True)
        return np.mean([harrell_c(r[s], o.subset(s)) - harrell_c(q[s], o.subset(s)) for r, q, o, s in parts])

    expected = stats.bootstrap(
        [np.arange(len(risk)) for risk in risks], mean_difference, n_resamples=60, method="BCa", vectorized=False,
        rng=np.random.default_rng(5),
    ).confidence_interval  # fmt: skip
    found = difference_interval(risks, others, outcomes, seed=5)
    assert (found.lower, found.upper) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_same_seed_gives_the_same_interval_and_another_a_near_one(folds):
    found = [c_index_interval(*folds, seed=seed) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    assert found[2].lower == pytest.approx(found[0].lower, abs=0.02)


def test_a_signal_lies_above_chance_and_noise_around_it():
    rng = np.random.default_rng(0)
    made = [make_fold(rng, 45) for _ in range(5)]
    outcomes = [outcome for _, outcome in made]
    signal = c_index_interval([risk for risk, _ in made], outcomes, seed=0)
    noise = c_index_interval([rng.normal(size=45) for _ in made], outcomes, seed=0)
    assert 0.5 < signal.lower < signal.upper
    assert noise.lower < 0.5 < noise.upper
    assert noise.upper - noise.lower == pytest.approx(0.11, abs=0.03)


def test_folds_without_a_pair_are_left_out_and_too_few_patients_give_none(folds):
    risks, outcomes = folds
    nobody = SurvivalOutcome(np.zeros(4, dtype=bool), np.arange(1.0, 5))
    assert c_index_interval([*risks, np.zeros(4)], [*outcomes, nobody], seed=0) == c_index_interval(*folds, seed=0)
    assert c_index_interval([np.zeros(4)], [nobody], seed=0) is None
    three = SurvivalOutcome(np.array([True, False, False]), np.array([1.0, 2, 3]))
    assert c_index_interval([np.array([2.0, 1, 3])], [three], seed=0) is None


def test_equal_rows_have_no_interval_of_their_difference(folds):
    risks, outcomes = folds
    assert difference_interval(risks, risks, outcomes, seed=0) is None


def test_as_many_risks_as_outcomes(folds):
    risks, outcomes = folds
    with pytest.raises(ValueError, match="expected 21 risks"):
        c_index_interval([risks[0][1:], *risks[1:]], outcomes, seed=0)
