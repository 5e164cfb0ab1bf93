"""From log-risks to survival probabilities: the baseline hazard of the training patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from engram.outcome import SurvivalOutcome
from engram.survival.cox_loss import risk_sets
from engram.survival.metrics import finite_risk

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BreslowBaseline:
    """Breslow's cumulative baseline hazard: at each event time, deaths / sum of exp(log-risk) of those at risk.

    time_months: (m,) event times, ascending. log_hazard: (m,) logarithm of the cumulative hazard, from that time
    on, of a patient whose log-risk is 0. After the last event it stays what it was.
    Source: Breslow, discussion of Cox, JRSS B 34 (1972) 216.
    """

    time_months: FloatArray
    log_hazard: FloatArray

    @classmethod
    def of(cls, risk: npt.ArrayLike, training: SurvivalOutcome) -> BreslowBaseline:
        """risk: log-risks (n,) of the training patients. Raises ValueError as `finite_risk`, and without events."""
        values = finite_risk(risk, training)
        if not training.event.any():
            raise ValueError("a baseline hazard of patients without an event")
        sets = risk_sets(training)
        at_risk = sets.log_at_risk(torch.from_numpy(values)[sets.order]).numpy()
        # Patients lie by descending time; one of each tied group of events speaks for all of it.
        first = ((sets.rank == 0) & sets.event).numpy()[::-1]
        time = training.time_months[sets.order.numpy()][::-1][first]
        steps = (np.log(sets.deaths.numpy().clip(min=1)) - at_risk)[::-1][first]
        return cls(time, np.logaddexp.accumulate(steps))

    def survival(self, risk: npt.ArrayLike, times_months: npt.ArrayLike) -> FloatArray:
        """S(t | log-risk): the probability (n, times) of being without event beyond each time, for each patient."""
        values, times = (np.asarray(array, dtype=np.float64) for array in (risk, times_months))
        return self._survival(values[:, None], times[None, :])

    def survival_at_own_time(self, risk: npt.ArrayLike, time_months: npt.ArrayLike) -> FloatArray:
        """S(t | log-risk) (n,) of each patient at one time of his own."""
        values, times = (np.asarray(array, dtype=np.float64) for array in (risk, time_months))
        if values.shape != times.shape:
            raise ValueError(f"expected a time for each risk, got {times.shape} and {values.shape}")
        return self._survival(values, times)

    def _survival(self, risk: FloatArray, times: FloatArray) -> FloatArray:
        reached = np.searchsorted(self.time_months, times, side="right")
        log_hazard = np.r_[-np.inf, self.log_hazard][reached]
        with np.errstate(over="ignore"):  # an infinite hazard is a survival of 0
            return np.asarray(np.exp(-np.exp(risk + log_hazard)), dtype=np.float64)
