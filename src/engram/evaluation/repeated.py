"""Repeated cross-validation: how far the split alone moves the result of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engram.config import StudyConfig
from engram.evaluation.comparisons import pairs_of
from engram.evaluation.fold_fit import FoldResult, job_seed
from engram.evaluation.folds import study_folds
from engram.evaluation.multiplicity import holm
from engram.evaluation.rows import RowSpec
from engram.evaluation.sensitivity_records import RepeatedComparison, RepeatedRow
from engram.evaluation.statistics import CHANCE, corrected_se, fold_statistics, held_out_ratio
from engram.evaluation.variants import Runner, is_cheap
from engram.survival.splits import Fold
from engram.table import StudyTable


@dataclass(frozen=True)
class Repeated:
    """rows: of `evaluation.repeat_rows`. comparisons: pairs of these that were declared before any result."""

    rows: list[RepeatedRow]
    comparisons: list[RepeatedComparison]


def repeated_rows(
    table: StudyTable,
    specs: Sequence[RowSpec],
    results: Sequence[Sequence[FoldResult]],
    folds: Sequence[Fold],
    config: StudyConfig,
    runner: Runner,
) -> Repeated:
    """The rows of `evaluation.repeat_rows` on `evaluation.repeats` sets of folds, the first being `folds`; empty
    for one repeat. Splits by site may allow fewer. Pairs that were declared are compared over all of them.

    results: of each row on each of `folds`. Each further repeat has folds of its own, from a seed of its own.
    Raises as `study_folds` and the runner.
    """
    settings = config.evaluation
    chosen = [n for n, spec in enumerate(specs) if settings.repeat_rows == "all" or is_cheap(spec)]
    if settings.repeats == 1 or not chosen:
        return Repeated([], [])
    specs, results = [specs[n] for n in chosen], [results[n] for n in chosen]
    further = [fold for repeat in _further(table, folds, config) for fold in repeat]
    evaluation = settings.model_copy(update={"seed": job_seed(settings.seed, "repeats", 0)})
    if not further:
        return _repeated(specs, results, settings.folds, held_out_ratio(folds))
    again = runner.rows(
        table,
        specs,
        further,
        config.model_copy(update={"evaluation": evaluation}),
        workers=runner.workers,
        cache_dir=runner.cache_dir,
        progress=runner.progress,
    )
    every = [[*first, *more] for first, more in zip(results, again, strict=True)]
    return _repeated(specs, every, settings.folds, held_out_ratio([*folds, *further]))


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


def _repeated(
    specs: Sequence[RowSpec], results: Sequence[Sequence[FoldResult]], folds: int, ratio: float
) -> Repeated:
    """results: of each row on each fold of each repeat. ratio: as of `held_out_ratio`, of all these folds."""
    values = [[result.c_index for result in of_row] for of_row in results]
    rows = [_row(spec.name, found, folds, ratio) for spec, found in zip(specs, values, strict=True)]
    compared = [
        _compared(
            (specs[pair.row].name, specs[pair.other].name), values[pair.row], values[pair.other], folds, ratio
        )
        for pair in pairs_of(specs)
        if pair.prespecified
    ]
    adjusted = holm([one.p_corrected for one in compared])
    return Repeated(
        rows, [one.model_copy(update={"p_adjusted": p}) for one, p in zip(compared, adjusted, strict=True)]
    )


@dataclass(frozen=True)
class _OverRepeats:
    """What the values of all folds of all repeats say: lists and means of each repeat, and over all."""

    repeats: list[list[float | None]]
    means: list[float | None]
    mean: float | None
    sd: float | None
    se_corrected: float | None
    p_corrected: float | None

    @classmethod
    def of(cls, values: Sequence[float | None], folds: int, ratio: float, *, null: float = CHANCE) -> _OverRepeats:
        repeats = [list(values[start : start + folds]) for start in range(0, len(values), folds)]
        means = [fold_statistics(repeat, held_out_ratio=ratio).mean for repeat in repeats]
        known = np.array([mean for mean in means if mean is not None], dtype=np.float64)
        every = fold_statistics(values, held_out_ratio=ratio, null=null)
        usable = sum(value is not None for value in values)
        return cls(
            repeats,
            means,
            float(known.mean()) if len(known) else None,
            float(known.std(ddof=1)) if len(known) > 1 else None,
            None if every.se is None else corrected_se(every.se, folds=usable, held_out_ratio=ratio),
            every.p_corrected,
        )


def _row(name: str, values: Sequence[float | None], folds: int, ratio: float) -> RepeatedRow:
    found = _OverRepeats.of(values, folds, ratio)
    return RepeatedRow(
        row=name,
        c_index=found.repeats,
        means=found.means,
        mean=found.mean,
        sd=found.sd,
        se_corrected=found.se_corrected,
        p_corrected=found.p_corrected,
    )


def _compared(
    names: tuple[str, str],
    values: Sequence[float | None],
    others: Sequence[float | None],
    folds: int,
    ratio: float,
) -> RepeatedComparison:
    pairs = zip(values, others, strict=True)
    found = _OverRepeats.of([None if a is None or b is None else a - b for a, b in pairs], folds, ratio, null=0)
    return RepeatedComparison(
        row=names[0],
        other=names[1],
        differences=found.means,
        mean=found.mean,
        sd=found.sd,
        se_corrected=found.se_corrected,
        p_corrected=found.p_corrected,
        p_adjusted=None,
    )
