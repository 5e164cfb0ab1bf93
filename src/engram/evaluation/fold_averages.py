"""Several models as one number: averaged within each fold, then over folds (caption of the paper's Figure 6)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from engram.evaluation.results import RowResult


@dataclass(frozen=True)
class FoldAverage:
    """values: c-index of each test fold, averaged over the models that have one there, None where none has.

    mean and se (sd / sqrt(folds)): over the folds; None where there are none, or too few. models: how many rows.
    """

    models: int
    values: tuple[float | None, ...]
    mean: float | None
    se: float | None


def average_models(rows: Sequence[RowResult]) -> FoldAverage:
    """The rows, all of the same folds, as one. Raises ValueError where their folds differ in number."""
    values = tuple(_average(fold) for fold in zip(*(row.c_index for row in rows), strict=True))
    known = [value for value in values if value is not None]
    se = statistics.stdev(known) / len(known) ** 0.5 if len(known) > 1 else None
    return FoldAverage(len(rows), values, statistics.fmean(known) if known else None, se)


def _average(fold: Sequence[float | None]) -> float | None:
    known = [value for value in fold if value is not None]
    return statistics.fmean(known) if known else None
