"""How well risks rank patients, and how groups of patients fare; thin over lifelines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from lifelines.utils import concordance_index

from engram.outcome import SurvivalOutcome

FloatArray = npt.NDArray[np.float64]


def finite_risk(risk: npt.ArrayLike, outcome: SurvivalOutcome) -> FloatArray:
    """The risks (n,). Raises ValueError where they are not finite or not as many as the outcomes."""
    values = np.asarray(risk, dtype=np.float64)
    if values.shape != outcome.time.shape or not np.isfinite(values).all():
        raise ValueError(f"expected {len(outcome)} finite risks, got shape {values.shape}")
    return values


def harrell_c(risk: npt.ArrayLike, outcome: SurvivalOutcome) -> float | None:
    """Harrell's c-index: the share of comparable pairs in which the one at higher risk had the event first.

    risk: (n,), higher is worse; equal risks count half. A pair is comparable where the one of shorter time had the
    event (one censored at that very time outlived it). 0.5 is chance. None where no pair is comparable.
    Raises ValueError as `finite_risk`.
    """
    values = finite_risk(risk, outcome)
    if not _any_comparable(outcome):
        return None
    # lifelines scores survival, where higher is better: this is the one place that turns the sign.
    return float(concordance_index(outcome.time, -values, outcome.event))


def _any_comparable(outcome: SurvivalOutcome) -> bool:
    if not outcome.event.any():
        return False
    first = outcome.time[outcome.event].min()
    return bool(np.any((outcome.time > first) | ((outcome.time == first) & ~outcome.event)))


@dataclass(frozen=True)
class KaplanMeier:
    """A survival curve as steps: from each time (m,) on, the share that is event-free, with its 95 % interval.

    Starts at time 0 with 1. Times in months.
    """

    time_months: FloatArray
    survival: FloatArray
    lower: FloatArray
    upper: FloatArray

    def at(self, times_months: npt.ArrayLike) -> FloatArray:
        """The share that is event-free beyond each time, in the shape of the times; flat after the last step."""
        times = np.asarray(times_months, dtype=np.float64)
        return self.survival[np.searchsorted(self.time_months, times, side="right") - 1]


def kaplan_meier(outcome: SurvivalOutcome) -> KaplanMeier:
    """The Kaplan-Meier curve; its interval is the exponential Greenwood (log-log) one, as in lifelines.

    Where the curve has reached 0 that interval is not defined, and the bounds are those of the step before.
    Raises ValueError for no patients.
    """
    if len(outcome) == 0:
        raise ValueError("a curve of no patients")
    fitter = KaplanMeierFitter().fit(outcome.time_months, outcome.event)
    curve = fitter.survival_function_.iloc[:, 0]
    bounds = fitter.confidence_interval_.ffill()
    return KaplanMeier(
        curve.index.to_numpy(dtype=np.float64),
        curve.to_numpy(dtype=np.float64),
        bounds.iloc[:, 0].to_numpy(dtype=np.float64),
        bounds.iloc[:, 1].to_numpy(dtype=np.float64),
    )


def numbers_at_risk(outcome: SurvivalOutcome, ticks_months: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """How many patients have neither had the event nor been censored before each tick."""
    ticks = np.asarray(ticks_months, dtype=np.float64)
    return np.asarray((outcome.time_months[:, None] >= ticks[None, :]).sum(axis=0), dtype=np.intp)


def logrank_p(first: SurvivalOutcome, second: SurvivalOutcome) -> float | None:
    """Two-sided p of the log-rank test; None where a group is empty, nobody had an event, or it is not defined."""
    if not len(first) or not len(second) or not (first.event.any() or second.event.any()):
        return None
    if not _any_at_risk_together(first, second):
        return None
    test = logrank_test(first.time_months, second.time_months, first.event, second.event)
    return float(test.p_value)


def _any_at_risk_together(first: SurvivalOutcome, second: SurvivalOutcome) -> bool:
    events = np.concatenate([first.time_months[first.event], second.time_months[second.event]])
    return bool(events.min() <= min(first.time_months.max(), second.time_months.max()))
