"""A whole study: every row on identical folds, its statistics, the risk groups of the best row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engram.config import StudyConfig
from engram.errors import CohortError
from engram.evaluation.clinical_model import clinical_columns, clinical_model, incremental_value, stage_columns
from engram.evaluation.comparisons import compare_rows
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.fold_jobs import fold_outcomes
from engram.evaluation.folds import study_folds
from engram.evaluation.gate_records import GateShare
from engram.evaluation.gates import gate_shares
from engram.evaluation.held_out import held_out_patients
from engram.evaluation.performance import performance
from engram.evaluation.performance_records import Performance
from engram.evaluation.preprocess import keys_of
from engram.evaluation.protocols import Begin, headline_rows, run_protocols
from engram.evaluation.results import (
    ClinicalModel,
    Comparison,
    FoldSummary,
    IncrementalValue,
    RiskGroups,
    RowResult,
)
from engram.evaluation.risk_groups import pool_risks, risk_groups
from engram.evaluation.row_results import absent_row, beside, check_truth, row_results
from engram.evaluation.rows import RowSpec, rows_of
from engram.evaluation.sensitivity import Sensitivity, sensitivity
from engram.evaluation.sensitivity_records import Splits
from engram.evaluation.split_record import split_record
from engram.evaluation.statistics import held_out_ratio
from engram.evaluation.tuning_records import Search
from engram.evaluation.tuning_tables import search_records, trials_table
from engram.evaluation.variants import Runner
from engram.jobs import Progress
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c
from engram.survival.splits import Fold
from engram.table import EmbeddingKey, StudyTable

FEW = 50  # patients, or events, below which a c-index says nothing


@dataclass(frozen=True)
class Evaluation:
    """All that cross-validation found.

    out_of_fold: one line a row and patient: row, patient_id, fold (from 1), risk (log-risk, higher is worse),
    standardised_risk (by the fold's training risks), event (0 or 1), time_months, gate_pet (share of PET in the
    patient's mixture; NaN for rows without a gate). Rows that were not run are in `rows` alone.
    trials: as of `trials_table`, empty without tuning. fold_notes: what fits had to leave out or could not do.
    """

    rows: list[RowResult]
    comparisons: list[Comparison]
    clinical_model: ClinicalModel | None
    incremental_value: list[IncrementalValue]
    risk_groups: RiskGroups | None
    performance: Performance
    splits: Splits
    sensitivity: Sensitivity
    gates: list[GateShare]
    incremental_over_stage: list[IncrementalValue]
    folds: list[FoldSummary]
    out_of_fold: pd.DataFrame
    searches: list[Search]
    trials: pd.DataFrame
    warnings: list[str]
    fold_notes: list[str]


def evaluate_study(
    table: StudyTable,
    config: StudyConfig,
    truth: pd.DataFrame | None,
    *,
    encoder: str,
    workers: int,
    cache_dir: Path,
    progress: Progress | None = None,
    absent: Mapping[EmbeddingKey, str] | None = None,
    specs: Sequence[RowSpec] | None = None,
    begin: Begin | None = None,
) -> Evaluation:
    """Cross-validate every row that the study file asks for, or `specs` where they are given, under each protocol
    of `tuning`.

    truth: true log-hazards (n rows, in the table's order; columns clinical, imaging, total) of a synthetic cohort,
    only compared with, never learned from. encoder: name of the frozen model, for the tables. absent: why the table
    lacks an embedding; rows that read it are not run, and say so. begin: is told each part.
    Raises CohortError, ConfigError, PatientError, StorageError.
    """
    asked = rows_of(config) if specs is None else tuple(specs)
    reasons = _reasons(asked, absent or {})
    specs = [spec for spec in asked if spec.name not in reasons]
    check_truth(truth, len(table))
    settings, headline = config.evaluation, config.tuning.headline
    folds = study_folds(table, settings)
    found = run_protocols(
        table, specs, folds, config, workers=workers, cache_dir=cache_dir, progress=progress, begin=begin
    )
    results, outcomes, ratio = found.results[headline], fold_outcomes(table, folds), held_out_ratio(folds)
    rows = row_results(specs, results, folds, outcomes, truth, encoder=encoder, seed=settings.seed)
    searches = search_records(found.searched, specs, config)
    rows = beside(rows, found.results, headline, searches, ratio=ratio)
    columns = clinical_columns(table, config.covariates, max_missing=settings.max_missing)
    of_images = {
        spec.name: pool_risks(result, folds)
        for spec, result in zip(specs, results, strict=True)
        if spec.family == "image"
    }
    return Evaluation(
        rows=_with_absent(asked, rows, reasons, len(folds), encoder),
        comparisons=compare_rows(specs, results, outcomes, held_out_ratio=ratio, seed=settings.seed),
        clinical_model=clinical_model(columns, table.outcome),
        incremental_value=incremental_value(columns, of_images, table.outcome),
        risk_groups=_best_groups(rows, results, folds, table.outcome, settings.seed),
        performance=performance(
            [spec.name for spec in specs], results, folds, table.outcome, settings, drawn=_drawn(rows)
        ),
        splits=split_record(table, folds, settings),
        sensitivity=sensitivity(
            table, specs, results, folds, config, Runner(headline_rows, workers, cache_dir, progress)
        ),
        gates=gate_shares(specs, results, outcomes, seed=settings.seed),
        incremental_over_stage=incremental_value(stage_columns(table, config), of_images, table.outcome),
        folds=[FoldSummary(n=len(outcome), events=int(outcome.event.sum())) for outcome in outcomes],
        out_of_fold=_out_of_fold(specs, results, folds, table),
        searches=searches,
        trials=trials_table(found.searched, specs),
        warnings=cohort_warnings(outcomes),
        fold_notes=_fold_notes(specs, results),
    )


def _reasons(specs: Sequence[RowSpec], absent: Mapping[EmbeddingKey, str]) -> dict[str, str]:
    """Why rows cannot be run, by name. Raises CohortError where none can."""
    found = {
        spec.name: absent[missing[0]]
        for spec in specs
        if (missing := [key for key in keys_of(spec) if key in absent])
    }
    if len(found) == len(specs):
        name, reason = next(iter(found.items()))
        raise CohortError(f"no row of this study can be run; the first, '{name}': {reason}")
    return found


def _with_absent(
    specs: Sequence[RowSpec], rows: Sequence[RowResult], reasons: Mapping[str, str], folds: int, encoder: str
) -> list[RowResult]:
    """All rows in the order that was asked for, those that were not run among them."""
    run = {row.name: row for row in rows}
    headline = rows[0].protocol
    return [
        run.get(spec.name) or absent_row(spec, reasons[spec.name], folds, headline, encoder=encoder)
        for spec in specs
    ]


def cohort_warnings(test: Sequence[SurvivalOutcome]) -> list[str]:
    """What a reader must know before believing any number: too few who test, folds that rank nobody. test: outcomes
    of each fold; who only trains (a first window in time) measures nothing."""
    warnings = []
    n, events = sum(map(len, test)), sum(int(outcome.event.sum()) for outcome in test)
    if min(n, events) < FEW:
        warnings.append(
            f"Only {n} patients with {events} events were tested: with fewer than {FEW} of either, this study "
            "says nothing about discrimination. It shows that the software runs."
        )
    empty = [number for number, fold in enumerate(test, 1) if harrell_c(np.zeros(len(fold)), fold) is None]
    if empty:
        warnings.append(f"No comparable pair of patients in test fold {_listed(empty)}: left out of every mean.")
    return warnings


def _best_groups(
    rows: Sequence[RowResult],
    results: Sequence[Sequence[FoldResult]],
    folds: Sequence[Fold],
    outcome: SurvivalOutcome,
    seed: int,
) -> RiskGroups | None:
    """The risk groups of the row with the highest mean, the first of equals; None where no row has a mean."""
    means = [-np.inf if row.mean is None else row.mean for row in rows]
    best = int(np.argmax(means))
    if rows[best].mean is None:
        return None
    return risk_groups(rows[best].name, pool_risks(results[best], folds), outcome, folds, seed=seed)


def _drawn(rows: Sequence[RowResult]) -> list[str]:
    """The row with the highest mean and the best clinical one, whose further curves are saved."""
    known = [row for row in rows if row.mean is not None]
    clinical = [row for row in known if row.family == "clinical"]
    return [max(group, key=lambda row: row.mean or 0.0).name for group in (known, clinical) if group]


def _out_of_fold(
    specs: Sequence[RowSpec], results: Sequence[Sequence[FoldResult]], folds: Sequence[Fold], table: StudyTable
) -> pd.DataFrame:
    number, risk = np.zeros(len(table), dtype=np.int64), np.zeros(len(table))
    parts, tested = [], held_out_patients(folds)
    outcome = table.outcome.subset(tested)
    for spec, result in zip(specs, results, strict=True):
        gate = np.full(len(table), np.nan)
        for index, (fold, of_fold) in enumerate(zip(folds, result, strict=True), 1):
            number[fold.test_index], risk[fold.test_index] = index, of_fold.test_risk
            if of_fold.gate is not None:
                gate[fold.test_index] = of_fold.gate
        columns = {
            "row": spec.name,
            "patient_id": [table.features.ids[i] for i in tested],
            "fold": number[tested],
            "risk": risk[tested],
            "standardised_risk": pool_risks(result, folds).standardised,
            "event": outcome.event.astype(np.int64),
            "time_months": outcome.time_months,
            "gate_pet": gate[tested],
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _fold_notes(specs: Sequence[RowSpec], results: Sequence[Sequence[FoldResult]]) -> list[str]:
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
