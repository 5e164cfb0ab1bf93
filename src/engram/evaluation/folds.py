"""The test folds (paper 2.4.1): one set of splits, the same for every model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold

from engram.config_evaluation import Evaluation
from engram.errors import CohortError
from engram.outcome import SurvivalOutcome
from engram.survival.splits import Fold, merged_strata, stratified_splits
from engram.table import StudyTable

__all__ = [
    "Fold",
    "drawn_folds",
    "grouped_folds",
    "has_poor_fold",
    "stratified_folds",
    "study_folds",
    "temporal_folds",
]

T = TypeVar("T")

_NAMED = 3  # sites that an error names
_MENDS = {
    "grouped": "Set fewer evaluation.folds, or join small sites in the column of evaluation.group.",
    "temporal": "Set fewer evaluation.folds, or another evaluation.first_window or evaluation.order.",
}


def study_folds(table: StudyTable, settings: Evaluation, *, seed: int | None = None) -> list[Fold]:
    """The folds that `evaluation.splits` asks for; they depend on outcomes, sites or order, and seed alone.

    seed: that of the settings by default. Raises CohortError where a fold would have fewer than two patients or
    no event, or training no two events; ValueError where the table lacks the groups or the order.
    """
    _refuse_few(table.outcome, settings.folds)
    folds = drawn_folds(table, settings, seed=seed)
    if settings.splits != "stratified":
        for number, fold in enumerate(folds, 1):
            _refuse_poor(table, fold, number, settings.splits)
    return folds


def drawn_folds(table: StudyTable, settings: Evaluation, *, seed: int | None = None) -> list[Fold]:
    """The same folds, whatever events they hold: for outcomes that were permuted."""
    seed = settings.seed if seed is None else seed
    if settings.splits == "temporal":
        return temporal_folds(_known(table.order, "order"), folds=settings.folds, first=settings.first_window)
    if settings.splits == "grouped":
        groups = _known(table.groups, "groups")
        quantiles = settings.time_quantiles
        return grouped_folds(groups, table.outcome, folds=settings.folds, time_quantiles=quantiles, seed=seed)
    return stratified_splits(table.outcome, folds=settings.folds, time_quantiles=settings.time_quantiles, seed=seed)


def stratified_folds(outcome: SurvivalOutcome, *, folds: int, time_quantiles: int, seed: int) -> list[Fold]:
    """Stratified folds by event x time quantile; they depend on outcomes and seed alone.

    Raises CohortError where there are fewer events, or fewer pairs of patients, than folds.
    """
    _refuse_few(outcome, folds)
    return stratified_splits(outcome, folds=folds, time_quantiles=time_quantiles, seed=seed)


def grouped_folds(
    groups: Sequence[str], outcome: SurvivalOutcome, *, folds: int, time_quantiles: int, seed: int
) -> list[Fold]:
    """Each patient tests once, and all patients of a site in the same fold, so that no site both trains and tests.

    groups: (n,) the site of each patient. Strata are spread as evenly as whole sites allow. Raises CohortError for
    fewer sites than folds.
    """
    sites = sorted(set(groups))
    if len(sites) < folds:
        raise CohortError(
            f"{len(sites)} site(s) cannot make {folds} folds without a site that both trains and tests. "
            f"Set evaluation.folds to {len(sites)}, or use splits: stratified."
            if len(sites) > 1
            else "evaluation.group has one value only: there is no site to hold out. Use splits: stratified."
        )
    strata = merged_strata(outcome, time_quantiles=time_quantiles, smallest=folds)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=np.random.RandomState(seed))
    numbers = np.searchsorted(sites, groups)
    splits = splitter.split(np.zeros((len(outcome), 1)), strata, numbers)
    return [Fold(np.sort(train), np.sort(test)) for train, test in splits]


def temporal_folds(order: Sequence[float], *, folds: int, first: float) -> list[Fold]:
    """Windows that expand: each fold trains on everybody before its test patients.

    order: (n,), higher for later patients. first: share of patients in the first training part, who never test;
    the others test once, in `folds` parts of equal size, the earliest first. Patients of one value stay together,
    so parts differ in size where a value is frequent. Raises CohortError where there are too few values.
    """
    values = np.asarray(order, dtype=np.float64)
    starts = _cuts(values, np.linspace(first, 1, folds + 1)[:-1] * len(values))
    ends = [*starts[1:], np.inf]
    return [
        Fold(np.flatnonzero(values < start), np.flatnonzero((values >= start) & (values < end)))
        for start, end in zip(starts, ends, strict=True)
    ]


def _cuts(values: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]) -> list[float]:
    """The first value of each test part: the number of earlier patients is the nearest to `wanted`, and grows."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= len(wanted):
        raise CohortError(
            f"evaluation.order has {len(distinct)} different value(s), which cannot make {len(wanted)} fold(s) and "
            "a training part before them. Set fewer evaluation.folds, or name a column with finer times."
        )
    earlier = np.cumsum(counts) - counts  # patients before each distinct value
    chosen, least = list[float](), 1
    for number, target in enumerate(wanted):
        last = len(distinct) - (len(wanted) - number)  # each later part needs a value of its own
        among = np.arange(least, last + 1)
        best = int(among[np.argmin(np.abs(earlier[among] - target))])
        chosen.append(float(distinct[best]))
        least = best + 1
    return chosen


def _known(values: Sequence[T] | None, name: str) -> Sequence[T]:
    if values is None:
        raise ValueError(f"evaluation.splits needs the {name} of the study table, which has none")
    return values


def _refuse_few(outcome: SurvivalOutcome, folds: int) -> None:
    n, events = len(outcome), int(outcome.event.sum())
    if events < folds or n < 2 * folds:
        raise CohortError(
            f"{n} patients with {events} events cannot make {folds} folds of at least 2 patients and 1 event each. "
            "Set fewer evaluation.folds or add patients."
        )


def has_poor_fold(outcome: SurvivalOutcome, folds: Sequence[Fold], splits: str) -> bool:
    """Whether `study_folds` would refuse these folds of such splits, or a training part has no event at all."""
    if splits != "stratified" and any(_poor_part(outcome, fold) is not None for fold in folds):
        return True
    return not all(outcome.event[fold.train_index].any() for fold in folds)


def _poor_part(outcome: SurvivalOutcome, fold: Fold) -> tuple[str, npt.NDArray[np.intp]] | None:
    """Which part of a fold has too little to learn from or to test on, in words, and its patients."""
    for part, index, least in (("tests on", fold.test_index, 1), ("trains on", fold.train_index, 2)):
        n, events = len(index), int(outcome.event[index].sum())
        if n < 2 or events < least:
            return f"{part} {n} patient(s) with {events} event(s)", index
    return None


def _refuse_poor(table: StudyTable, fold: Fold, number: int, splits: str) -> None:
    """Whole sites and years cannot be dealt out evenly: a part may be left without anything to learn or to test."""
    poor = _poor_part(table.outcome, fold)
    if poor is not None:
        words, index = poor
        raise CohortError(
            f"fold {number} of the {splits} splits {words}{_of_sites(table, index)}: too few. {_MENDS[splits]}"
        )


def _of_sites(table: StudyTable, index: npt.NDArray[np.intp]) -> str:
    sites = sorted({table.groups[i] for i in index}) if table.groups is not None else []
    shown = ", ".join(f"'{site}'" for site in sites[:_NAMED]) + ", ..." * (len(sites) > _NAMED)
    return f" (site {shown})" if sites else ""
