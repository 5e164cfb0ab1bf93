"""Where on the axial plane the averaging CNN looks (Grad-CAM: Selvaraju et al., ICCV 2017).

The averaged map of a memory covers the whole axial frame, which was resized to the model's square. So each of its
pixels stands for a column of the body from top to bottom: Grad-CAM tells where in the plane, and never how high.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.functional import interpolate, pad

from engram.errors import ConfigError
from engram.evaluation.explanation_records import GradCamPeak
from engram.evaluation.rows import AVERAGING, DEEPSURV
from engram.explain.fold_model import FoldModel
from engram.heads.averaging import AveragingHead
from engram.jobs import torch_threads
from engram.survival.inputs import ModelInputs
from engram.survival.network import Batch, DeepSurvNet
from engram.table import PatientFeatures

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class GradCam:
    """signed: float32 (h, w) on the averaged map of the memory, log-risk per unit of gradient times activation.

    Positive: what the CNN found there raises this patient's risk; negative: it lowers it. The mean of the networks
    of an ensemble. cells: of the last convolution, (rows, columns); what is smaller than a cell is interpolated.
    """

    modality: str
    signed: FloatArray
    cells: tuple[int, int]
    networks: int

    @property
    def positive(self) -> FloatArray:
        """What raises the risk alone, as the authors have it: negative values are 0."""
        return np.maximum(self.signed, 0)

    def on_plane(self, shape: tuple[int, int], *, positive: bool = False) -> FloatArray:
        """The same on the axial plane of the study's grid, float32 (h, w): row 0 as in its frames. The map covers
        the whole plane, each axis with a scale of its own."""
        values = torch.from_numpy(self.positive if positive else self.signed)[None, None]
        plane: FloatArray = interpolate(
            values, size=shape, mode="bilinear", align_corners=False, antialias=True
        ).numpy()[0, 0]
        return plane


def grad_cam(model: FoldModel, patient: PatientFeatures, modality: str) -> GradCam:
    """Grad-CAM of the log-risk of one patient, at the rectified last convolution of one modality's CNN.

    The other modality and the covariates stay as they are; a gate is differentiated, too. Deterministic, and the
    model stays as it was. Raises ConfigError where the row has no averaging CNN of this modality, CohortError where
    the patient trained the model, ValueError unless there is one patient.
    """
    if len(patient) != 1:
        raise ValueError(f"Grad-CAM is of one patient, got {len(patient)}")
    spec, fitted = model.spec, model.deepsurv
    if fitted is None or spec.head != AVERAGING or modality not in spec.modalities:
        raise ConfigError(
            f"row '{spec.name}' has no averaging CNN of '{modality}'. Take a row of the head '{AVERAGING}' and "
            f"{DEEPSURV} that sees it."
        )
    inputs = model.inputs(patient)
    with torch_threads(1):
        cells = [_of_net(net.eval(), inputs, modality) for net in fitted.nets]
        mean = torch.stack(cells).mean(dim=0)
        signed = _on_map(mean, inputs.maps[modality].shape[2:], _pooled(fitted.nets[0], inputs, modality))
    return GradCam(modality, signed, (mean.shape[0], mean.shape[1]), len(cells))


def peak_of(found: GradCam, model: FoldModel, patient: int) -> GradCamPeak:
    """What is saved of a map, besides its picture. patient: number in the study's order, from 1."""
    size = np.abs(found.signed)
    total = float(size.sum())
    place = np.unravel_index(int(size.argmax()), size.shape)
    return GradCamPeak(
        row=model.spec.name,
        modality=found.modality,
        patient=patient,
        fold=model.number + 1,
        networks=found.networks,
        cells=list(found.cells),
        highest=float(found.signed.max()),
        lowest=float(found.signed.min()),
        peak=[(int(at) + 0.5) / n for at, n in zip(place, size.shape, strict=True)],
        raising=float(found.positive.sum()) / total if total else None,
    )


def _of_net(net: DeepSurvNet, inputs: ModelInputs, modality: str) -> torch.Tensor:
    """The sum over channels of each activation times the mean gradient of its channel: (rows, columns)."""
    batch, tower = Batch(inputs), _tower(net, inputs, modality)
    last = _last_convolution(tower) + 2  # with its ReLU
    with torch.no_grad():
        vectors = net.vectors(batch)
        seen: torch.Tensor = tower.features[:last](batch.images[modality])
    with torch.enable_grad():
        activations = seen.detach().requires_grad_()
        vectors[list(inputs.images).index(modality)] = tower.features[last:](activations)
        risk = net.risk(net.fusion(vectors, batch.clinical))
        (gradient,) = torch.autograd.grad(risk.sum(), activations)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return (weights * seen).sum(dim=1)[0]


def _tower(net: DeepSurvNet, inputs: ModelInputs, modality: str) -> AveragingHead:
    tower = net.towers[list(inputs.images).index(modality)]
    if not isinstance(tower, AveragingHead):
        raise TypeError(f"expected an averaging CNN, got {type(tower).__name__}")
    return tower


def _last_convolution(tower: AveragingHead) -> int:
    return max(place for place, layer in enumerate(tower.features) if isinstance(layer, nn.Conv2d))


def _pooled(net: DeepSurvNet, inputs: ModelInputs, modality: str) -> int:
    """How many pixels of the map, along each axis, are one cell of the last convolution."""
    tower = _tower(net, inputs, modality)
    before = list(tower.features)[: _last_convolution(tower)]
    return int(2 ** sum(isinstance(layer, nn.MaxPool2d) for layer in before))


def _on_map(cells: torch.Tensor, shape: tuple[int, ...], pooled: int) -> FloatArray:
    """Cells on the pixels that they were pooled from; a last pixel that no cell covers takes that beside it."""
    covered = [pooled * n for n in cells.shape]
    fine = interpolate(cells[None, None], size=covered, mode="bilinear", align_corners=False)
    missing = [n - m for n, m in zip(shape, covered, strict=True)]
    whole: FloatArray = pad(fine, (0, missing[1], 0, missing[0]), mode="replicate").numpy()[0, 0]
    return whole
