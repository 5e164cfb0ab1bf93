"""A vision transformer (Dosovitskiy et al. 2021): the tokens of its patches as a map, without the class token."""

from __future__ import annotations

import torch
from transformers import ViTConfig, ViTModel

from engram.encoders.loading import Architecture
from engram.encoders.pixels import Pixels
from engram.encoders.published import PublishedEncoder

# As google/vit-base-patch16-224-in21k was trained (its preprocessor_config.json): not ImageNet's mean and sd.
ARCHITECTURE = Architecture(
    kind="vit",
    configuration=ViTConfig,
    model=ViTModel,
    options={"add_pooling_layer": False},
    heads=("classifier.", "pooler.", "vit.pooler."),
    pixels=Pixels(224, "bilinear", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
)


class Vit(PublishedEncoder):
    """Feature maps (k, 768, 14, 14) at 224 pixels, of the published model: tokens normalised as the model does."""

    def _maps(self, hidden: torch.Tensor) -> torch.Tensor:
        side = self.image_size // int(self._model.config.patch_size)
        return hidden[:, 1:].transpose(1, 2).reshape(len(hidden), -1, side, side)
