"""Confidence intervals of the out-of-fold c-index: patients are resampled within their test fold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from engram.outcome import SurvivalOutcome

FloatArray = npt.NDArray[np.float64]

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """Both ends of a 95 % confidence interval."""

    lower: float
    upper: float


def c_index_interval(
    risks: Sequence[FloatArray], outcomes: Sequence[SurvivalOutcome], *, seed: int
) -> Interval | None:
    """The interval of the mean of Harrell's c over the test folds.

    risks, outcomes: of the test patients, one item a fold; a higher risk is worse. Models stay as they were fitted:
    the interval says how far the mean would move with other test patients, not with other training patients.
    Bias-corrected and accelerated, because c is bounded and skewed: Efron, J Am Stat Assoc 82 (1987) 171, by
    scipy.stats.bootstrap. None where a resample has a fold without a comparable pair, or all of them are equal.
    Raises ValueError where a fold has as many risks as not outcomes.
    """
    scores = [concordance(risk, outcome) for risk, outcome in zip(risks, outcomes, strict=True)]
    return _interval(scores, outcomes, seed)


def difference_interval(
    risks: Sequence[FloatArray], others: Sequence[FloatArray], outcomes: Sequence[SurvivalOutcome], *, seed: int
) -> Interval | None:
    """The interval of the mean over folds of c of `risks` minus c of `others`, for the same patients: both rows are
    resampled together. See `c_index_interval`.
    """
    scores = [
        concordance(risk, outcome) - concordance(other, outcome)
        for risk, other, outcome in zip(risks, others, outcomes, strict=True)
    ]
    return _interval(scores, outcomes, seed)


def comparable(outcome: SurvivalOutcome) -> FloatArray:
    """(n, n): 1 where the patient of the row had the event while the one of the column lived on, else 0."""
    earlier = outcome.time[:, None] < outcome.time[None, :]
    censored_then = (outcome.time[:, None] == outcome.time[None, :]) & ~outcome.event[None, :]
    return np.asarray(outcome.event[:, None] & (earlier | censored_then), dtype=np.float64)


def concordance(risk: npt.ArrayLike, outcome: SurvivalOutcome) -> FloatArray:
    """(n, n): of each comparable pair, 1 where the risk of the row is the higher, 0.5 where both are equal.

    Its sum over that of `comparable` is Harrell's c.
    """
    values = np.asarray(risk, dtype=np.float64)
    if values.shape != outcome.time.shape:
        raise ValueError(f"expected {len(outcome)} risks, got shape {values.shape}")
    order = (np.sign(values[:, None] - values[None, :]) + 1) / 2
    return np.asarray(comparable(outcome) * order, dtype=np.float64)


def _interval(scores: Sequence[FloatArray], outcomes: Sequence[SurvivalOutcome], seed: int) -> Interval | None:
    """Folds without a comparable pair have no c-index, and are left out here as they are of the mean."""
    pairs = [(score, comparable(outcome)) for score, outcome in zip(scores, outcomes, strict=True)]
    pairs = [(score, possible) for score, possible in pairs if possible.any()]
    if not pairs:
        return None

    def mean_c(*samples: npt.NDArray[np.intp], axis: int = -1) -> FloatArray:
        del axis  # always the last
        shares = [_share(sample, *pair) for sample, pair in zip(samples, pairs, strict=True)]
        return np.asarray(np.mean(shares, axis=0), dtype=np.float64)

    return resampled(mean_c, [len(score) for score, _ in pairs], seed=seed)


def resampled(statistic: Callable[..., FloatArray], sizes: Sequence[int], *, seed: int) -> Interval | None:
    """The interval (BCa) of a statistic whose patients are resampled within their fold.

    statistic: is given the positions of the patients drawn in each fold, each (..., m), and `axis`, the last one;
    gives one number a resample (...). sizes: patients of each fold. None where a resample gives no number, or all
    give the same.
    """
    patients = [np.arange(size) for size in sizes]
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            patients,
            statistic,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="BCa",
            vectorized=True,
            rng=np.random.default_rng(seed),
        ).confidence_interval
    lower, upper = float(found.low), float(found.high)
    return Interval(lower, upper) if np.isfinite([lower, upper]).all() else None


def _share(sample: npt.NDArray[np.intp], score: FloatArray, possible: FloatArray) -> FloatArray:
    """c of each resample (..., m) of a fold's n patients, NaN without a comparable pair.

    A patient who was drawn twice counts in twice the pairs, but is no pair with itself.
    """
    counts = _counts(sample, len(score))
    won, of = (((counts @ table) * counts).sum(axis=-1) for table in (score, possible))
    return np.asarray(won / of, dtype=np.float64)


def _counts(sample: npt.NDArray[np.intp], n: int) -> FloatArray:
    """How often each of n patients is in each resample: (..., m) to (..., n)."""
    flat = sample.reshape(-1, sample.shape[-1])
    shifted = flat + n * np.arange(len(flat))[:, None]
    counts = np.bincount(shifted.ravel(), minlength=n * len(flat))
    return counts.reshape(*sample.shape[:-1], n).astype(np.float64)
