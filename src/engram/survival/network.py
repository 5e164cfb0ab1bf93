"""The network of DeepSurv (paper 2.3.3): towers, fusion and a feed-forward survival head to one number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from engram.heads.averaging import AveragingHead
from engram.heads.fusion import Concatenation
from engram.survival.inputs import ModelInputs

# Patients per pass through a tower: what fits the caches of a CPU. Risk sets stay those of all patients.
_TOWER_PATIENTS = 32


class DeepSurvNet(nn.Module):
    """From maps and covariates to a log-risk (n,); higher is worse.

    modalities: one averaging tower each, in the order of fusion; none for a clinical model. n_clinical: covariate
    columns, 0 for none. hidden: widths of the hidden layers, each with batch normalisation, ReLU and dropout; none
    makes a linear model. The last layer has no bias: the partial likelihood cannot see one.
    """

    def __init__(
        self,
        modalities: Sequence[str],
        n_clinical: int,
        *,
        hidden: Sequence[int],
        dropout: float,
        batch_norm: bool,
    ) -> None:
        super().__init__()
        self.towers = nn.ModuleDict({modality: AveragingHead() for modality in modalities})
        self.fusion = Concatenation([head.out_features for head in self.averaging_heads], n_clinical)
        self.head = _feed_forward(self.fusion.out_features, hidden, dropout=dropout, batch_norm=batch_norm)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a fifth faster on CPU

    @property
    def averaging_heads(self) -> list[AveragingHead]:
        """The towers, in the order of fusion."""
        return [tower for tower in self.towers.values() if isinstance(tower, AveragingHead)]

    def fuse(self, batch: Batch) -> torch.Tensor:
        """The fused vector of each patient, (n, d). Each depends on that patient alone."""
        vectors = [
            torch.cat([tower(part) for part in torch.split(batch.maps[modality], _TOWER_PATIENTS)])
            for modality, tower in self.towers.items()
        ]
        return self.fusion(vectors, batch.clinical)  # type: ignore[no-any-return]

    def risk(self, fused: torch.Tensor) -> torch.Tensor:
        """The log-risk (n,) of fused vectors."""
        scores: torch.Tensor = self.head(fused)
        return scores.squeeze(1)

    def forward(self, batch: Batch) -> torch.Tensor:
        """The log-risk (n,)."""
        return self.risk(self.fuse(batch))

    def calibrate(self, fused: torch.Tensor) -> None:
        """Set the running statistics of batch normalisation to those of these vectors, exactly; no dropout.

        Running averages lag behind the weights for the first thirty or so full-batch steps, and would make every
        early look at validation patients misleading.
        """
        norms = [layer for layer in self.head if isinstance(layer, nn.BatchNorm1d)]
        self.head.eval()
        for norm in norms:
            norm.train()
            norm.momentum = 1.0
        with torch.no_grad():
            self.head(fused)
        self.head.eval()


class Batch:
    """`ModelInputs` as tensors of their own memory."""

    def __init__(self, inputs: ModelInputs) -> None:
        self.clinical = None if inputs.clinical is None else torch.tensor(inputs.clinical, dtype=torch.float32)
        self.maps = {
            modality: torch.tensor(maps, dtype=torch.float32).to(memory_format=torch.channels_last)
            for modality, maps in inputs.maps.items()
        }


def _feed_forward(width: int, hidden: Sequence[int], *, dropout: float, batch_norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for next_width in hidden:
        layers.append(nn.Linear(width, next_width))
        if batch_norm:
            layers.append(nn.BatchNorm1d(next_width))
        layers += [nn.ReLU(), nn.Dropout(dropout)]
        width = next_width
    layers.append(nn.Linear(width, 1, bias=False))
    return nn.Sequential(*layers)
