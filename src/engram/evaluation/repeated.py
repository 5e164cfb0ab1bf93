"""Repeated cross-validation: how far the split alone moves the result of a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engram.config import StudyConfig
from engram.evaluation.fold_fit import FoldResult, job_seed
from engram.evaluation.folds import study_folds
from engram.evaluation.rows import RowSpec
from engram.evaluation.sensitivity_records import RepeatedRow
from engram.evaluation.statistics import corrected_se, fold_statistics, held_out_ratio
from engram.evaluation.variants import Runner, is_cheap
from engram.survival.splits import Fold
from engram.table import StudyTable


def repeated_rows(
    table: StudyTable,
    specs: Sequence[RowSpec],
    results: Sequence[Sequence[FoldResult]],
    folds: Sequence[Fold],
    config: StudyConfig,
    runner: Runner,
) -> list[RepeatedRow]:
    """The rows of `evaluation.repeat_rows` on `evaluation.repeats` sets of folds, the first being `folds`; empty
    for one repeat. Splits by site may allow fewer.

    results: of each row on each of `folds`. Each further repeat has folds of its own, from a seed of its own.
    Raises as `study_folds` and the runner.
    """
    settings = config.evaluation
    chosen = [n for n, spec in enumerate(specs) if settings.repeat_rows == "all" or is_cheap(spec)]
    if settings.repeats == 1 or not chosen:
        return []
    further = [fold for repeat in _further(table, folds, config) for fold in repeat]
    evaluation = settings.model_copy(update={"seed": job_seed(settings.seed, "repeats", 0)})
    if not further:
        return [_row(specs[n].name, results[n], settings.folds, held_out_ratio(folds)) for n in chosen]
    again = runner.rows(
        table,
        [specs[n] for n in chosen],
        further,
        config.model_copy(update={"evaluation": evaluation}),
        workers=runner.workers,
        cache_dir=runner.cache_dir,
        progress=runner.progress,
    )
    ratio = held_out_ratio([*folds, *further])
    return [
        _row(specs[n].name, [*results[n], *more], settings.folds, ratio)
        for n, more in zip(chosen, again, strict=True)
    ]


def _further(table: StudyTable, folds: Sequence[Fold], config: StudyConfig) -> list[list[Fold]]:
    """The folds of each further repeat; a few sites can be dealt evenly in few ways, and none is run twice."""
    seeds = [job_seed(config.evaluation.seed, "repeat", number) for number in range(1, config.evaluation.repeats)]
    found = {_division(folds): list(folds)}
    for seed in seeds:
        repeat = study_folds(table, config.evaluation, seed=seed)
        found.setdefault(_division(repeat), repeat)
    return list(found.values())[1:]


def _division(folds: Sequence[Fold]) -> frozenset[tuple[int, ...]]:
    """Who tests with whom, whatever the order of the folds."""
    return frozenset(tuple(fold.test_index.tolist()) for fold in folds)


def _row(name: str, results: Sequence[FoldResult], folds: int, ratio: float) -> RepeatedRow:
    values = [result.c_index for result in results]
    repeats = [values[start : start + folds] for start in range(0, len(values), folds)]
    means = [fold_statistics(repeat, held_out_ratio=ratio).mean for repeat in repeats]
    known = np.array([mean for mean in means if mean is not None], dtype=np.float64)
    every, usable = fold_statistics(values, held_out_ratio=ratio), sum(value is not None for value in values)
    se = None if every.se is None else corrected_se(every.se, folds=usable, held_out_ratio=ratio)
    return RepeatedRow(
        row=name,
        c_index=repeats,
        means=means,
        mean=float(known.mean()) if len(known) else None,
        sd=float(known.std(ddof=1)) if len(known) > 1 else None,
        se_corrected=se,
        p_corrected=every.p_corrected,
    )
