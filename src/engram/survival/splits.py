"""Splits of patients, stratified by event and time (paper 2.4.1). They see outcomes and a seed, and no feature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold

from engram.outcome import SurvivalOutcome

IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Fold:
    """One split: positions of the patients that train and of those that test, each ascending and disjoint."""

    train_index: IndexArray
    test_index: IndexArray


def stratified_splits(outcome: SurvivalOutcome, *, folds: int, time_quantiles: int, seed: int) -> list[Fold]:
    """Each patient tests once; strata, and so events and times, are spread evenly over the folds.

    The numbers of patients, and of events, of two folds differ by one at most. Raises ValueError for fewer than
    two folds, or fewer patients than folds.
    """
    if not 2 <= folds <= len(outcome):
        raise ValueError(f"{folds} folds of {len(outcome)} patients: use from 2 to as many as there are patients")
    strata = merged_strata(outcome, time_quantiles=time_quantiles, smallest=folds)
    # Neighbouring strata are dealt one after the other, which balances their sums too, if they are given in order.
    order = np.argsort(strata, kind="stable")
    splitter = StratifiedKFold(folds, shuffle=True, random_state=np.random.RandomState(seed))
    splits = splitter.split(np.zeros((len(order), 1)), strata[order])
    return [Fold(np.sort(order[train]), np.sort(order[test])) for train, test in splits]


def merged_strata(outcome: SurvivalOutcome, *, time_quantiles: int, smallest: int) -> IndexArray:
    """The stratum of each patient (n,): event x quantile of the time among those of the same event status.

    A stratum of fewer than `smallest` patients joins its neighbour in time. Where all the events together (or all
    the censored) are fewer, they join the stratum of the longest times of the others.
    """
    strata = np.zeros(len(outcome), dtype=np.intp)
    first = 0
    for status in (False, True):
        members = np.flatnonzero(outcome.event == status)
        if len(members):
            labels = _time_strata(outcome.time[members], time_quantiles, smallest)
            strata[members] = first + labels
            first = int(strata[members].max()) + 1
    return _join_small_status(strata, outcome.event, smallest)


def _time_strata(time: npt.NDArray[np.float64], quantiles: int, smallest: int) -> IndexArray:
    edges = np.unique(np.quantile(time, np.linspace(0, 1, quantiles + 1)[1:-1]))
    labels = np.searchsorted(edges, time, side="left")
    merged, current, size = np.zeros(len(edges) + 1, dtype=np.intp), 0, 0
    for label, count in enumerate(np.bincount(labels, minlength=len(merged))):
        if size >= smallest:
            current, size = current + 1, 0
        merged[label] = current
        size += int(count)
    if size < smallest and current > 0:
        merged[merged == current] = current - 1
    return np.asarray(merged[labels], dtype=np.intp)


def _join_small_status(strata: IndexArray, event: npt.NDArray[np.bool_], smallest: int) -> IndexArray:
    joined = strata.copy()
    if 0 < event.sum() < smallest and not event.all():
        joined[event] = strata[~event].max()
    if 0 < (~event).sum() < smallest and not (~event).all():
        joined[~event] = joined[event].max()
    return np.asarray(np.unique(joined, return_inverse=True)[1], dtype=np.intp)
