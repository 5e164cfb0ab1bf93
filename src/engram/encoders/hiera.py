"""The image encoder of the memory model alone: what its rows know before any prompt and any memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engram.encoders.contract import Float32
from engram.memory.contract import Backbone, Frames, SliceFeatures
from engram.memory.protocol import Protocol
from engram.memory.tracing import computing


class Hiera:
    """The coarsest level of the backbone's image features, which its memory is made of: (k, 256, 32, 32) at 512
    pixels for SAM 2. It has the backbone's own weights, and computes in the protocol's precision."""

    def __init__(self, backbone: Backbone, protocol: Protocol, *, licence: str | None) -> None:
        self._backbone, self._protocol = backbone, protocol
        self.name, self.digest, self.licence = backbone.name, backbone.digest, licence
        self.untrained, self.verified, self.image_size = backbone.untrained, backbone.verified, backbone.image_size

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The backbone makes its input by itself: its size and the precision are left to say."""
        return {"size": self.image_size, "precision": self._protocol.precision}

    def encode(self, frames: Frames) -> Float32:
        """The coarsest level: float32 (k, channels, h', w')."""
        with computing(self._backbone, self._protocol):
            return np.stack([top_map(features) for features in self._backbone.encode(frames)])


def top_map(features: SliceFeatures) -> Float32:
    """The coarsest level of a slice's features: (h * w, 1, channels) as (channels, h, w), for slices are square."""
    level = features.levels[-1]
    side = round(level.shape[0] ** 0.5)
    return np.asarray(level[:, 0].T.reshape(-1, side, side).float().cpu().numpy(), dtype=np.float32)
