"""Outer folds: refused where they would mean nothing."""

import numpy as np
import pytest

from engram.errors import CohortError
from engram.evaluation.folds import stratified_folds
from engram.outcome import SurvivalOutcome


def test_folds_have_their_events(make_study):
    table, _ = make_study(100)
    folds = stratified_folds(table.outcome, folds=5, time_quantiles=4, seed=0)
    events = [int(table.outcome.event[fold.test_index].sum()) for fold in folds]
    assert max(events) - min(events) <= 1
    assert [len(fold.test_index) for fold in folds] == [20] * 5


@pytest.mark.parametrize(("n", "events"), [(9, 9), (30, 4), (30, 0)])
def test_too_few_patients_or_events_are_refused(n, events):
    outcome = SurvivalOutcome(np.arange(n) < events, np.arange(1.0, n + 1))
    with pytest.raises(CohortError, match=f"{n} patients with {events} events cannot make 5 folds"):
        stratified_folds(outcome, folds=5, time_quantiles=4, seed=0)
