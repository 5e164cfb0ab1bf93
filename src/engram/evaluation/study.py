"""A whole study: every row on identical folds, its statistics, the risk groups of the best row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engram.config import StudyConfig
from engram.evaluation.cross_validate import cross_validate, fold_outcomes
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.folds import stratified_folds
from engram.evaluation.results import FoldSummary, RiskGroups, RowResult
from engram.evaluation.risk_groups import pool_risks, risk_groups
from engram.evaluation.rows import NONE, RowSpec, rows_of
from engram.evaluation.statistics import fold_statistics
from engram.jobs import Progress
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c
from engram.survival.splits import Fold
from engram.table import PET_NUMBERS, StudyTable

FEW = 50  # patients, or events, below which a c-index says nothing
_PART_OF_TRUTH = {"clinical": "clinical", "image": "imaging", "multimodal": "total"}


@dataclass(frozen=True)
class Evaluation:
    """All that cross-validation found.

    out_of_fold: one line a row and patient: row, patient_id, fold (from 1), risk (log-risk, higher is worse),
    standardised_risk (by the fold's training risks), event (0 or 1), time_months.
    """

    rows: list[RowResult]
    risk_groups: RiskGroups | None
    folds: list[FoldSummary]
    out_of_fold: pd.DataFrame
    warnings: list[str]


def evaluate_study(
    table: StudyTable,
    config: StudyConfig,
    truth: pd.DataFrame | None,
    *,
    encoder: str,
    workers: int,
    cache_dir: Path,
    progress: Progress | None = None,
) -> Evaluation:
    """Cross-validate every row that the study file asks for.

    truth: true log-hazards (n rows, in the table's order; columns clinical, imaging, total) of a synthetic cohort,
    only compared with, never learned from. encoder: name of the frozen model, for the tables.
    Raises CohortError, ConfigError, PatientError, StorageError.
    """
    specs = rows_of(config)
    _check_truth(truth, len(table))
    settings = config.evaluation
    folds = stratified_folds(
        table.outcome, folds=settings.folds, time_quantiles=settings.time_quantiles, seed=settings.seed
    )
    results = cross_validate(table, specs, folds, config, workers=workers, cache_dir=cache_dir, progress=progress)
    outcomes = fold_outcomes(table, folds)
    rows = [
        _row(spec, result, _true_c(spec, truth, folds, outcomes), encoder)
        for spec, result in zip(specs, results, strict=True)
    ]
    return Evaluation(
        rows=rows,
        risk_groups=_best_groups(rows, results, folds, table.outcome),
        folds=[FoldSummary(n=len(outcome), events=int(outcome.event.sum())) for outcome in outcomes],
        out_of_fold=_out_of_fold(specs, results, folds, table),
        warnings=[*cohort_warnings(table.outcome, outcomes), *_notes(specs, results)],
    )


def cohort_warnings(outcome: SurvivalOutcome, test: Sequence[SurvivalOutcome]) -> list[str]:
    """What a reader must know before believing any number: a cohort too small, folds that rank nobody."""
    warnings = []
    n, events = len(outcome), int(outcome.event.sum())
    if min(n, events) < FEW:
        warnings.append(
            f"Only {n} patients with {events} events: with fewer than {FEW} of either, this study says nothing "
            "about discrimination. It shows that the software runs."
        )
    empty = [number for number, fold in enumerate(test, 1) if harrell_c(np.zeros(len(fold)), fold) is None]
    if empty:
        warnings.append(f"No comparable pair of patients in test fold {_listed(empty)}: left out of every mean.")
    return warnings


def _check_truth(truth: pd.DataFrame | None, n: int) -> None:
    if truth is None:
        return
    parts = sorted(_PART_OF_TRUTH.values())
    if len(truth) != n or not set(parts) <= set(truth.columns) or not np.isfinite(truth[parts]).all(axis=None):
        raise ValueError(f"expected finite true log-hazards of {n} patients in columns {', '.join(parts)}")


def _true_c(
    spec: RowSpec, truth: pd.DataFrame | None, folds: Sequence[Fold], outcomes: Sequence[SurvivalOutcome]
) -> list[float | None] | None:
    """The c-index of what the row could at best know, on the same test folds."""
    if truth is None:
        return None
    hazard = truth[_PART_OF_TRUTH[spec.family]].to_numpy(dtype=np.float64)
    return [harrell_c(hazard[fold.test_index], outcome) for fold, outcome in zip(folds, outcomes, strict=True)]


def _row(
    spec: RowSpec, results: Sequence[FoldResult], true_c: list[float | None] | None, encoder: str
) -> RowResult:
    c_index = [result.c_index for result in results]
    statistics = fold_statistics(c_index)
    return RowResult(
        name=spec.name,
        family=spec.family,
        modality=spec.modality or NONE,
        roi=spec.roi,
        readout=spec.readout,
        encoder=encoder if spec.modality and spec.readout != PET_NUMBERS else NONE,
        head=spec.head,
        fusion=spec.fusion,
        survival=spec.survival,
        c_index=c_index,
        mean=statistics.mean,
        se=statistics.se,
        p=statistics.p,
        true_c_index=true_c,
        true_mean=None if true_c is None else fold_statistics(true_c).mean,
    )


def _best_groups(
    rows: Sequence[RowResult],
    results: Sequence[Sequence[FoldResult]],
    folds: Sequence[Fold],
    outcome: SurvivalOutcome,
) -> RiskGroups | None:
    """The risk groups of the row with the highest mean, the first of equals; None where no row has a mean."""
    means = [-np.inf if row.mean is None else row.mean for row in rows]
    best = int(np.argmax(means))
    if rows[best].mean is None:
        return None
    return risk_groups(rows[best].name, pool_risks(results[best], folds), outcome)


def _out_of_fold(
    specs: Sequence[RowSpec], results: Sequence[Sequence[FoldResult]], folds: Sequence[Fold], table: StudyTable
) -> pd.DataFrame:
    number, risk = np.zeros(len(table), dtype=np.int64), np.zeros(len(table))
    parts = []
    for spec, result in zip(specs, results, strict=True):
        for index, (fold, of_fold) in enumerate(zip(folds, result, strict=True), 1):
            number[fold.test_index], risk[fold.test_index] = index, of_fold.test_risk
        columns = {
            "row": spec.name,
            "patient_id": list(table.features.ids),
            "fold": number.copy(),
            "risk": risk.copy(),
            "standardised_risk": pool_risks(result, folds).standardised,
            "event": table.outcome.event.astype(np.int64),
            "time_months": table.outcome.time_months,
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _notes(specs: Sequence[RowSpec], results: Sequence[Sequence[FoldResult]]) -> list[str]:
    """Each note of the fits once, with the folds where it held and one row as an example."""
    folds_of: dict[str, set[int]] = defaultdict(set)
    rows_of_note: dict[str, dict[str, None]] = defaultdict(dict)
    for spec, result in zip(specs, results, strict=True):
        for number, of_fold in enumerate(result, 1):
            for note in of_fold.notes:
                folds_of[note].add(number)
                rows_of_note[note][spec.name] = None
    return [
        f"{note[0].upper()}{note[1:]} (fold {_listed(sorted(folds))}; {_example(list(rows_of_note[note]))})."
        for note, folds in folds_of.items()
    ]


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)


def _example(rows: Sequence[str]) -> str:
    return f"row '{rows[0]}'" if len(rows) == 1 else f"row '{rows[0]}' and {len(rows) - 1} more"
