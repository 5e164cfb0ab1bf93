"""What the whole evaluation finds where outcomes say nothing: events and times permuted over patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engram.config import StudyConfig
from engram.evaluation.fold_fit import FoldResult, job_seed
from engram.evaluation.folds import drawn_folds, has_poor_fold
from engram.evaluation.rows import RowSpec
from engram.evaluation.sensitivity_records import PermutationNull
from engram.evaluation.statistics import fold_statistics
from engram.evaluation.variants import Runner, Variant, is_cheap, run_those_that_can
from engram.table import StudyTable

QUANTILES = (0.025, 0.5, 0.975)
DRAWS = 100  # of one permutation, until its folds keep the rule to which the study's own are held


def permutation_null(
    table: StudyTable,
    specs: Sequence[RowSpec],
    results: Sequence[Sequence[FoldResult]],
    config: StudyConfig,
    runner: Runner,
) -> list[PermutationNull]:
    """The cheap rows on `sensitivity.permutations` permuted outcomes; empty for none.

    Event and time of a patient stay together, folds are drawn anew by the same rule, and whatever the runner does
    (tuning, too) is done again. A permutation whose folds the study would refuse, as where a training part
    has no event, is drawn again; one that cannot be evaluated all the same is left out and counted.
    results: of each row on each fold of the main analysis. Raises as the runner, a CohortError only where no
    permutation can be evaluated.
    """
    chosen = [number for number, spec in enumerate(specs) if is_cheap(spec)]
    if config.sensitivity.permutations == 0 or not chosen:
        return []
    rows = [specs[number] for number in chosen]
    asked = config.sensitivity.permutations
    drawn = [_permuted(table, rows, config, number) for number in range(asked)]
    found = run_those_that_can(table, [variant for variant in drawn if variant is not None], runner)
    return [
        _null(specs[number].name, mean_c(results[number]), [mean_c(rows[place]) for rows in found], asked)
        for place, number in enumerate(chosen)
    ]


def mean_c(results: Sequence[FoldResult]) -> float | None:
    """The mean c-index over the folds that have one."""
    return fold_statistics([result.c_index for result in results], held_out_ratio=0.0).mean


def _permuted(table: StudyTable, specs: Sequence[RowSpec], config: StudyConfig, number: int) -> Variant | None:
    """One permutation; None where none of many draws can be evaluated."""
    settings = config.evaluation
    seed = job_seed(settings.seed, "permutation", number)
    rng = np.random.default_rng(seed)
    for _ in range(DRAWS):
        outcome = table.outcome.subset(rng.permutation(len(table)))
        folds = drawn_folds(replace(table, outcome=outcome), settings, seed=seed)
        if not has_poor_fold(outcome, folds, settings.splits):
            return Variant(f"permutation {number + 1}", specs, folds, config, outcome=outcome)
    return None


def _null(row: str, c_index: float | None, permuted: Sequence[float | None], asked: int) -> PermutationNull:
    null = np.array([value for value in permuted if value is not None], dtype=np.float64)
    p = None if c_index is None or not len(null) else float((1 + (null >= c_index).sum()) / (1 + len(null)))
    return PermutationNull(
        row=row,
        c_index=c_index,
        permutations=len(null),
        not_evaluable=asked - len(null),
        null_mean=float(null.mean()) if len(null) else None,
        null_sd=float(null.std(ddof=1)) if len(null) > 1 else None,
        null_quantiles=[float(value) for value in np.quantile(null, QUANTILES)] if len(null) else None,
        p=p,
    )
