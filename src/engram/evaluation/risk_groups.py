"""Patients of least and of most predicted risk, and how they fared (paper 2.4.3, Figure 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.results import Curve, RiskGroups
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import kaplan_meier, logrank_p, numbers_at_risk
from engram.survival.splits import Fold

RiskArray = npt.NDArray[np.float64]

LOWEST, HIGHEST = "Low risk", "High risk"
_STEPS_MONTHS = (1, 2, 3, 6, 12, 24, 36, 60, 120, 240)
_MOST_TICKS = 9


@dataclass(frozen=True)
class PooledRisks:
    """Out-of-fold risks of all patients on one scale.

    standardised: (n,) test risks, each by mean and sd of the training risks of its fold.
    low, high: quartiles of the standardised training risks of all folds; no test risk enters them.
    """

    standardised: RiskArray
    low: float
    high: float


def pool_risks(results: Sequence[FoldResult], folds: Sequence[Fold]) -> PooledRisks:
    """Put the folds of one row together. A fold whose training risks are all equal is centred only."""
    standardised = np.zeros(sum(len(fold.test_index) for fold in folds))
    training = []
    for result, fold in zip(results, folds, strict=True):
        mean, sd = float(result.train_risk.mean()), float(result.train_risk.std(ddof=1)) or 1.0
        standardised[fold.test_index] = (result.test_risk - mean) / sd
        training.append((result.train_risk - mean) / sd)
    low, high = np.quantile(np.concatenate(training), [0.25, 0.75])
    return PooledRisks(standardised, float(low), float(high))


def risk_groups(row: str, pooled: PooledRisks, outcome: SurvivalOutcome) -> RiskGroups:
    """Curves of the patients at or below the first and above the third quartile of training risks, with numbers at
    risk and the log-rank p of the two.

    The quartiles are of training risks, so groups need not hold a quarter of the patients each, and may be empty.
    """
    ticks = ticks_months(float(outcome.time_months.max()))
    low = outcome.subset(np.flatnonzero(pooled.standardised <= pooled.low))
    high = outcome.subset(np.flatnonzero(pooled.standardised > pooled.high))
    curves = [_curve(LOWEST, low, ticks), _curve(HIGHEST, high, ticks)]
    between = len(outcome) - len(low) - len(high)
    return RiskGroups(row=row, curves=curves, between=between, ticks_months=ticks, logrank_p=logrank_p(low, high))


def ticks_months(longest: float) -> list[float]:
    """Times from 0 to the longest, in even steps of so many months that there are nine at most."""
    step = next((s for s in _STEPS_MONTHS if longest / s < _MOST_TICKS), _STEPS_MONTHS[-1])
    return [float(tick) for tick in np.arange(0, longest + 1e-9, step)]


def _curve(label: str, outcome: SurvivalOutcome, ticks: list[float]) -> Curve:
    n, events = len(outcome), int(outcome.event.sum())
    at_risk = numbers_at_risk(outcome, ticks).tolist()
    if n == 0:
        return Curve(label=label, n=0, events=0, time_months=[], survival=[], lower=[], upper=[], at_risk=at_risk)
    steps = kaplan_meier(outcome)
    return Curve(
        label=label,
        n=n,
        events=events,
        time_months=steps.time_months.tolist(),
        survival=steps.survival.tolist(),
        lower=steps.lower.tolist(),
        upper=steps.upper.tolist(),
        at_risk=at_risk,
    )
