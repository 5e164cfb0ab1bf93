"""Stratified splits: even, complete, and blind to everything but outcomes and seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.outcome import SurvivalOutcome
from engram.survival.splits import merged_strata, stratified_splits


def cohort(n=100, seed=0, events=0.7):
    rng = np.random.default_rng(seed)
    return SurvivalOutcome(rng.random(n) < events, rng.exponential(30, n) + 0.1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=6, max_size=60), st.integers(2, 5))
def test_every_patient_tests_once_and_events_are_even(rows, folds):
    outcome = SurvivalOutcome(np.array([e for _, e in rows]), np.array([t for t, _ in rows], dtype=float))
    splits = stratified_splits(outcome, folds=folds, time_quantiles=4, seed=0)
    assert sorted(np.concatenate([s.test_index for s in splits]).tolist()) == list(range(len(outcome)))
    for split in splits:
        assert not set(split.train_index) & set(split.test_index)
        assert len(split.train_index) + len(split.test_index) == len(outcome)
    sizes = [len(s.test_index) for s in splits]
    assert max(sizes) - min(sizes) <= 1
    events = [int(outcome.event[s.test_index].sum()) for s in splits]
    if min(outcome.event.sum(), (~outcome.event).sum()) >= folds:
        assert max(events) - min(events) <= 1


def test_times_are_even_too():
    outcome = cohort(200)
    splits = stratified_splits(outcome, folds=5, time_quantiles=4, seed=1)
    long = outcome.time > np.quantile(outcome.time[outcome.event], 0.75)
    shares = [(long & outcome.event)[s.test_index].sum() for s in splits]
    assert max(shares) - min(shares) <= 1


def test_same_seed_same_splits_and_another_seed_others():
    a, b, c = (stratified_splits(cohort(), folds=5, time_quantiles=4, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(x.test_index, y.test_index) for x, y in zip(a, b, strict=True))
    assert any(not np.array_equal(x.test_index, y.test_index) for x, y in zip(a, c, strict=True))


def test_the_global_generator_is_neither_read_nor_written():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    stratified_splits(cohort(), folds=5, time_quantiles=4, seed=1)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_strata_are_event_by_quantile():
    strata = merged_strata(cohort(400), time_quantiles=4, smallest=5)
    assert len(np.unique(strata)) == 8
    assert max(np.bincount(strata)[:4]) - min(np.bincount(strata)[:4]) <= 1


def test_small_strata_join_their_neighbours():
    time = np.array([1.0] * 20 + [2.0, 3.0])
    strata = merged_strata(SurvivalOutcome(np.ones(22, dtype=bool), time), time_quantiles=4, smallest=5)
    assert np.bincount(strata).min() >= 5
    few = SurvivalOutcome(np.array([True] * 20 + [False] * 2), np.arange(1.0, 23.0))
    assert np.bincount(merged_strata(few, time_quantiles=4, smallest=5)).min() >= 5


def test_impossible_numbers_of_folds_are_refused():
    for folds in (1, 101):
        with pytest.raises(ValueError, match="folds of 100 patients"):
            stratified_splits(cohort(), folds=folds, time_quantiles=4, seed=0)
