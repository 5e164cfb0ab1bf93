"""ResNet-50 (He et al. 2016), as in the paper's comparison: the maps before its pooling."""

from __future__ import annotations

import torch
from transformers import ResNetConfig, ResNetModel

from engram.encoders.loading import Architecture
from engram.encoders.pixels import Pixels
from engram.encoders.published import PublishedEncoder

# As microsoft/resnet-50 was trained (its preprocessor_config.json); that one crops, which would cut a body.
ARCHITECTURE = Architecture(
    kind="resnet",
    configuration=ResNetConfig,
    model=ResNetModel,
    options={},
    heads=("classifier.",),
    pixels=Pixels(224, "bicubic", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
)


class ResNet50(PublishedEncoder):
    """Feature maps (k, 2048, 7, 7) at 224 pixels, of the published model."""

    def _maps(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden
