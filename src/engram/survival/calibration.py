"""Whether predicted probabilities come true at a horizon: the smoothed curve, its distances, and the slope."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning

from engram.outcome import SurvivalOutcome
from engram.survival.baseline import BreslowBaseline
from engram.survival.measure import Measure
from engram.survival.metrics import finite_risk

FloatArray = npt.NDArray[np.float64]

FEWEST_EVENTS = 10  # the smooth curve has two parameters, the slope one
_EDGE = 1e-10  # a probability of 0 or 1 has no complementary log-log
_KNOTS = (0.1, 0.5, 0.9)  # quantiles of the predictions
_POINTS = 100


@dataclass(frozen=True)
class CalibrationCurve:
    """Predicted against observed probability of the event by a horizon.

    ici: mean absolute distance between both over the patients, the integrated calibration index; e50: the median.
    Lower is better, 0 is perfect. predicted, observed: the curve as points, empty where it could not be fitted.
    """

    ici: Measure
    e50: Measure
    predicted: FloatArray
    observed: FloatArray

    @classmethod
    def absent(cls, reason: str) -> CalibrationCurve:
        """No curve, and why."""
        return cls(Measure.absent(reason), Measure.absent(reason), np.empty(0), np.empty(0))


def calibration_curve(event_by: npt.ArrayLike, outcome: SurvivalOutcome, horizon_months: float) -> CalibrationCurve:
    """Smooth the outcomes of patients over their predicted probabilities and compare.

    event_by: (n,) predicted probability of the event by the horizon. The observed one is that of a Cox regression
    of the outcomes on a restricted cubic spline of log(-log(1 - p)) with three knots, the published method. Own
    lines: `lifelines.calibration` fits another spline whose search can stop far from the optimum without a word
    (0.4 off, on 65 patients), takes fitted models of lifelines only, prints and draws. Absent for fewer than 10
    events, nobody followed beyond the horizon, equal probabilities, or a fit that fails. Raises ValueError for
    probabilities outside 0 to 1 or of another length.
    Source: Austin, Harrell, van Klaveren, Statistics in Medicine 39 (2020) 2714, section 2.2.
    """
    predicted = finite_risk(event_by, outcome)
    if predicted.size and not (predicted.min() >= 0 and predicted.max() <= 1):
        raise ValueError("every predicted probability must lie between 0 and 1")
    predicted = predicted.clip(_EDGE, 1 - _EDGE)
    reason = _too_little(predicted, outcome, horizon_months)
    if reason:
        return CalibrationCurve.absent(reason)
    shown = np.linspace(float(np.quantile(predicted, 0.01)), float(np.quantile(predicted, 0.99)), _POINTS)
    try:
        observed = _smoothed(predicted, outcome, horizon_months, np.r_[predicted, shown])
    except (ConvergenceError, ConvergenceWarning):
        return CalibrationCurve.absent("the smooth curve of observed against predicted did not converge")
    distance = np.abs(observed[: len(predicted)] - predicted)
    ici, e50 = Measure(float(distance.mean())), Measure(float(np.median(distance)))
    return CalibrationCurve(ici, e50, shown, observed[len(predicted) :])


def _too_little(predicted: FloatArray, outcome: SurvivalOutcome, horizon_months: float) -> str:
    events = int(outcome.event.sum())
    if events < FEWEST_EVENTS:
        return f"{events} events, and a calibration curve needs {FEWEST_EVENTS}"
    if not (outcome.time_months > horizon_months).any():
        return f"nobody was followed beyond {horizon_months:g} months"
    return "all predicted probabilities are equal" if predicted.min() == predicted.max() else ""


def _smoothed(predicted: FloatArray, outcome: SurvivalOutcome, horizon_months: float, at: FloatArray) -> FloatArray:
    """The observed probability of the event by the horizon (k,) of patients with predicted ones `at`."""
    x = _cloglog(predicted)
    knots = _knots(x)
    columns = _restricted_spline(x, knots)
    center, spread = columns.mean(axis=0), columns.std(axis=0)
    scaled = (columns - center) / spread
    coefficients = _cox(pd.DataFrame(scaled), outcome).params_.to_numpy(dtype=np.float64)
    baseline = BreslowBaseline.of(scaled @ coefficients, outcome)
    risk = (_restricted_spline(_cloglog(at), knots) - center) / spread @ coefficients
    return 1 - baseline.survival(risk, [horizon_months])[:, 0]


def _knots(x: FloatArray) -> FloatArray | None:
    """Three knots (3,), or None where there are too few distinct values for a curve: then it is a straight line."""
    knots = np.quantile(x, _KNOTS)
    return knots if len(np.unique(x)) > 2 and knots[0] < knots[1] < knots[2] else None


def _restricted_spline(x: FloatArray, knots: FloatArray | None) -> FloatArray:
    """x (n,) and, where there are knots, its cubic term, linear beyond the outer ones: (n, 1 or 2).

    Source: Harrell, Regression Modeling Strategies, section 2.4.5.
    """
    if knots is None:
        return x[:, None]
    first, middle, last = knots
    cubes = [(x - knot).clip(min=0) ** 3 for knot in knots]
    bent = cubes[0] - cubes[1] * (last - first) / (last - middle) + cubes[2] * (middle - first) / (last - middle)
    return np.column_stack([x, bent / (last - first) ** 2])


def _cox(covariates: pd.DataFrame, outcome: SurvivalOutcome, strata: list[str] | None = None) -> CoxPHFitter:
    """A fitted Cox regression; a search that does not end well raises."""
    frame = covariates.assign(time=outcome.time_months, event=outcome.event)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        return CoxPHFitter().fit(frame, "time", "event", strata=strata)


def _cloglog(probability: FloatArray) -> FloatArray:
    return np.asarray(np.log(-np.log1p(-probability)), dtype=np.float64)


@dataclass(frozen=True)
class Slope:
    """The calibration slope with its 95 % limits, all absent together: 1 is calibrated, below 1 risks are too
    extreme (overfitted), above 1 too timid, and 0 says nothing of the outcome."""

    value: Measure
    lower: Measure
    upper: Measure

    @classmethod
    def absent(cls, reason: str) -> Slope:
        """No slope, and why."""
        return cls(*(Measure.absent(reason) for _ in range(3)))


def calibration_slope(risk: npt.ArrayLike, outcome: SurvivalOutcome, fold: npt.ArrayLike) -> Slope:
    """The coefficient of a Cox regression of the outcomes on out-of-fold log-risks.

    risk: (n,) log-risks. fold: (n,) of each patient; log-risks of two folds have different zeros, so each fold is a
    stratum with a baseline hazard of its own. Absent for fewer than 10 events, equal risks, or a fit that fails.
    Raises ValueError as `finite_risk`.
    Sources: van Houwelingen, Statistics in Medicine 19 (2000) 3401; Royston, Altman, BMC Medical Research
    Methodology 13 (2013) 33.
    """
    values, events = finite_risk(risk, outcome), int(outcome.event.sum())
    if events < FEWEST_EVENTS:
        return Slope.absent(f"{events} events, and a calibration slope needs {FEWEST_EVENTS}")
    frame = pd.DataFrame({"x": values, "fold": np.asarray(fold)})
    frame["x"] -= frame.groupby("fold")["x"].transform("mean")  # of no account, but it would upset the search
    if not (frame["x"] != 0).any():
        return Slope.absent("all log-risks of a fold are equal")
    try:
        fitted = _cox(frame, outcome, strata=["fold"])
    except (ConvergenceError, ConvergenceWarning):
        return Slope.absent("the Cox regression on the log-risks did not converge")
    lower, upper = fitted.confidence_intervals_.loc["x"]
    return Slope(*(Measure(float(number)) for number in (fitted.params_["x"], lower, upper)))
