"""One training run of a DeepSurv network (paper 2.3.3, 2.4.1): full batch, so that risk sets are whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, StepLR

from engram.config_models import Training
from engram.outcome import SurvivalOutcome
from engram.survival.cox_loss import RiskSets, cox_loss, risk_sets
from engram.survival.inputs import ModelInputs
from engram.survival.network import AVERAGED, Batch, DeepSurvNet, Design

STEPS_OF_SCHEDULE = 3  # the step schedule multiplies the learning rate this often ...
STEP_FACTOR = 0.3  # ... by this factor


@dataclass(frozen=True)
class LabelledBatch:
    """Patients with their risk sets."""

    batch: Batch
    sets: RiskSets

    @classmethod
    def of(cls, inputs: ModelInputs, outcome: SurvivalOutcome) -> LabelledBatch:
        """Raises ValueError where there are not as many outcomes as patients."""
        if len(inputs) != len(outcome):
            raise ValueError(f"{len(inputs)} patients but {len(outcome)} outcomes")
        return cls(Batch(inputs), risk_sets(outcome))


@contextmanager
def local_seed(seed: int) -> Iterator[None]:
    """Seed torch inside the block, and leave the generator of everybody else as it was."""
    with torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would seed every kind of device, in milliseconds.
        torch.default_generator.manual_seed(seed)
        yield


def new_net(inputs: ModelInputs, settings: Training, design: Design = AVERAGED) -> DeepSurvNet:
    """An untrained network for inputs of these shapes; call it inside `local_seed`."""
    return DeepSurvNet(inputs, settings, design)


def train(net: DeepSurvNet, training: LabelledBatch, settings: Training, *, epochs: int) -> None:
    """Train for a number of epochs, then calibrate. Call it inside `local_seed`; dropout draws from there."""
    run = _Run(net, training, settings)
    for _ in range(epochs):
        run.step(run.forward())
    with torch.no_grad():
        net.calibrate(net.fuse(training.batch))


@dataclass(frozen=True)
class Look:
    """What validation patients said after some epochs. risk: their log-risk (n,) there."""

    epoch: int
    loss: float
    risk: torch.Tensor


def best_epoch(net: DeepSurvNet, training: LabelledBatch, validation: LabelledBatch, settings: Training) -> Look:
    """The number of epochs, 1 or more, after which the validation partial likelihood was best.

    The likelihood is over the validation patients' own risk sets. Stops after `patience` epochs without a better
    one. Call it inside `local_seed`.
    """
    run = _Run(net, training, settings)
    run.step(run.forward())
    best = None
    for epoch in range(1, settings.max_epochs + 1):
        fused = run.forward()
        look = _look(net, fused.detach(), validation, settings, epoch)
        if best is None or look.loss < best.loss:
            best = look
        if epoch - best.epoch >= settings.patience or epoch == settings.max_epochs:
            return best
        run.step(fused)
    raise ValueError("max_epochs must be at least 1")


def _look(
    net: DeepSurvNet, train_fused: torch.Tensor, validation: LabelledBatch, settings: Training, epoch: int
) -> Look:
    net.calibrate(train_fused)
    with torch.no_grad():
        risk = net(validation.batch)
        return Look(epoch, float(cox_loss(risk, validation.sets, settings.ties)), risk)


class _Run:
    """Network, optimiser and schedule of one run. A forward pass serves validation and the next step alike."""

    def __init__(self, net: DeepSurvNet, training: LabelledBatch, settings: Training) -> None:
        self.net, self.training, self.settings = net, training, settings
        self.optimizer = torch.optim.AdamW(
            net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.schedule = _schedule(self.optimizer, settings)

    def forward(self) -> torch.Tensor:
        """Fused vectors of the training patients, with their graph."""
        return self.net.fuse(self.training.batch)

    def step(self, fused: torch.Tensor) -> None:
        """One full-batch step from the fused vectors of the present weights."""
        self.net.head.train()
        loss = cox_loss(self.net.risk(fused), self.training.sets, self.settings.ties)
        if self.settings.l2 > 0:
            penalty = torch.stack([p.square().sum() for p in self.net.head.parameters()]).sum()
            loss = loss + self.settings.l2 * penalty
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.schedule.step()


def _schedule(optimizer: torch.optim.Optimizer, settings: Training) -> LRScheduler:
    """Both reach their end at `max_epochs`, also in the refit, whose steps so repeat those of the inner runs."""
    if settings.schedule == "cosine":
        return CosineAnnealingLR(optimizer, T_max=settings.max_epochs)
    return StepLR(optimizer, step_size=epochs_between_steps(settings), gamma=STEP_FACTOR)


def epochs_between_steps(settings: Training) -> int:
    """Epochs from one step of the step schedule to the next."""
    return max(1, math.ceil(settings.max_epochs / (STEPS_OF_SCHEDULE + 1)))
