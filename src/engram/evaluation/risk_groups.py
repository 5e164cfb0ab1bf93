"""Patients in quarters of predicted risk, and how they fared (paper 2.4.3, Figure 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.evaluation.cox import HazardRatio, hazard_ratio
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.held_out import held_out_patients, held_out_places
from engram.evaluation.logrank import corrected_p, permutation_p
from engram.evaluation.results import Curve, RiskGroups
from engram.evaluation.statistics import held_out_ratio
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import kaplan_meier, logrank_p, numbers_at_risk
from engram.survival.splits import Fold

RiskArray = npt.NDArray[np.float64]

QUARTILES = ("Q1, lowest risk", "Q2", "Q3", "Q4, highest risk")
_STEPS_MONTHS = (1, 2, 3, 6, 12, 24, 36, 60, 120, 240)
_MOST_TICKS = 9


@dataclass(frozen=True)
class PooledRisks:
    """Out-of-fold risks of the patients who test, on one scale.

    patients: (m,) their positions in the table, ascending. standardised: (m,) test risks, each by mean and sd of
    the training risks of its fold. quartile: (m,) 0 to 3, by the quartiles of the training risks of its fold: a
    model of another fold has seen the outcome of this patient, and has no say.
    """

    patients: npt.NDArray[np.intp]
    standardised: RiskArray
    quartile: npt.NDArray[np.intp]


def pool_risks(results: Sequence[FoldResult], folds: Sequence[Fold]) -> PooledRisks:
    """Put the folds of one row together."""
    patients, places = held_out_patients(folds), held_out_places(folds)
    scaled, quartile = np.zeros(len(patients)), np.zeros(len(patients), dtype=np.intp)
    for result, place in zip(results, places, strict=True):
        scaled[place] = standardised(result)
        quartile[place] = quartile_of(result.test_risk, result.train_risk)
    return PooledRisks(patients, scaled, quartile)


def standardised(result: FoldResult) -> RiskArray:
    """Test risks of a fold (m,) by mean and standard deviation of its training risks; centred only where these are
    all equal."""
    mean, sd = float(result.train_risk.mean()), float(result.train_risk.std(ddof=1)) or 1.0
    return np.asarray((result.test_risk - mean) / sd, dtype=np.float64)


def quartile_of(risk: RiskArray, train_risk: RiskArray) -> npt.NDArray[np.intp]:
    """(m,): 0 for a risk at or below the first quartile of the training risks, to 3 for one above the third."""
    return np.searchsorted(np.quantile(train_risk, [0.25, 0.5, 0.75]), risk, side="left")


def risk_groups(
    row: str, pooled: PooledRisks, outcome: SurvivalOutcome, folds: Sequence[Fold], *, seed: int
) -> RiskGroups:
    """The curve of each quarter of risk with numbers at risk; of the last against the first, the log-rank p as the
    paper has it, its p by permutation within the test folds, the p that allows for folds that share training
    patients, and the hazard ratio within test folds.

    outcome: of all patients of the table; those who never test are in no group. The cut-points of a fold
    are of its training risks, so groups need not hold a quarter of the patients each, and may be empty.
    """
    outcome, places = outcome.subset(pooled.patients), held_out_places(folds)
    ticks = ticks_months(float(outcome.time_months.max()))
    groups = [pooled.quartile == number for number in range(len(QUARTILES))]
    of_group = [outcome.subset(np.flatnonzero(group)) for group in groups]
    low, high = groups[0], groups[-1]
    ratio = _hazard_ratio(low, high, outcome, places)
    return RiskGroups(
        row=row,
        curves=[_curve(label, group, ticks) for label, group in zip(QUARTILES, of_group, strict=True)],
        ticks_months=ticks,
        logrank_p=logrank_p(of_group[0], of_group[-1]),
        permutation_p=permutation_p(low, high, outcome, places, seed=seed),
        corrected_p=corrected_p(low, high, outcome, places, held_out_ratio=held_out_ratio(folds)),
        hazard_ratio=None if ratio is None else ratio.ratio,
        hr_lower=None if ratio is None else ratio.lower,
        hr_upper=None if ratio is None else ratio.upper,
    )


def _hazard_ratio(
    low: npt.NDArray[np.bool_],
    high: npt.NDArray[np.bool_],
    outcome: SurvivalOutcome,
    places: Sequence[npt.NDArray[np.intp]],
) -> HazardRatio | None:
    chosen = np.flatnonzero(low | high)
    fold_of = np.zeros(len(outcome), dtype=np.intp)
    for number, place in enumerate(places):
        fold_of[place] = number
    return hazard_ratio(high[chosen], outcome.subset(chosen), fold_of[chosen])


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
