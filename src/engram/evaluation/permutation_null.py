"""What the whole evaluation finds where outcomes say nothing: events and times permuted over patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engram.config import StudyConfig
from engram.evaluation.fold_fit import FoldResult, job_seed
from engram.evaluation.folds import drawn_folds
from engram.evaluation.rows import RowSpec
from engram.evaluation.sensitivity_records import PermutationNull
from engram.evaluation.statistics import fold_statistics
from engram.evaluation.variants import Runner, Variant, is_cheap, run_variants
from engram.table import StudyTable

QUANTILES = (0.025, 0.5, 0.975)


def permutation_null(
    table: StudyTable,
    specs: Sequence[RowSpec],
    results: Sequence[Sequence[FoldResult]],
    config: StudyConfig,
    runner: Runner,
) -> list[PermutationNull]:
    """The cheap rows on `sensitivity.permutations` permuted outcomes; empty for none.

    Event and time of a patient stay together, folds are drawn anew by the same rule, and whatever the runner does
    (tuning, too) is done again. results: of each row on each fold of the main analysis. Raises as the runner.
    """
    chosen = [number for number, spec in enumerate(specs) if is_cheap(spec)]
    if config.sensitivity.permutations == 0 or not chosen:
        return []
    rows = [specs[number] for number in chosen]
    variants = [_permuted(table, rows, config, number) for number in range(config.sensitivity.permutations)]
    found = run_variants(table, variants, runner)
    return [
        _null(specs[number].name, mean_c(results[number]), [mean_c(rows[place]) for rows in found])
        for place, number in enumerate(chosen)
    ]


def mean_c(results: Sequence[FoldResult]) -> float | None:
    """The mean c-index over the folds that have one."""
    return fold_statistics([result.c_index for result in results], held_out_ratio=0.0).mean


def _permuted(table: StudyTable, specs: Sequence[RowSpec], config: StudyConfig, number: int) -> Variant:
    seed = job_seed(config.evaluation.seed, "permutation", number)
    order = np.random.default_rng(seed).permutation(len(table))
    outcome = table.outcome.subset(order)
    folds = drawn_folds(replace(table, outcome=outcome), config.evaluation, seed=seed)
    return Variant(f"permutation {number + 1}", specs, folds, config, outcome=outcome)


def _null(row: str, c_index: float | None, permuted: Sequence[float | None]) -> PermutationNull:
    null = np.array([value for value in permuted if value is not None], dtype=np.float64)
    p = None if c_index is None else float((1 + (null >= c_index).sum()) / (1 + len(null)))
    return PermutationNull(
        row=row,
        c_index=c_index,
        permutations=len(null),
        null_mean=float(null.mean()) if len(null) else None,
        null_sd=float(null.std(ddof=1)) if len(null) > 1 else None,
        null_quantiles=[float(value) for value in np.quantile(null, QUANTILES)] if len(null) else None,
        p=p,
    )
