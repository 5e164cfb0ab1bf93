"""Plain Cox regressions that describe a cohort: likelihood ratios, hazard ratios, proportional hazards."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning
from lifelines.statistics import proportional_hazard_test
from scipy import stats

from engram.outcome import SurvivalOutcome

FloatArray = npt.NDArray[np.float64]

_TIME, _EVENT, _STRATUM = "_time", "_event", "_stratum"


@dataclass(frozen=True)
class LikelihoodRatio:
    """chi_square with `parameters` degrees of freedom, and its p."""

    chi_square: float
    parameters: int
    p: float


@dataclass(frozen=True)
class HazardRatio:
    """The hazard of one group over that of the other, with its 95 % confidence interval (Wald)."""

    ratio: float
    lower: float
    upper: float


def likelihood_ratio(
    added: pd.DataFrame, outcome: SurvivalOutcome, *, beside: pd.DataFrame | None = None
) -> LikelihoodRatio | None:
    """What columns add to a Cox model of others: twice the gain in log partial likelihood. Efron ties.

    added, beside: (n, p) finite columns, none of which is a sum of others; without `beside`, against no columns.
    None where a fit fails: too few events, or columns that tell who had the event perfectly.
    """
    base = 0 if beside is None else beside.shape[1]
    whole = added if beside is None else pd.concat([beside, added], axis=1)
    fitted = fit_cox(whole, outcome)
    before = _null_likelihood(fitted) if beside is None or fitted is None else _likelihood(fit_cox(beside, outcome))
    after = _likelihood(fitted)
    if before is None or after is None:
        return None
    chi_square, parameters = max(0.0, 2 * (after - before)), whole.shape[1] - base
    return LikelihoodRatio(chi_square, parameters, float(stats.chi2.sf(chi_square, parameters)))


def hazard_ratio(
    high: npt.NDArray[np.bool_], outcome: SurvivalOutcome, strata: npt.ArrayLike
) -> HazardRatio | None:
    """The hazard of the patients in `high` (n,) over that of the others, each compared within a stratum only.

    None where either group has no event, the fit fails, or the data set no bound to the ratio, as where the groups
    meet in no stratum.
    """
    if not outcome.event[high].any() or not outcome.event[~high].any():
        return None
    fitted = fit_cox(pd.DataFrame({"high": high.astype(np.float64)}), outcome, strata=np.asarray(strata))
    if fitted is None:
        return None
    logs = np.array([fitted.params_["high"], *fitted.confidence_intervals_.loc["high"]], dtype=np.float64)
    with np.errstate(over="ignore"):
        found = HazardRatio(*np.exp(logs).tolist())
    return found if math.isfinite(found.upper) else None


def proportional_hazards_p(columns: pd.DataFrame, outcome: SurvivalOutcome) -> dict[str, float] | None:
    """p of each column's proportional hazards in the Cox model of all: scaled Schoenfeld residuals against the
    Kaplan-Meier transform of time, a small p speaking against.

    Grambsch and Therneau, Biometrika 81 (1994) 515, by lifelines. None where the fit fails.
    """
    fitted = fit_cox(columns, outcome)
    if fitted is None:
        return None
    test = proportional_hazard_test(fitted, _frame(columns, outcome, None), time_transform="km")
    return {name: float(p) for name, p in zip(columns.columns, np.atleast_1d(test.p_value), strict=True)}


def independent_columns(columns: pd.DataFrame) -> pd.DataFrame:
    """The columns, in their order, less those that are constant or a sum of ones before them: what a Cox model
    without a penalty can tell apart."""
    values = columns.to_numpy(dtype=np.float64)
    centred, kept = values - values.mean(axis=0), list[int]()
    for number in range(values.shape[1]):
        if np.linalg.matrix_rank(centred[:, [*kept, number]]) > len(kept):
            kept.append(number)
    return columns.iloc[:, kept]


def fit_cox(
    columns: pd.DataFrame, outcome: SurvivalOutcome, *, strata: npt.NDArray[np.generic] | None = None
) -> CoxPHFitter | None:
    """Cox regression without a penalty, Efron ties; None where there is nothing to fit or it does not converge."""
    if columns.shape[1] == 0 or not outcome.event.any():
        return None
    fitter = CoxPHFitter()
    try:
        with warnings.catch_warnings():
            # lifelines guesses at trouble from the look of the data, and says for certain when it has come; a fit
            # that runs away overflows before that.
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.filterwarnings("error", "(?s).*Newton-Raphson", ConvergenceWarning)
            frame = _frame(columns, outcome, strata)
            fitter.fit(frame, _TIME, _EVENT, strata=None if strata is None else [_STRATUM])
    except (ConvergenceError, ConvergenceWarning):
        return None
    return fitter


def _frame(columns: pd.DataFrame, outcome: SurvivalOutcome, strata: npt.NDArray[np.generic] | None) -> pd.DataFrame:
    frame = columns.reset_index(drop=True).assign(**{_TIME: outcome.time, _EVENT: outcome.event})
    return frame if strata is None else frame.assign(**{_STRATUM: strata})


def _likelihood(fitted: CoxPHFitter | None) -> float | None:
    return None if fitted is None else float(fitted.log_likelihood_)


def _null_likelihood(fitted: CoxPHFitter | None) -> float | None:
    if fitted is None:
        return None
    return float(fitted.log_likelihood_) - float(fitted.log_likelihood_ratio_test().test_statistic) / 2
