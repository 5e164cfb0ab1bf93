"""Overall accuracy of predicted survival: Brier score, its integral, and the gain over no covariates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engram.outcome import SurvivalOutcome
from engram.survival.censoring import Censoring
from engram.survival.measure import Measure
from engram.survival.metrics import kaplan_meier

FloatArray = npt.NDArray[np.float64]


def brier_scores(
    survival: FloatArray, outcome: SurvivalOutcome, censoring: Censoring, times_months: npt.ArrayLike
) -> FloatArray:
    """The Brier score (k,) at each time: mean squared error of predicted survival, weighted for censoring.

    survival: (n, k) predicted probability of being without event beyond each time. times_months: (k,), before the
    horizon. Lower is better: 0 is perfect, 0.25 is what 0.5 for everybody gives. Whoever had the event counts
    1 / G(own time), whoever is without it 1 / G(t), whoever was censored before 0; G of the training patients.
    Raises ValueError for another shape, no patients, probabilities outside 0 to 1, or times as in `Censoring.at`.
    Source: Graf, Schmoor, Sauerbrei, Schumacher, Statistics in Medicine 18 (1999) 2529.
    """
    times = np.asarray(times_months, dtype=np.float64)
    if len(outcome) == 0 or survival.shape != (len(outcome), times.size):
        raise ValueError(f"expected survival ({len(outcome)}, {times.size}) of patients, got {survival.shape}")
    if not ((survival >= 0) & (survival <= 1)).all():
        raise ValueError("every predicted survival must lie between 0 and 1")
    time = outcome.time_months
    had = outcome.event[:, None] & (time[:, None] <= times)
    without = (time[:, None] > times) / censoring.at(times)
    # Events at or beyond the horizon are cases at no time before it: their weight is never used.
    own = np.zeros(len(outcome))
    near = time < censoring.tau_months
    own[near] = 1 / censoring.at(time[near])
    return np.asarray((had * own[:, None] * survival**2 + without * (1 - survival) ** 2).mean(axis=0))


def brier_grid(censoring: Censoring, points: int = 100) -> FloatArray:
    """Evenly spaced times (points,) in months from 0 up to, not including, the horizon."""
    return np.linspace(0, censoring.tau_months, points, endpoint=False)


def integrated_brier(scores: FloatArray, times_months: FloatArray) -> float:
    """The mean of the Brier score over time (trapezoids); lower is better. Raises ValueError for fewer than two."""
    if scores.shape != times_months.shape or len(scores) < 2:
        raise ValueError(f"expected two scores or more with their times, got {scores.shape}, {times_months.shape}")
    return float(np.trapezoid(scores, times_months) / (times_months[-1] - times_months[0]))


def training_curve(training: SurvivalOutcome, times_months: FloatArray, n: int) -> FloatArray:
    """What a model without covariates predicts (n, k): the training patients' Kaplan-Meier curve for everybody."""
    return np.tile(kaplan_meier(training).at(times_months), (n, 1))


def accuracy_gain(ibs: float, ibs_without_covariates: float) -> Measure:
    """IPA, the index of prediction accuracy: 1 - IBS / IBS of the training Kaplan-Meier curve.

    Higher is better: 0 is no gain, below 0 is worse than no model, 1 is perfect. Absent where that curve makes no
    error. Source: Kattan, Gerds, Diagnostic and Prognostic Research 2 (2018) 7.
    """
    if ibs_without_covariates == 0:
        return Measure.absent("the curve of the training patients predicts the test patients without error")
    return Measure(1 - ibs / ibs_without_covariates)
