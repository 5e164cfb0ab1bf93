"""DeepSurv as a script has it: what Engram's training is compared with.

`nn.Sequential`, `torch.optim.AdamW`, default layout, automatic differentiation, one network after the other. The
rule that ends a training, the ensemble and the Cox loss are Engram's; layers are made in Engram's order, so that
one seed gives both sides the same weights.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from engram.config_models import Training
from engram.outcome import SurvivalOutcome
from engram.survival.cox_loss import cox_loss, risk_sets
from engram.survival.deepsurv import inner_splits
from engram.survival.inputs import ModelInputs


@dataclass(frozen=True)
class Cohort:
    """Patients whose numbers were made ready."""

    inputs: ModelInputs
    outcome: SurvivalOutcome

    def subset(self, index: Any) -> Cohort:
        return Cohort(self.inputs.subset(index), self.outcome.subset(index))


class PlainNet(nn.Module):
    """A tower for each image, vectors side by side, a survival head."""

    def __init__(self, inputs: ModelInputs, settings: Training) -> None:
        super().__init__()
        self.towers = nn.ModuleList(_tower(image, settings) for image in inputs.images.values())
        width = sum(128 if image.ndim == 4 else settings.attention_out for image in inputs.images.values())
        width += 0 if inputs.clinical is None else inputs.clinical.shape[1]
        dropped = settings.embedding_dropout
        layers: list[nn.Module] = [nn.Dropout(dropped)] if dropped > 0 else []
        for hidden in settings.hidden:
            layers += [nn.Linear(width, hidden), *_norm(hidden, settings), nn.ReLU(), nn.Dropout(settings.dropout)]
            width = hidden
        self.head = nn.Sequential(*layers, nn.Linear(width, 1, bias=False))

    def forward(self, images: list[torch.Tensor], clinical: torch.Tensor | None) -> torch.Tensor:
        parts = [tower(image) for tower, image in zip(self.towers, images, strict=True)]
        risk: torch.Tensor = self.head(torch.cat(parts if clinical is None else [*parts, clinical], dim=1))
        return risk[:, 0]


def _tower(image: np.ndarray[Any, Any], settings: Training) -> nn.Module:
    if image.ndim == 5:
        return PlainAttention(image.shape[1], settings)
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )


def _norm(width: int, settings: Training) -> list[nn.Module]:
    known = {"none": [], "layer": [nn.LayerNorm], "batch": [nn.BatchNorm1d]}
    return [kind(width) for kind in known[settings.norm]]


class PlainAttention(nn.Module):
    """Light attention step by step as the paper has it (2.3.1): (n, C, D, h, w) to (n, out)."""

    def __init__(self, entries: int, settings: Training) -> None:
        super().__init__()
        base = settings.attention_base
        self.mix = nn.Sequential(
            nn.AvgPool3d((1, 2, 2)), nn.Conv3d(entries, base, 1), nn.GroupNorm(8, base), nn.GELU()
        )
        self.logit = nn.Sequential(nn.Linear(base, base), nn.GELU(), nn.Linear(base, 1))
        self.project, self.pool = nn.Linear(base, settings.attention_out), settings.attention_pool

    def forward(self, memory: torch.Tensor) -> torch.Tensor:
        mixed = self.mix(memory)
        weights = torch.softmax(self.logit(mixed.mean(dim=(3, 4)).transpose(1, 2)), dim=1)
        summed = (mixed * weights.transpose(1, 2)[:, :, :, None, None]).sum(dim=2)
        pooled = nn.functional.adaptive_avg_pool2d(summed, self.pool).mean(dim=(2, 3))
        vectors: torch.Tensor = self.project(pooled)
        return vectors


class PlainRun:
    """A network with its optimiser on some patients."""

    def __init__(self, cohort: Cohort, settings: Training, seed: int, *, double: bool = False) -> None:
        torch.manual_seed(seed)
        self.settings, self.double = settings, double
        self.net = PlainNet(cohort.inputs, settings)
        self.net.to(torch.float64 if double else torch.float32)
        self.x, self.sets = self.tensors(cohort), risk_sets(cohort.outcome)
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.schedule = _schedule(self.optimizer, settings)

    def tensors(self, cohort: Cohort) -> tuple[list[torch.Tensor], torch.Tensor | None]:
        kind, inputs = torch.float64 if self.double else torch.float32, cohort.inputs
        clinical = None if inputs.clinical is None else torch.tensor(inputs.clinical, dtype=kind)
        return [torch.tensor(image, dtype=kind) for image in inputs.images.values()], clinical

    def epoch(self) -> None:
        self.net.train()
        loss = cox_loss(self.net(*self.x), self.sets, self.settings.ties)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.schedule.step()

    def evaluated(self, x: tuple[list[torch.Tensor], torch.Tensor | None]) -> torch.Tensor:
        """Risks under batch statistics of all training patients, taken without dropout."""
        with torch.no_grad():
            self.net.eval()
            norms = [layer for layer in self.net.head if isinstance(layer, nn.BatchNorm1d)]
            for layer in norms:
                layer.train()
                layer.momentum = 1.0
            if norms:
                self.net(*self.x)
            return self.net.eval()(*x)  # type: ignore[no-any-return]


def _schedule(optimizer: torch.optim.Optimizer, settings: Training) -> torch.optim.lr_scheduler.LRScheduler:
    if settings.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.max_epochs)
    return torch.optim.lr_scheduler.StepLR(optimizer, max(1, math.ceil(settings.max_epochs / 4)), 0.3)


def plain_fit(
    cohort: Cohort, settings: Training, seed: int, shown: ModelInputs | None = None, *, double: bool = False
) -> np.ndarray[Any, Any]:
    """Inner splits end the training, then an ensemble trains on all; the mean log-risk of `shown`, by default of
    all patients. double: in float64."""
    splits = inner_splits(cohort.outcome, folds=settings.inner_folds, time_quantiles=4, seed=seed)
    best = [
        _best(cohort.subset(s.train_index), cohort.subset(s.test_index), settings, seed, double) for s in splits
    ]
    epochs = round(statistics.median(best))
    risks = []
    for k in range(settings.ensemble):
        run = PlainRun(cohort, settings, seed + k, double=double)
        for _ in range(epochs):
            run.epoch()
        x = run.x if shown is None else run.tensors(Cohort(shown, cohort.outcome))
        risks.append(run.evaluated(x).double().numpy())
    return np.asarray(np.mean(risks, axis=0))


def _best(train: Cohort, test: Cohort, settings: Training, seed: int, double: bool) -> int:
    run = PlainRun(train, settings, seed, double=double)
    x, sets = run.tensors(test), risk_sets(test.outcome)
    best, best_loss = 1, float("inf")
    for epoch in range(1, settings.max_epochs + 1):
        run.epoch()
        loss = float(cox_loss(run.evaluated(x), sets, settings.ties))
        if loss < best_loss:
            best, best_loss = epoch, loss
        if epoch - best >= settings.patience:
            break
    return best
