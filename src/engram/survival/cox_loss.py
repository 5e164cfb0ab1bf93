"""The Cox partial likelihood: risk sets with ties, written once, and the loss of the paper (2.3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from engram.outcome import SurvivalOutcome

Ties = Literal["breslow", "efron"]


@dataclass(frozen=True)
class RiskSets:
    """Who was at risk when, of n patients. Made once for a set of outcomes; all positions are in `order`.

    order: (n,) patients by descending time.
    last: (n,) position of the last patient of the same time; the risk set of a patient is everyone up to there.
    group: (n,) number of the group of equal times, 0 being the longest.
    event: (n,) bool.
    rank: (n,) 0, 1, ... among the events of one group; 0 for the censored.
    deaths: (n,) number of events in the group.
    """

    order: torch.Tensor
    last: torch.Tensor
    group: torch.Tensor
    event: torch.Tensor
    rank: torch.Tensor
    deaths: torch.Tensor

    def log_at_risk(self, log_risk: torch.Tensor) -> torch.Tensor:
        """Log of the summed exp(log_risk) of everyone at risk at each patient's time; both (n,) and in `order`."""
        return torch.logcumsumexp(log_risk, dim=0)[self.last]

    @property
    def informative(self) -> bool:
        """Whether any event has somebody else at risk; without one the likelihood is constant."""
        return bool((self.event & (self.last > 0)).any())


def risk_sets(outcome: SurvivalOutcome) -> RiskSets:
    """The risk sets of an outcome. A patient censored at the time of an event is at risk for it."""
    order = np.argsort(-outcome.time, kind="stable")
    event, time = outcome.event[order], outcome.time[order]
    starts = np.flatnonzero(np.r_[True, time[1:] != time[:-1]]) if len(time) else np.zeros(0, dtype=np.intp)
    sizes = np.diff(np.r_[starts, len(time)])
    group = np.repeat(np.arange(len(starts)), sizes)
    before: npt.NDArray[np.int64] = np.cumsum(event, dtype=np.int64) - event  # events at earlier positions
    deaths = np.bincount(group, weights=event, minlength=len(starts)).astype(np.int64)
    rank = np.where(event, before - before[starts][group], 0)
    arrays = (order, (starts + sizes - 1)[group], group, event, rank, deaths[group])
    return RiskSets(*(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays))


def cox_loss(log_risk: torch.Tensor, sets: RiskSets, ties: Ties = "breslow") -> torch.Tensor:
    """Negative log partial likelihood, averaged over the events; a scalar, 0 where there is no event.

    log_risk: (n,), in the order of the outcome that `sets` was made of; higher is worse.
    ties: `breslow` is the paper's formula; `efron` treats events of one time as if they had come in turn.
    Summed in float64 whatever the dtype of `log_risk`, and returned in that dtype.
    Raises ValueError for another shape: (n, 1) would broadcast to (n, n) in silence.
    """
    if log_risk.shape != sets.order.shape:
        raise ValueError(f"expected log_risk of shape {tuple(sets.order.shape)}, got {tuple(log_risk.shape)}")
    if not bool(sets.event.any()):
        return log_risk.sum() * 0.0
    risk = log_risk.double()[sets.order]
    at_risk = sets.log_at_risk(risk)
    if ties == "efron":
        at_risk = at_risk + _efron_correction(risk, at_risk, sets)
    return (at_risk - risk)[sets.event].mean().to(log_risk.dtype)


def _efron_correction(risk: torch.Tensor, at_risk: torch.Tensor, sets: RiskSets) -> torch.Tensor:
    """log(1 - rank / deaths * (risk of those who die now) / (risk of all at risk)), for every patient."""
    # Never above 0: those who die now are among those at risk, so this share cannot overflow.
    share_of_each = torch.where(sets.event, torch.exp(risk - at_risk), 0.0)
    shares = torch.zeros_like(risk).index_add(0, sets.group, share_of_each)[sets.group]
    fraction = sets.rank.double() / sets.deaths.clamp(min=1).double()
    return torch.log1p(-fraction * shares)
