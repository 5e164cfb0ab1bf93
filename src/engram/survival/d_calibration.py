"""D-calibration: whether predicted survival at the time of the event is spread evenly from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from engram.outcome import SurvivalOutcome

FloatArray = npt.NDArray[np.float64]

BINS = 10


@dataclass(frozen=True)
class DCalibration:
    """shares: (10,) share of patients whose event fell where predicted survival was in 0 to 0.1, 0.1 to 0.2, ...;
    0.1 each is calibrated. statistic: chi-square against that; p: with 9 degrees of freedom, small where not."""

    shares: FloatArray
    statistic: float
    p: float


def d_calibration(survival_at_time: npt.ArrayLike, outcome: SurvivalOutcome) -> DCalibration:
    """Compare where events fell with where a calibrated model would have them.

    survival_at_time: (n,) predicted probability of being without event beyond each patient's own time. Whoever was
    censored at a survival of s will have the event somewhere below: he counts in the bin of s by what of it lies
    below s, and in each lower bin by its width, all divided by s. Cross-validated predictions share training
    patients, so p is approximate. Raises ValueError for no patients or values outside 0 to 1.
    Source: Haider, Hoehn, Davis, Greiner, JMLR 21 (2020) 85, section 3.5 and appendix B.
    """
    survival = np.asarray(survival_at_time, dtype=np.float64)
    if survival.shape != outcome.time.shape or not survival.size:
        raise ValueError(f"expected a survival for each of {len(outcome)} patients, got {survival.shape}")
    if not ((survival >= 0) & (survival <= 1)).all():
        raise ValueError("every predicted survival must lie between 0 and 1")
    counts = _events(survival[outcome.event]) + _censored(survival[~outcome.event])
    test = stats.chisquare(counts, np.full(BINS, survival.size / BINS))
    return DCalibration(counts / survival.size, float(test.statistic), float(test.pvalue))


def _bin(survival: FloatArray) -> npt.NDArray[np.intp]:
    """Bins hold their lower edge; the last holds 1, too."""
    return np.searchsorted(np.arange(1, BINS) / BINS, survival, side="right")


def _events(survival: FloatArray) -> FloatArray:
    return np.bincount(_bin(survival), minlength=BINS).astype(np.float64)


def _censored(survival: FloatArray) -> FloatArray:
    """The expected counts (10,) of censored patients. At a survival of 0 nothing lies below: the lowest bin."""
    edges = np.arange(BINS) / BINS
    below = (survival[:, None] - edges).clip(0, 1 / BINS)
    below[survival == 0, 0] = 1.0
    return np.asarray((below / below.sum(axis=1, keepdims=True)).sum(axis=0), dtype=np.float64)
