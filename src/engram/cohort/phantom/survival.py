"""Outcomes of the phantom, drawn from a known proportional-hazards model, and how well truth predicts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.outcome import SurvivalOutcome

WEIBULL_SHAPE = 1.5
_EARLIEST_CENSORING = 0.05  # of the latest: nobody leaves the study on its first day

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TrueLogHazard:
    """The true log-hazard of each patient, in two parts, each float64 (n,); higher is worse."""

    clinical: Vector
    imaging: Vector

    @property
    def total(self) -> Vector:
        """The sum of both parts: what the event times were drawn from."""
        return self.clinical + self.imaging


@dataclass(frozen=True)
class Chance:
    """The luck of each patient, each float64 (n,): a unit exponential (event), a uniform in (0, 1) (censoring)."""

    exponential: Vector
    uniform: Vector


@dataclass(frozen=True)
class TrueCIndex:
    """Harrell's c of the true log-hazard and of its parts: what no honest model can be expected to beat."""

    clinical: float
    imaging: float
    total: float


def draw_outcome(
    truth: TrueLogHazard, chance: Chance, *, event_rate: float, median_months: float, n_calibrated: int
) -> SurvivalOutcome:
    """Event times from a Weibull model, independent uniform censoring; times in months, to 0.1.

    T = (E / exp(total))^(1/1.5), C = horizon x (0.05 + 0.95 U). A patient is an event where T <= C, that is where
    T / (0.05 + 0.95 U) <= horizon: with the horizon between the k-th and the (k+1)-th smallest ratio, exactly k
    patients are events. k = round(event_rate x n_calibrated), counted, like the median, over the first
    `n_calibrated` patients. One common factor then brings the median of the observed times to `median_months`.
    """
    time = (chance.exponential / np.exp(truth.total)) ** (1 / WEIBULL_SHAPE)
    share = _EARLIEST_CENSORING + (1 - _EARLIEST_CENSORING) * chance.uniform
    horizon = _horizon(time[:n_calibrated] / share[:n_calibrated], event_rate)
    event = time / share <= horizon
    observed = np.where(event, time, share * horizon)
    months = observed * (median_months / float(np.median(observed[:n_calibrated])))
    return SurvivalOutcome(event, np.maximum(np.round(months, 1), 0.1), "months")


def _horizon(ratio: Vector, event_rate: float) -> float:
    ordered, k = np.sort(ratio), round(event_rate * len(ratio))
    if k == 0:
        return float(ordered[0] / 2)
    return float(ordered[-1] * 2) if k == len(ratio) else float(np.sqrt(ordered[k - 1] * ordered[k]))


def true_c_index(truth: TrueLogHazard, outcome: SurvivalOutcome) -> TrueCIndex:
    """Harrell's c-index (lifelines) of both parts and of the total."""
    # lifelines takes a second to import, and the cohort is written without it.
    from lifelines.utils import concordance_index

    def c(log_hazard: Vector) -> float:
        return float(concordance_index(outcome.time, -log_hazard, outcome.event))

    return TrueCIndex(c(truth.clinical), c(truth.imaging), c(truth.total))
