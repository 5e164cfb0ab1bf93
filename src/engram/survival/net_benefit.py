"""Decision curves: what acting on a predicted probability is worth, against acting on everybody or nobody."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engram.outcome import SurvivalOutcome
from engram.survival.measure import Measure
from engram.survival.metrics import finite_risk, kaplan_meier


def net_benefit(
    event_by: npt.ArrayLike, outcome: SurvivalOutcome, horizon_months: float, threshold: float
) -> Measure:
    """Net benefit of treating those whose probability reaches the threshold: true positives less weighted false
    ones, per patient; higher is better, and nobody treated gives 0.

    event_by: (n,) predicted probability of the event by the horizon; 1 for everybody is "treat all". threshold:
    above 0 and below 1; a false positive costs threshold / (1 - threshold). How many of the treated have the event
    by then is their Kaplan-Meier estimate. Own lines: dcurves says NaN where none of the treated was followed to
    the horizon, even where all of them are known to have had the event; here the measure is absent, but then known.
    Raises ValueError as `finite_risk`, or for another threshold.
    Sources: Vickers, Elkin, Med. Decis. Making 26 (2006) 565; censoring: Vickers et al., BMC Med. Inform. Decis.
    Mak. 8 (2008) 53.
    """
    predicted = finite_risk(event_by, outcome)
    if not 0 < threshold < 1:
        raise ValueError(f"a threshold probability lies between 0 and 1, got {threshold}")
    treated = np.flatnonzero(predicted >= threshold)
    if not treated.size:
        return Measure(0.0)
    curve = kaplan_meier(outcome.subset(treated))
    if curve.time_months[-1] < horizon_months and curve.survival[-1] > 0:
        return Measure.absent(f"none of the {treated.size} treated was followed to {horizon_months:g} months")
    share, without = treated.size / len(outcome), float(curve.at(horizon_months))
    return Measure(share * ((1 - without) - without * threshold / (1 - threshold)))
