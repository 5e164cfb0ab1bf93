"""The log-rank test of risk groups against chance: patients of a test fold swap their groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

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


def logrank_chi_square(low: BoolArray, high: BoolArray, outcome: SurvivalOutcome) -> FloatArray:
    """Chi-square of the log-rank test between two groups, for many groupings at once: (..., n) to (...).

    NaN where no event happens while both groups are at risk. (lifelines has it for one grouping at a time.)
    """
    order = np.argsort(outcome.time, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(outcome.time[order]) > 0])
    event = outcome.event[order]
    groups = [np.asarray(group[..., order], dtype=np.float64) for group in (low, high)]
    at_risk = [np.flip(np.cumsum(np.flip(group, -1), -1), -1)[..., first] for group in groups]
    died = [np.add.reduceat(group * event, first, axis=-1) for group in groups]
    return _chi_square(at_risk[0] + at_risk[1], at_risk[1], died[0] + died[1], died[1])


def _chi_square(n: FloatArray, n_high: FloatArray, d: FloatArray, d_high: FloatArray) -> FloatArray:
    """From counts at each time (..., times): at risk and with the event, in both groups and in the higher."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(n > 0, n_high / n, 0.0)
        variance = np.where(n > 1, d * share * (1 - share) * (n - d) / (n - 1), 0.0).sum(axis=-1)
        excess = (d_high - d * share).sum(axis=-1)
        return np.asarray(np.where(variance > 0, excess**2 / variance, np.nan), dtype=np.float64)
