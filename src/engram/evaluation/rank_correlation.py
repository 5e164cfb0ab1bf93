"""Spearman's rank correlation within test folds: what another model made is on another scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from engram.evaluation.bootstrap import Interval, resampled

FloatArray = npt.NDArray[np.float64]

_LEAST = 3  # patients of a fold: two always lie on a line


@dataclass(frozen=True)
class RankCorrelation:
    """mean: of the folds' correlations, -1 to 1, None where no fold has one; interval: 95 %, of that mean."""

    mean: float | None
    interval: Interval | None


def rank_correlation(ones: Sequence[FloatArray], others: Sequence[FloatArray], *, seed: int) -> RankCorrelation:
    """Of two numbers of each test patient, one item a fold; the interval is of patients resampled in their fold.

    Folds of fewer than three patients, or in which either number is the same for all, have no correlation and are
    left out. Raises ValueError where a fold has as many of one as not of the other.
    """
    pairs = [(x, y) for x, y in zip(ones, others, strict=True) if _varies(x) and _varies(y)]
    if any(x.shape != y.shape for x, y in zip(ones, others, strict=True)):
        raise ValueError(
            f"{[len(x) for x in ones]} and {[len(y) for y in others]} numbers are not of the same folds"
        )
    if not pairs:
        return RankCorrelation(None, None)

    def mean(*samples: npt.NDArray[np.intp], axis: int = -1) -> FloatArray:
        del axis  # always the last
        found = [spearman(x[sample], y[sample]) for sample, (x, y) in zip(samples, pairs, strict=True)]
        return np.asarray(np.mean(found, axis=0), dtype=np.float64)

    whole = float(mean(*(np.arange(len(x)) for x, _ in pairs)))
    return RankCorrelation(whole, resampled(mean, [len(x) for x, _ in pairs], seed=seed))


def spearman(x: FloatArray, y: FloatArray) -> FloatArray:
    """Of each line (..., m): the correlation of mean ranks; NaN where either is constant."""
    ranks = [stats.rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2 for values in (x, y)]
    squares = [(rank * rank).sum(axis=-1) for rank in ranks]
    with np.errstate(invalid="ignore"):
        return np.asarray((ranks[0] * ranks[1]).sum(axis=-1) / np.sqrt(squares[0] * squares[1]), dtype=np.float64)


def _varies(values: FloatArray) -> bool:
    return len(values) >= _LEAST and bool(np.ptp(values) > 0)
