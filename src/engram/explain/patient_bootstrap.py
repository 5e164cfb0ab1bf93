"""Intervals over patients of what was measured on each patient's map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from engram.evaluation.bootstrap import CONFIDENCE, RESAMPLES

FloatArray = npt.NDArray[np.float64]
FEWEST_PATIENTS = 10  # below it, resamples of so few patients tell less than the patients themselves


@dataclass(frozen=True)
class Estimate:
    """A number of the cohort and both ends of its 95 % interval; None where there is none."""

    value: float | None
    lower: float | None = None
    upper: float | None = None


def mean_of(values: FloatArray, *, seed: int) -> Estimate:
    """The mean over patients (n,)."""
    return _estimate((values,), np.mean, seed)


def ratio_of(values: FloatArray, others: FloatArray, *, seed: int) -> Estimate:
    """The mean of `values` over that of `others`, patients (n,) being resampled with both.

    Not the mean of the patients' ratios, which one patient with a sliver of a part would rule.
    """
    return _estimate((values, others), _ratio, seed)


def _ratio(values: FloatArray, others: FloatArray, axis: int = -1) -> FloatArray:
    return np.asarray(np.mean(values, axis=axis) / np.mean(others, axis=axis))


def _estimate(samples: tuple[FloatArray, ...], statistic: Callable[..., FloatArray], seed: int) -> Estimate:
    """Percentile bootstrap of patients; no interval of fewer than 10 of them."""
    patients = len(samples[0])
    if not patients:
        return Estimate(None)
    value = float(statistic(*samples, axis=-1))
    if patients < FEWEST_PATIENTS:
        return Estimate(value)
    found = stats.bootstrap(
        samples,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(value, float(found.low), float(found.high))
