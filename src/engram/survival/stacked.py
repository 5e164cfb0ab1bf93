"""Small survival heads trained side by side: the maths of `training.py`, one call for all where it has one each.

A head of a few thousand weights keeps a processor busy for microseconds; the calls around that take far longer.
So networks of one shape are stacked: weights (s, out, in), patients (s, n, width), shorter groups padded with rows
that no sum, mean or risk set counts. Each network keeps its own initial weights, its own seed for dropout, its
own clipping and its own early stop, as if it were alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from engram.config_models import Training
from engram.survival.cox_loss import RiskSets
from engram.survival.stacked_cox import StackedRiskSets, padded
from engram.survival.stacked_layers import BatchNorm, Dropout, Layer, LayerNorm, Linear, Rows
from engram.survival.training import STEP_FACTOR, Look, epochs_between_steps

_KNOWN = (nn.Linear, nn.BatchNorm1d, nn.LayerNorm, nn.ReLU, nn.Dropout)
_BETAS, _EPS = (0.9, 0.999), 1e-8  # of torch.optim.AdamW


@dataclass(frozen=True)
class Member:
    """One network of a stack.

    head: Linear, BatchNorm1d, LayerNorm, ReLU and Dropout layers, not trained yet. dropout: the seed of its masks,
    and of nothing else. columns: float32 (n, p), what it trains on, with their risk sets.
    """

    head: nn.Sequential
    dropout: int
    columns: torch.Tensor
    sets: RiskSets


@dataclass(frozen=True)
class Inner:
    """A member whose training others end: their columns float32 (m, p) and risk sets of their own."""

    member: Member
    columns: torch.Tensor
    sets: RiskSets


def stackable(net: nn.Module, head: nn.Sequential) -> bool:
    """Whether all that a network learns is this head, of layers known here."""
    outside = {id(parameter) for parameter in net.parameters()} - {id(parameter) for parameter in head.parameters()}
    return not outside and all(type(layer) in _KNOWN for layer in head)


def train_stacked(members: Sequence[Member], settings: Training, *, epochs: int) -> None:
    """Train the head of each member for a number of epochs, then calibrate, as `training.train` does."""
    stack = _Stack(members, settings)
    for _ in range(epochs):
        stack.step()
    stack.hand_back()


def best_stacked(inner: Sequence[Inner], settings: Training) -> list[Look]:
    """What `training.best_epoch` finds for each member. Who is done trains on, unheeded, until all are."""
    race = _Race(_Stack([each.member for each in inner], settings), inner)
    for epoch in range(1, settings.max_epochs + 1):
        if race.run(epoch):
            break
    return race.best


class _Race:
    """Early stopping of a stack. best: the best look of each member so far."""

    def __init__(self, stack: _Stack, inner: Sequence[Inner]) -> None:
        self._stack, self._settings = stack, stack.settings
        self._columns = padded([each.columns for each in inner])
        self._sets = StackedRiskSets([each.sets for each in inner])
        self._waiting = set(range(len(inner)))
        self.best: list[Look] = []

    def run(self, epoch: int) -> bool:
        """One more epoch; whether all have waited for `patience` epochs without a better look."""
        self._stack.step()
        risks = self._stack.judged(self._columns)
        losses = self._sets.losses(risks, self._settings.ties).tolist()
        for index in sorted(self._waiting):
            look = Look(epoch, losses[index], risks[index, : self._sets.counts[index]])
            if epoch == 1:
                self.best.append(look)
            elif look.loss < self.best[index].loss:
                self.best[index] = look
            if epoch - self.best[index].epoch >= self._settings.patience:
                self._waiting.remove(index)
        return not self._waiting


class _Stack:
    """The weights of all members in one tensor (s, weights), and one optimiser over it."""

    @torch.no_grad()
    def __init__(self, members: Sequence[Member], settings: Training) -> None:
        self._members, self.settings = members, settings
        self._columns = padded([each.columns for each in members])
        self._sets = StackedRiskSets([each.sets for each in members])
        self._rows = Rows.of(self._sets.counts, [each.dropout for each in members])
        self.weights = torch.stack([nn.utils.parameters_to_vector(each.head.parameters()) for each in members])
        self._gradients = torch.zeros_like(self.weights)
        self._layers = self._stacked(members[0].head)
        drops = [index for index, (_, layer) in enumerate(self._layers) if isinstance(layer, Dropout)]
        self._certain = drops[0] if drops else len(self._layers)  # layers before the first that draws
        self._begun: torch.Tensor | None = None  # what these make of the training patients, under present weights
        self._adam = _AdamW(self.weights, self._gradients, settings)

    def _stacked(self, head: nn.Sequential) -> list[tuple[int, Layer]]:
        """The layers that do anything, with their places in a head."""
        layers: list[tuple[int, Layer]] = []
        start = 0
        for place, layer in enumerate(head):
            shapes = [parameter.shape for parameter in layer.parameters()]
            weights, gradients = _views(self.weights, start, shapes), _views(self._gradients, start, shapes)
            start += sum(shape.numel() for shape in shapes)
            if not (isinstance(layer, nn.Dropout) and layer.p == 0):
                layers.append((place, _layer(layer, place, weights, gradients, self._rows)))
        return layers

    @torch.no_grad()
    def step(self) -> None:
        """One full-batch step of every member."""
        x = self._begin()
        for _, layer in self._layers[self._certain :]:
            x = layer.train(x)
        slope = self._sets.gradients(x[:, :, 0], self.settings.ties)[:, :, None]
        for index, (_, layer) in reversed(list(enumerate(self._layers))):
            slope = layer.backward(slope, onwards=index > 0)
        self._penalise_and_clip()
        self._adam.step()
        self._begun = None

    def _begin(self) -> torch.Tensor:
        """One pass of the layers that do not draw serves a look at validation patients and the next step alike."""
        if self._begun is None:
            self._begun = self._columns
            for _, layer in self._layers[: self._certain]:
                self._begun = layer.train(self._begun)
        return self._begun

    def _penalise_and_clip(self) -> None:
        if self.settings.l2 > 0:
            self._gradients.add_(self.weights, alpha=2 * self.settings.l2)
        norms = torch.linalg.vector_norm(self._gradients, dim=1, keepdim=True)
        self._gradients.mul_((self.settings.clip_norm / (norms + 1e-6)).clamp(max=1.0))

    @torch.no_grad()
    def judged(self, columns: torch.Tensor) -> torch.Tensor:
        """The log-risks (s, m) of other patients (s, m, p), under the present weights."""
        self._calibrate()
        x = columns
        for _, layer in self._layers:
            x = layer.judge(x)
        return x[:, :, 0]

    def _calibrate(self) -> None:
        norms = [index for index, (_, layer) in enumerate(self._layers) if isinstance(layer, BatchNorm)]
        x = self._begin()
        for _, layer in self._layers[self._certain : max(norms, default=-1) + 1]:
            x = layer.calibrate(x)

    @torch.no_grad()
    def hand_back(self) -> None:
        """Put weights and calibrated statistics into the members' own heads."""
        self._calibrate()
        for index, member in enumerate(self._members):
            nn.utils.vector_to_parameters(self.weights[index], member.head.parameters())
            for place, layer in self._layers:
                layer.hand_back(index, member.head[place])


class _AdamW:
    """`torch.optim.AdamW` as it is by default, with the schedule of `training.py`, without what they do around it:
    that would take a third of the time. One rate serves all members, whose steps go together."""

    def __init__(self, weights: torch.Tensor, gradients: torch.Tensor, settings: Training) -> None:
        self._weights, self._gradients, self._settings = weights, gradients, settings
        self._mean, self._square = torch.zeros_like(weights), torch.zeros_like(weights)
        self._done = 0

    def step(self) -> None:
        """One step along the present gradients."""
        rate = learning_rate(self._settings, self._done)
        self._done += 1
        self._weights.mul_(1 - rate * self._settings.weight_decay)
        self._mean.lerp_(self._gradients, 1 - _BETAS[0])
        self._square.mul_(_BETAS[1]).addcmul_(self._gradients, self._gradients, value=1 - _BETAS[1])
        root = self._square.sqrt().div_(math.sqrt(1 - _BETAS[1] ** self._done)).add_(_EPS)
        self._weights.addcdiv_(self._mean, root, value=-rate / (1 - _BETAS[0] ** self._done))


def learning_rate(settings: Training, done: int) -> float:
    """The learning rate after a number of steps, as the schedule of `training.py` sets it."""
    if settings.schedule == "cosine":
        return settings.learning_rate * (1 + math.cos(math.pi * done / settings.max_epochs)) / 2
    return float(settings.learning_rate * STEP_FACTOR ** (done // epochs_between_steps(settings)))


def _views(whole: torch.Tensor, start: int, shapes: Sequence[torch.Size]) -> list[torch.Tensor]:
    views = []
    for shape in shapes:
        views.append(whole[:, start : start + shape.numel()].view(len(whole), *shape))
        start += shape.numel()
    return views


def _layer(
    layer: nn.Module, place: int, weights: list[torch.Tensor], gradients: list[torch.Tensor], rows: Rows
) -> Layer:
    if isinstance(layer, nn.Linear):
        return Linear(weights, gradients)
    if isinstance(layer, nn.BatchNorm1d):
        return BatchNorm(weights, gradients, layer.eps, rows)
    if isinstance(layer, nn.LayerNorm):
        return LayerNorm(weights, gradients, layer.eps)
    return Dropout(layer.p, place, rows) if isinstance(layer, nn.Dropout) else Layer()
