"""A vision transformer (Dosovitskiy et al. 2021): the tokens of its patches as a map, without the class token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from transformers import ViTConfig, ViTModel

from engram.encoders.contract import Float32
from engram.encoders.loading import Architecture, LoadedEncoder
from engram.encoders.pixels import Pixels
from engram.memory.contract import Frames

# As google/vit-base-patch16-224-in21k was trained (its preprocessor_config.json): not ImageNet's mean and sd.
ARCHITECTURE = Architecture(
    kind="vit",
    configuration=ViTConfig,
    model=ViTModel,
    options={"add_pooling_layer": False},
    heads=("classifier.", "pooler.", "vit.pooler."),
    pixels=Pixels(224, "bilinear", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
)


class Vit:
    """Feature maps (k, 768, 14, 14) at 224 pixels, of the published model."""

    untrained = False

    def __init__(
        self, loaded: LoadedEncoder, *, name: str, digest: str, verified: bool, licence: str | None, device: str
    ) -> None:
        self.name, self.digest, self.verified, self.licence = name, digest, verified, licence
        self._model, self._pixels, self._device = loaded.model.to(device), loaded.pixels, device
        self.image_size = loaded.pixels.size
        self._side = self.image_size // int(loaded.model.config.patch_size)

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The pixels."""
        return self._pixels.recipe

    @torch.inference_mode()
    def encode(self, frames: Frames) -> Float32:
        """The last layer's tokens, normalised as the model does, in their places: float32 (k, channels, h', w')."""
        tokens = self._model(self._pixels.of(frames).to(self._device)).last_hidden_state[:, 1:]
        maps = tokens.transpose(1, 2).reshape(len(frames), -1, self._side, self._side)
        return np.asarray(maps.float().cpu().numpy(), dtype=np.float32)
