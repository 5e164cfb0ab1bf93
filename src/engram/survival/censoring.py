"""How long patients are followed: the censoring distribution of training patients, and how far it carries."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from lifelines import KaplanMeierFitter

from engram.outcome import SurvivalOutcome

FloatArray = npt.NDArray[np.float64]

STILL_FOLLOWED = 0.1  # share of the training patients who must be at risk at the horizon


@dataclass(frozen=True)
class Censoring:
    """The Kaplan-Meier curve G of censoring, of training patients; weights 1 / G need nothing of the test patients.

    time_months: (m,) distinct observed times, ascending. followed: (m,) G from that time on: the probability of not
    being censored up to it, it included (as in scikit-survival and torchsurv).
    tau_months: the administrative horizon, the latest time at which a tenth of the training patients are at risk.
    That share is the product of G and the event-free share, so before the horizon G is never below 0.1: no weight
    exceeds 10, and none is infinite or, as in some libraries, silently 0.
    """

    time_months: FloatArray
    followed: FloatArray
    tau_months: float

    @classmethod
    def of(cls, training: SurvivalOutcome) -> Censoring:
        """Raises ValueError for no patients."""
        if len(training) == 0:
            raise ValueError("a censoring distribution of no patients")
        time = training.time_months
        distinct, place = np.unique(time, return_inverse=True)
        # Whoever had the event at a time was not at risk of being censored at it: events come first in a tie.
        turn = 2.0 * place + ~training.event
        fitter = KaplanMeierFitter().fit(turn, ~training.event)
        followed = fitter.survival_function_at_times(2.0 * np.arange(len(distinct)) + 1).to_numpy(dtype=np.float64)
        most = math.ceil(STILL_FOLLOWED * len(time))
        return cls(distinct, followed, float(np.sort(time)[-most]))

    def at(self, times_months: npt.ArrayLike) -> FloatArray:
        """G at each time, in the shape of the times. Raises ValueError at or beyond the horizon, or before 0."""
        times = np.asarray(times_months, dtype=np.float64)
        if times.size and not (times.min() >= 0 and times.max() < self.tau_months):
            raise ValueError(
                f"times from {times.min():g} to {times.max():g} months: the censoring distribution is known from 0 "
                f"to {self.tau_months:g}, the latter excluded"
            )
        return np.asarray(np.r_[1.0, self.followed][np.searchsorted(self.time_months, times, side="right")])
