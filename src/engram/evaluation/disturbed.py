"""Rows on embeddings that were read in another way: by the study's own models, and by models trained on them.

A patient is judged by a model of the fold that left him out, in either case. Frozen models are not kept ones: they
are fitted again, on the same patients, embeddings and seed as the study's, and so are the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from engram.evaluation.bootstrap import c_index_interval, difference_interval
from engram.evaluation.fold_fit import FoldResult, RiskArray
from engram.evaluation.robustness_records import CIndexChange
from engram.evaluation.rows import RowSpec
from engram.evaluation.statistics import fold_statistics
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c
from engram.survival.splits import Fold
from engram.table import PatientFeatures, StudyTable

Run = Callable[[StudyTable, Sequence[RowSpec], Sequence[Fold]], list[list[FoldResult]]]  # each row on each fold


@dataclass(frozen=True, eq=False)
class OtherReading:
    """index: positions in the study's table, ascending; table: these patients with their other embeddings."""

    name: str
    index: npt.NDArray[np.intp]
    table: StudyTable


@dataclass(frozen=True, eq=False)
class PairedRisks:
    """Log-risks of the same test patients, one item a fold: of the study's own embeddings, and of the others."""

    own: list[RiskArray]
    other: list[RiskArray]
    outcomes: list[SurvivalOutcome]


def frozen_risks(
    own: StudyTable, readings: Sequence[OtherReading], specs: Sequence[RowSpec], folds: Sequence[Fold], run: Run
) -> list[list[PairedRisks]]:
    """Of each reading and row: what the study's model of each fold says of its test patients, read in both ways.

    One fit a row and fold serves all readings: they stand behind the study's patients in one table, where nobody
    trains on them.
    """
    starts = np.cumsum([len(own), *(len(one.table) for one in readings)])
    tested = [[np.flatnonzero(np.isin(one.index, fold.test_index)) for one in readings] for fold in folds]
    behind = [
        Fold(
            fold.train_index,
            np.concatenate([fold.test_index, *(s + p for s, p in zip(starts[:-1], at, strict=True))]),
        )
        for fold, at in zip(folds, tested, strict=True)
    ]
    found = run(_stacked([own, *(_named(one) for one in readings)]), specs, behind)
    return [[_paired(readings, number, row, folds, tested) for row in found] for number in range(len(readings))]


def _paired(
    readings: Sequence[OtherReading],
    number: int,
    row: Sequence[FoldResult],
    folds: Sequence[Fold],
    tested: Sequence[Sequence[npt.NDArray[np.intp]]],
) -> PairedRisks:
    """Of one reading, on the folds where somebody of it tests. tested: of each fold and reading, who tests, by
    their positions in the reading's table."""
    one, own, other, outcomes = readings[number], [], [], []
    for result, fold, at in zip(row, folds, tested, strict=True):
        if not len(at[number]):
            continue
        first = len(fold.test_index) + sum(map(len, at[:number]))
        own.append(result.test_risk[np.searchsorted(fold.test_index, one.index[at[number]])])
        other.append(result.test_risk[first : first + len(at[number])])
        outcomes.append(one.table.outcome.subset(at[number]))
    return PairedRisks(own, other, outcomes)


def retrained_risks(
    own: Sequence[Sequence[FoldResult]], other: Sequence[Sequence[FoldResult]], outcomes: Sequence[SurvivalOutcome]
) -> list[PairedRisks]:
    """Of each row: models trained on the study's own embeddings, and models trained on the others, both on the
    patients who were read in both ways. own, other: each row on each fold; outcomes: of those who test."""
    return [
        PairedRisks([one.test_risk for one in a], [one.test_risk for one in b], list(outcomes))
        for a, b in zip(own, other, strict=True)
    ]


def restricted(folds: Sequence[Fold], index: npt.NDArray[np.intp], n: int) -> list[Fold]:
    """The same folds for some of the patients, by their positions among these. Folds that nobody is left to test
    are dropped."""
    place = np.full(n, -1, dtype=np.intp)
    place[index] = np.arange(len(index))
    parts = [(place[fold.train_index], place[fold.test_index]) for fold in folds]
    return [Fold(train[train >= 0], test[test >= 0]) for train, test in parts if (test >= 0).any()]


def c_index_change(row: str, model: str, risks: PairedRisks, *, held_out_ratio: float, seed: int) -> CIndexChange:
    """What other embeddings change of the c-index of a row. held_out_ratio, seed: as of `compare_rows`."""
    pairs = [
        (harrell_c(own, outcome), harrell_c(other, outcome))
        for own, other, outcome in zip(risks.own, risks.other, risks.outcomes, strict=True)
    ]
    differences = [None if own is None or other is None else other - own for own, other in pairs]
    of_difference = fold_statistics(differences, held_out_ratio=held_out_ratio, null=0)
    change = difference_interval(risks.other, risks.own, risks.outcomes, seed=seed)
    interval = c_index_interval(risks.other, risks.outcomes, seed=seed)
    return CIndexChange.model_validate(
        {
            "row": row,
            "model": model,
            "n": sum(map(len, risks.outcomes)),
            "c_study": fold_statistics([own for own, _ in pairs], held_out_ratio=held_out_ratio).mean,
            "c_index": fold_statistics([other for _, other in pairs], held_out_ratio=held_out_ratio).mean,
            "ci_lower": None if interval is None else interval.lower,
            "ci_upper": None if interval is None else interval.upper,
            "difference": of_difference.mean,
            "difference_lower": None if change is None else change.lower,
            "difference_upper": None if change is None else change.upper,
            "p_corrected": of_difference.p_corrected,
        }
    )


def _named(reading: OtherReading) -> StudyTable:
    """With ids that no patient of the study has, and that an error can name."""
    ids = tuple(f"{patient} ({reading.name})" for patient in reading.table.features.ids)
    return replace(reading.table, features=replace(reading.table.features, ids=ids))


def _stacked(tables: Sequence[StudyTable]) -> StudyTable:
    features = [table.features for table in tables]
    first = tables[0]
    joined = PatientFeatures(
        tuple(patient for one in features for patient in one.ids),
        pd.concat([one.covariates for one in features], ignore_index=True),
        {key: np.concatenate([one.embeddings[key] for one in features]) for key in first.features.embeddings},
        first.features.declared,
    )
    outcome = SurvivalOutcome(
        np.concatenate([table.outcome.event for table in tables]),
        np.concatenate([table.outcome.time for table in tables]),
        first.outcome.unit,
    )
    groups = None if first.groups is None else tuple(site for table in tables for site in table.groups or ())
    order = None if first.order is None else tuple(place for table in tables for place in table.order or ())
    return StudyTable(joined, outcome, groups, order)
