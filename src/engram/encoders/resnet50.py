"""ResNet-50 (He et al. 2016), as in the paper's comparison: the maps before its pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from transformers import ResNetConfig, ResNetModel

from engram.encoders.contract import Float32
from engram.encoders.loading import Architecture, LoadedEncoder
from engram.encoders.pixels import Pixels
from engram.memory.contract import Frames

# As microsoft/resnet-50 was trained (its preprocessor_config.json); that one crops, which would cut a body.
ARCHITECTURE = Architecture(
    kind="resnet",
    configuration=ResNetConfig,
    model=ResNetModel,
    options={},
    heads=("classifier.",),
    pixels=Pixels(224, "bicubic", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
)


class ResNet50:
    """Feature maps (k, 2048, 7, 7) at 224 pixels, of the published model."""

    untrained = False

    def __init__(
        self, loaded: LoadedEncoder, *, name: str, digest: str, verified: bool, licence: str | None, device: str
    ) -> None:
        self.name, self.digest, self.verified, self.licence = name, digest, verified, licence
        self._model, self._pixels, self._device = loaded.model.to(device), loaded.pixels, device
        self.image_size = loaded.pixels.size

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The pixels."""
        return self._pixels.recipe

    @torch.inference_mode()
    def encode(self, frames: Frames) -> Float32:
        """The last stage: float32 (k, channels, h', w')."""
        maps = self._model(self._pixels.of(frames).to(self._device)).last_hidden_state
        return np.asarray(maps.float().cpu().numpy(), dtype=np.float32)
