"""Decision curves: what acting on a predicted probability is worth, against acting on everybody or nobody."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engram.outcome import SurvivalOutcome
from engram.survival.measure import Measure
from engram.survival.metrics import finite_risk, kaplan_meier


def net_benefit(
    event_by: npt.ArrayLike, outcome: SurvivalOutcome, horizon_months: float, thresholds: Sequence[float]
) -> list[Measure]:
    """Net benefit of treating those whose probability reaches a threshold, for each threshold: true positives less
    weighted false ones, per patient; higher is better, and nobody treated gives 0.

    event_by: (n,) predicted probability of the event by the horizon; 1 for everybody is "treat all". thresholds:
    above 0 and below 1; a false positive costs threshold / (1 - threshold). How many of the treated have the event
    by then is their Kaplan-Meier estimate. Own lines: dcurves says NaN where none of the treated was followed to
    the horizon, even where all of them are known to have had the event; here the measure is absent, but then known.
    Raises ValueError as `finite_risk`, or for other thresholds.
    Sources: Vickers, Elkin, Med. Decis. Making 26 (2006) 565; censoring: Vickers et al., BMC Med. Inform. Decis.
    Mak. 8 (2008) 53.
    """
    predicted = finite_risk(event_by, outcome)
    if not all(0 < threshold < 1 for threshold in thresholds):
        raise ValueError(f"threshold probabilities lie between 0 and 1, got {list(thresholds)}")
    highest_first = np.argsort(-predicted, kind="stable")
    treated = [int((predicted >= threshold).sum()) for threshold in thresholds]
    # Groups are nested: equal sizes are equal groups, whose curve is drawn once.
    curves = {n: _event_free(outcome.subset(highest_first[:n]), horizon_months) for n in set(treated) if n}
    return [
        _benefit(n / len(outcome), curves[n], threshold) if n else Measure(0.0)
        for n, threshold in zip(treated, thresholds, strict=True)
    ]


def _event_free(treated: SurvivalOutcome, horizon_months: float) -> Measure:
    """The share of the treated that is event-free at the horizon."""
    curve = kaplan_meier(treated)
    if curve.time_months[-1] < horizon_months and curve.survival[-1] > 0:
        return Measure.absent(f"none of the {len(treated)} treated was followed to {horizon_months:g} months")
    return Measure(float(curve.at(horizon_months)))


def _benefit(share: float, event_free: Measure, threshold: float) -> Measure:
    if event_free.value is None:
        return event_free
    return Measure(share * ((1 - event_free.value) - event_free.value * threshold / (1 - threshold)))
