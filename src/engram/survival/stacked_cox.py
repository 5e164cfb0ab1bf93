"""The Cox partial likelihood of many networks at once, with its gradient in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engram.survival.cox_loss import RiskSets, Ties


class StackedRiskSets:
    """The risk sets of s groups of patients, each padded to n, the size of the largest.

    A patient who pads a group stands behind all others and has no event, so that no risk set holds him.
    counts: patients of each group.
    """

    def __init__(self, sets: Sequence[RiskSets]) -> None:
        self.counts = [len(each.order) for each in sets]
        self._order, self._last, self._group = (
            _positions([getattr(each, name) for each in sets]) for name in ("order", "last", "group")
        )
        self._first = torch.searchsorted(self._group, self._group)
        self._event = padded([each.event for each in sets])
        self._silent = ~self._event
        self._events = self._event.sum(dim=1, keepdim=True).clamp(min=1).double()
        shares = [each.rank.double() / each.deaths.clamp(min=1).double() for each in sets]
        self._fraction = padded(shares)

    def losses(self, log_risk: torch.Tensor, ties: Ties) -> torch.Tensor:
        """`cox_loss` of each group: log_risk (s, n) to (s,), of its dtype; a group without an event has 0."""
        risk = log_risk.double().gather(1, self._order)
        excess = (self._log_at_risk(risk, ties) - risk).masked_fill(self._silent, 0.0)
        return (excess.sum(dim=1) / self._events[:, 0]).to(log_risk.dtype)

    def gradients(self, log_risk: torch.Tensor, ties: Ties) -> torch.Tensor:
        """The gradient (s, n) of each group's loss by its own log-risks; 0 where a patient pads."""
        risk = log_risk.double().gather(1, self._order)
        at_risk = self._log_at_risk(risk, ties)
        # Summed exp(-at_risk) of the events that a patient was at risk for: those of his time and of shorter ones.
        of_events = (-at_risk).masked_fill(self._silent, -torch.inf)
        later = torch.logcumsumexp(of_events.flip(1), dim=1).flip(1)
        gradient = torch.exp(risk + later.gather(1, self._first)) - self._event.double()
        if ties == "efron":
            gradient = gradient - self._spared(risk, at_risk)
        gradient = gradient / self._events
        return torch.empty_like(gradient).scatter_(1, self._order, gradient).to(log_risk.dtype)

    def _log_at_risk(self, risk: torch.Tensor, ties: Ties) -> torch.Tensor:
        everyone = torch.logcumsumexp(risk, dim=1).gather(1, self._last)
        if ties == "breslow":
            return everyone
        share = torch.exp(risk - everyone).masked_fill(self._silent, 0.0)
        return everyone + torch.log1p(-self._fraction * self._of_group(share))

    def _spared(self, risk: torch.Tensor, at_risk: torch.Tensor) -> torch.Tensor:
        """Efron's part of the gradient: of those who die at one time, the later ones weigh less in the sums."""
        everyone = torch.logcumsumexp(risk, dim=1).gather(1, self._last)
        lessened = (self._fraction * torch.exp(everyone - at_risk)).masked_fill(self._silent, 0.0)
        return (torch.exp(risk - everyone) * self._of_group(lessened)).masked_fill(self._silent, 0.0)

    def _of_group(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all patients of the same time, for each of them."""
        return torch.zeros_like(values).scatter_add(1, self._group, values).gather(1, self._group)


def padded(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Tensors (n_i, ...) as one (s, n, ...), with zeros behind the shorter ones."""
    return torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True)


def _positions(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Positions (s, n); who pads has one of his own, which is also a group and a risk set of his own."""
    most = max(len(part) for part in parts)
    return torch.stack([torch.cat([part, torch.arange(len(part), most)]) for part in parts])
