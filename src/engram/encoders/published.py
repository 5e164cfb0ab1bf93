"""What published image encoders of `transformers` have in common: where they are from, and the way through them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from engram.encoders.contract import Float32
from engram.encoders.loading import LoadedEncoder
from engram.memory.contract import Frames


class PublishedEncoder:
    """An `Encoder` with loaded weights; its features are those of its last layer."""

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
        """The last layer as maps: float32 (k, channels, h', w')."""
        maps = self._maps(self._model(self._pixels.of(frames).to(self._device)).last_hidden_state)
        return np.asarray(maps.float().cpu().numpy(), dtype=np.float32)

    def _maps(self, hidden: torch.Tensor) -> torch.Tensor:
        """What the last layer gives, in its places: (k, channels, h', w')."""
        raise NotImplementedError
