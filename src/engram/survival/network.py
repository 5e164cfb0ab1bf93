"""The network of DeepSurv (paper 2.3.3): towers, fusion and a feed-forward survival head to one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from engram.config_models import FusionName, Training
from engram.heads.averaging import AveragingHead
from engram.heads.fusion import Concatenation, Gate
from engram.heads.make import make_head
from engram.survival.inputs import ModelInputs

# Patients per pass through a tower, and numbers of their volumes: what fits the caches of a CPU, where light
# attention on 64 x 32 x 32 is twice as fast as in passes of 32 patients. Risk sets stay those of all patients.
_TOWER_PATIENTS = 32
_TOWER_NUMBERS = 2**19

Norm = Literal["none", "layer", "batch"]


@dataclass(frozen=True)
class Design:
    """Which network: the head of each modality's image, and how the vectors of two are fused (paper 2.3)."""

    head: str = "averaging"
    fusion: FusionName = "concatenation"


AVERAGED = Design()  # what the paper found best; a model without images needs none


class DeepSurvNet(nn.Module):
    """From images, vectors and covariates to a log-risk (n,); higher is worse.

    inputs: whose shapes it is made for; nothing else of them is kept. Each modality's image goes through a tower of
    its own, in the order of fusion; vectors are fused as they are. settings: widths of the hidden layers, each with
    norm, ReLU and dropout; none makes a linear model, and so does the head "flatten", whose vector is as long as
    the memory. The last layer has no bias: the partial likelihood cannot see one.
    """

    def __init__(self, inputs: ModelInputs, settings: Training, design: Design) -> None:
        super().__init__()
        towers = [make_head(design.head, image.shape[1:], settings) for image in inputs.images.values()]
        # A list, for a ModuleDict refuses names such as "type", and users name embeddings as they like.
        self.towers, self._seen = nn.ModuleList(towers), tuple(inputs.images)
        widths = [tower.out_features for tower in towers]
        widths += [vectors.shape[1] for vectors in inputs.vectors.values()]
        n_clinical = 0 if inputs.clinical is None else inputs.clinical.shape[1]
        self.fusion = (Gate if design.fusion == "gate" else Concatenation)(widths, n_clinical)
        self.head = _feed_forward(
            self.fusion.out_features,
            () if design.head == "flatten" and towers else settings.hidden,
            dropout=settings.dropout,
            embedding_dropout=settings.embedding_dropout,
            norm=settings.norm,
        )
        for tower in towers:
            if isinstance(
                tower, AveragingHead
            ):  # a fifth faster on CPU; convolutions of volumes have no such layout
                tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def vectors(self, batch: Batch) -> list[torch.Tensor]:
        """The vector of each modality, (n, d), in the order of fusion. Each depends on that patient alone."""
        of_images = [
            torch.cat([tower(part) for part in _passes(batch.images[name])])
            for name, tower in zip(self._seen, self.towers, strict=True)
        ]
        return of_images + batch.vectors

    def fuse(self, batch: Batch) -> torch.Tensor:
        """The fused vector of each patient, (n, d). Each depends on that patient alone."""
        return self.fusion(self.vectors(batch), batch.clinical)  # type: ignore[no-any-return]

    def gate(self, batch: Batch) -> torch.Tensor | None:
        """The share of PET (n,) in each patient's mixture; None without a gate."""
        return self.fusion.alpha(self.vectors(batch)) if isinstance(self.fusion, Gate) else None

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
    """`ModelInputs` as tensors: clinical (n, c) or None, vectors in order, and images by modality.

    Maps get memory of their own; volumes, which are a hundred times as large, are shared with the inputs, and
    nothing writes to them.
    """

    def __init__(self, inputs: ModelInputs) -> None:
        self.clinical = None if inputs.clinical is None else torch.tensor(inputs.clinical, dtype=torch.float32)
        self.vectors = [torch.tensor(vectors, dtype=torch.float32) for vectors in inputs.vectors.values()]
        self.images = {
            modality: torch.tensor(maps, dtype=torch.float32).to(memory_format=torch.channels_last)
            for modality, maps in inputs.maps.items()
        } | {modality: torch.from_numpy(volumes) for modality, volumes in inputs.volumes.items()}


def _passes(image: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Maps or volumes (n, ...) in parts of some patients each."""
    patients = _TOWER_PATIENTS
    if image.ndim == 5:
        patients = min(patients, max(1, _TOWER_NUMBERS // image[0].numel()))
    return torch.split(image, patients)


def _feed_forward(
    width: int, hidden: Sequence[int], *, dropout: float, embedding_dropout: float, norm: Norm
) -> nn.Sequential:
    # A layer that does nothing would still draw random numbers, and change every later one.
    layers: list[nn.Module] = [nn.Dropout(embedding_dropout)] if embedding_dropout > 0 else []
    for next_width in hidden:
        layers.append(nn.Linear(width, next_width))
        if norm != "none":
            layers.append({"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[norm](next_width))
        layers += [nn.ReLU(), nn.Dropout(dropout)]
        width = next_width
    layers.append(nn.Linear(width, 1, bias=False))
    return nn.Sequential(*layers)
