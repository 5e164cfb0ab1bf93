"""Ridge-penalised Cox regression (paper 2.4.2), thin over lifelines."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning

from engram.errors import CohortError
from engram.outcome import SurvivalOutcome

FloatArray = npt.NDArray[np.floating]

# Other warnings of lifelines guess at trouble from the look of the data; with a penalty it mostly does not come.
_FIRST_STEPS = (0.95, 0.5, 0.1)  # lifelines' own, then smaller
_FAILURES = ("Newton-Raphson", "log-likelihood is getting suspiciously")


class RidgeCox:
    """Cox regression with penalty / 2 * ||b||^2 per patient, of standardised columns; Efron ties.

    Deterministic. coefficients: (d,) after `fit`, per unit of each column.
    """

    def __init__(self, penalty: float) -> None:
        self.penalty = penalty
        self.coefficients: npt.NDArray[np.float64] | None = None

    def fit(self, X: FloatArray, y: npt.NDArray[np.void]) -> RidgeCox:
        """X: (n, d) finite, no constant column; y: structured (event, time).

        Raises CohortError where nobody had the event, or where the fit did not converge.
        """
        outcome = SurvivalOutcome.from_structured(y)
        if X.ndim != 2 or X.shape[1] == 0 or len(X) != len(outcome):
            raise ValueError(f"expected X ({len(outcome)}, d) with d > 0, got {X.shape}")
        if not outcome.event.any():
            raise CohortError(
                f"ridge Cox: none of {len(outcome)} training patients had the event. Leave out "
                "a split whose training part has none (evaluation.first_window, evaluation.group), or add patients."
            )
        columns = [f"x{number}" for number in range(X.shape[1])]
        frame = pd.DataFrame(np.asarray(X, dtype=np.float64), columns=columns)
        frame = frame.assign(time=outcome.time, event=outcome.event)
        self.coefficients = _converged(self.penalty, frame).params_[columns].to_numpy(dtype=np.float64)
        return self

    def predict(self, X: FloatArray) -> npt.NDArray[np.float64]:
        """The log-risk (n,), higher is worse. Raises ValueError before `fit` or for another number of columns."""
        if self.coefficients is None or X.ndim != 2 or X.shape[1] != len(self.coefficients):
            raise ValueError(f"not fitted for X of shape {X.shape}")
        return np.asarray(np.asarray(X, dtype=np.float64) @ self.coefficients, dtype=np.float64)


def _converged(penalty: float, frame: pd.DataFrame) -> CoxPHFitter:
    """Newton's full steps may circle around the optimum; smaller ones reach the same, for it is the only one."""
    for step in _FIRST_STEPS[:-1]:
        try:
            return _fitted(penalty, frame, step)
        except (ConvergenceError, ConvergenceWarning):
            continue
    try:
        return _fitted(penalty, frame, _FIRST_STEPS[-1])
    except (ConvergenceError, ConvergenceWarning) as error:
        first = str(error).strip().splitlines()[0]
        raise CohortError(
            f"ridge Cox did not converge at training.cox_penalty {penalty:g} on {len(frame)} patients with "
            f"{int(frame['event'].sum())} events ({first}). Set a larger training.cox_penalty, or fewer covariates "
            "or training.components."
        ) from error


def _fitted(penalty: float, frame: pd.DataFrame, step: float) -> CoxPHFitter:
    fitter = CoxPHFitter(penalizer=penalty, l1_ratio=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for failure in _FAILURES:
            warnings.filterwarnings("error", f"(?s).*{failure}", ConvergenceWarning)
        fitter.fit(frame, "time", "event", fit_options={"step_size": step})
    return fitter
