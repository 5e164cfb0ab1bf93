"""What every image encoder offers: one swap point, with one file an adapter (tests/contracts holds all to it)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engram.memory.contract import Frames

Float32 = npt.NDArray[np.float32]


class Encoder(Protocol):
    """A frozen model that sees one slice at a time, and remembers none.

    name: what tables print; digest: SHA-256 (hex) of weights and configuration; untrained: random weights;
    verified: the file's bytes are those that its authors publish; licence: of the weights, None where it is not
    known; image_size: pixels a side that slices are resized to; recipe: all else that decides a feature.
    """

    name: str
    digest: str
    untrained: bool
    verified: bool
    licence: str | None
    image_size: int

    @property
    def recipe(self) -> Mapping[str, Any]:
        """What is done to a slice before the weights see it, and the precision."""

    def encode(self, frames: Frames) -> Float32:
        """Feature maps of k grey frames, uint8 (k, h, w), as one batch: float32 (k, channels, h', w')."""
