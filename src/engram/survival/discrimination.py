"""Discrimination that does not depend on how long patients were followed: Uno's c and the time-dependent AUC.

Own lines and no library: scikit-survival is GPL, and torchsurv weighs by 0, in silence, where G is 0. Both are the
references of the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.outcome import SurvivalOutcome
from engram.survival.censoring import Censoring
from engram.survival.measure import Measure
from engram.survival.metrics import finite_risk, kaplan_meier

FloatArray = npt.NDArray[np.float64]


def uno_c(risk: npt.ArrayLike, outcome: SurvivalOutcome, censoring: Censoring) -> Measure:
    """Uno's c: Harrell's, each pair weighted by 1 / G(time of the first event)^2, of events before the horizon.

    risk: (n,), higher is worse; equal risks count half. 0.5 is chance, and 1 a perfect order. censoring: of the
    training patients. Absent where no pair is comparable before the horizon. Raises ValueError as `finite_risk`.
    Source: Uno, Cai, Pencina, D'Agostino, Wei, Statistics in Medicine 30 (2011) 1105.
    """
    values, time = finite_risk(risk, outcome), outcome.time_months
    cases = np.flatnonzero(outcome.event & (time < censoring.tau_months))
    concordant = pairs = 0.0
    for case, weight in zip(cases, censoring.at(time[cases]) ** -2.0, strict=True):
        later = (time > time[case]) | ((time == time[case]) & ~outcome.event)
        below, same = values[later] < values[case], values[later] == values[case]
        concordant += weight * (below.sum() + 0.5 * same.sum())
        pairs += weight * later.sum()
    if pairs == 0:
        return Measure.absent(f"no comparable pair with an event before {censoring.tau_months:.1f} months")
    return Measure(float(concordant / pairs))


@dataclass(frozen=True)
class DynamicAuc:
    """at: the AUC at each time. mean: theirs, weighted by the share of events that fall into each interval."""

    at: tuple[Measure, ...]
    mean: Measure


def dynamic_auc(
    risk: npt.ArrayLike, outcome: SurvivalOutcome, censoring: Censoring, times_months: Sequence[float]
) -> DynamicAuc:
    """Cumulative / dynamic AUC: whether those with the event by a time had higher risks than those without.

    risk: (n,), higher is worse; equal risks count half. times_months: ascending, before the horizon. 0.5 is chance.
    Cases are weighted by 1 / G(their time), G of the training patients. Absent where there is no case or no
    control; the mean is absent where an AUC is. Raises ValueError as `finite_risk` and `Censoring.at`.
    Sources: Uno, Cai, Tian, Wei, JASA 102 (2007) 527; the mean: Lambert, Chevret, Statistical Methods in Medical
    Research 25 (2016) 2088.
    """
    values = finite_risk(risk, outcome)
    times = np.asarray(times_months, dtype=np.float64)
    censoring.at(times)  # refuses times that the weights cannot reach
    found = tuple(_auc(values, outcome, censoring, float(time)) for time in times)
    known = [measure.value for measure in found if measure.value is not None]
    if not known or len(known) < len(found):
        reason = "; ".join(measure.reason for measure in found if measure.reason) or "no times were asked for"
        return DynamicAuc(found, Measure.absent(reason))
    share_of_events = -np.diff(np.r_[1.0, kaplan_meier(outcome).at(times)])
    return DynamicAuc(found, Measure(float(np.average(known, weights=share_of_events))))


def _auc(risk: FloatArray, outcome: SurvivalOutcome, censoring: Censoring, at_months: float) -> Measure:
    time = outcome.time_months
    case, control = outcome.event & (time <= at_months), np.sort(risk[time > at_months])
    if not case.any():
        return Measure.absent(f"no event by {at_months:g} months")
    if not control.size:
        return Measure.absent(f"nobody followed beyond {at_months:g} months")
    below, up_to = (np.searchsorted(control, risk[case], side=side) for side in ("left", "right"))
    return Measure(float(np.average((below + up_to) / (2 * control.size), weights=1 / censoring.at(time[case]))))
