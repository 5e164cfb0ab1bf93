"""The log-rank test of risk groups: by permutation within test folds, and as overlapping folds allow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engram.evaluation.statistics import fold_statistics
from engram.outcome import SurvivalOutcome

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.intp]

PERMUTATIONS = 2000
_BATCH = 200  # at once, which bounds the memory
_LAST_BITS = 1e-12  # by which equal chi-squares may differ, having been summed in another order


def permutation_p(
    low: BoolArray, high: BoolArray, outcome: SurvivalOutcome, folds: Sequence[IndexArray], *, seed: int
) -> float | None:
    """p of the log-rank test between `high` and `low`: the share of permutations with as large a chi-square.

    low, high: (n,), who is in which group; patients in neither swap too. folds: the test patients of each fold.
    Groups are exchanged within a fold only, for the risks of two folds come from two models. The data as they are
    count as one more, so p is never 0. None where the groups are never at risk together.

    The models stay as they were fitted, on patients who are tested in other folds: like the plain test, this one
    finds too much where there is nothing (benchmarks/false_positives.py).
    """
    rng = np.random.default_rng(seed)
    found = float(logrank_chi_square(low, high, outcome))
    if not np.isfinite(found):
        return None
    as_large = 1
    for _ in range(PERMUTATIONS // _BATCH):
        order = _permuted(len(outcome), folds, rng)
        chi_square = np.nan_to_num(logrank_chi_square(low[order], high[order], outcome))
        as_large += int((chi_square >= found * (1 - _LAST_BITS)).sum())
    return as_large / (1 + PERMUTATIONS)


def _permuted(n: int, folds: Sequence[IndexArray], rng: np.random.Generator) -> IndexArray:
    """(batch, n): whose group each patient gets, of those of the same test fold."""
    order = np.repeat(np.arange(n)[None, :], _BATCH, axis=0)
    for fold in folds:
        order[:, fold] = rng.permuted(np.repeat(fold[None, :], _BATCH, axis=0), axis=1)
    return order


def corrected_p(
    low: BoolArray, high: BoolArray, outcome: SurvivalOutcome, folds: Sequence[IndexArray], *, held_out_ratio: float
) -> float | None:
    """p of the corrected resampled t-test of the log hazard ratio of `high` against `low`, one a test fold.

    folds: the test patients of each.

    Peto's: (observed - expected) / variance of the log-rank test. Neither the pooled log-rank test nor its
    permutation allows for models that share training patients; this does, as for c-indices. None with fewer than
    two folds in which both groups are at risk together.
    """
    effects: list[float | None] = []
    for test in folds:
        excess, variance = _logrank(low[test], high[test], outcome.subset(test))
        effects.append(float(excess / variance) if variance > 0 else None)
    return fold_statistics(effects, held_out_ratio=held_out_ratio, null=0).p_corrected


def logrank_chi_square(low: BoolArray, high: BoolArray, outcome: SurvivalOutcome) -> FloatArray:
    """Chi-square of the log-rank test between two groups, for many groupings at once: (..., n) to (...).

    NaN where no event happens while both groups are at risk. (lifelines has it for one grouping at a time.)
    """
    excess, variance = _logrank(low, high, outcome)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(variance > 0, excess**2 / variance, np.nan), dtype=np.float64)


def _logrank(low: BoolArray, high: BoolArray, outcome: SurvivalOutcome) -> tuple[FloatArray, FloatArray]:
    """Events of `high` in excess of those expected, and their variance (hypergeometric): each (...)."""
    order = np.argsort(outcome.time, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(outcome.time[order]) > 0])
    event = outcome.event[order]
    groups = [np.asarray(group[..., order], dtype=np.float64) for group in (low, high)]
    at_risk = [np.flip(np.cumsum(np.flip(group, -1), -1), -1)[..., first] for group in groups]
    died = [np.add.reduceat(group * event, first, axis=-1) for group in groups]
    n, d = at_risk[0] + at_risk[1], died[0] + died[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(n > 0, at_risk[1] / n, 0.0)
        variance = np.where(n > 1, d * share * (1 - share) * (n - d) / (n - 1), 0.0).sum(axis=-1)
    return (died[1] - d * share).sum(axis=-1), variance
