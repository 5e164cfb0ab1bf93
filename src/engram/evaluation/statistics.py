"""Mean, standard error and p over folds, in the form of the paper (2.4.3; Tables 1 to 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CHANCE = 0.5  # the c-index of a random model


@dataclass(frozen=True)
class FoldStatistics:
    """mean, se = sd / sqrt(folds), and the one-sided p of mean > 0.5; None where the folds allow none."""

    mean: float | None
    se: float | None
    p: float | None


def fold_statistics(c_index: Sequence[float | None]) -> FoldStatistics:
    """Statistics over the folds that have a c-index: no mean without one, no se and p with fewer than two."""
    usable = np.array([value for value in c_index if value is not None], dtype=np.float64)
    if not usable.size:
        return FoldStatistics(None, None, None)
    mean = float(usable.mean())
    if usable.size < 2:
        return FoldStatistics(mean, None, None)
    se = float(usable.std(ddof=1) / math.sqrt(usable.size))
    return FoldStatistics(mean, se, one_sided_p(mean, se, folds=int(usable.size)))


def one_sided_p(mean: float, se: float, *, folds: int) -> float | None:
    """p of a one-sample t-test of mean > 0.5 with folds - 1 degrees of freedom; None where se is 0.

    One-sided because all p-values that the paper prints are; folds share training patients, so it is optimistic.
    Raises ValueError for fewer than two folds.
    """
    if folds < 2:
        raise ValueError(f"{folds} fold(s): a t-test needs two")
    if se == 0:
        return None
    return float(stats.t.sf((mean - CHANCE) / se, df=folds - 1))
