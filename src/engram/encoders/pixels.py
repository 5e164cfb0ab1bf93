"""Grey slices as the colour photographs that an image encoder was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image

from engram.memory.contract import Frames

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class Pixels:
    """How a slice is made the encoder's input: the whole frame is resized to a square, grey goes to three channels.

    size: pixels a side; resize: filter; mean, sd: of each channel of a picture from 0 to 1, as in training.
    """

    size: int
    resize: Literal["bilinear", "bicubic"]
    mean: tuple[float, float, float]
    sd: tuple[float, float, float]

    @property
    def recipe(self) -> Mapping[str, Any]:
        """All of it, for the address of what was made."""
        return asdict(self)

    def of(self, frames: Frames) -> torch.Tensor:
        """Float32 (k, 3, size, size) of frames uint8 (k, h, w)."""
        sized = [Image.fromarray(f).resize((self.size, self.size), _FILTERS[self.resize]) for f in frames]
        unit = torch.from_numpy(np.stack([np.asarray(one) for one in sized]))[:, None].float() / 255.0
        mean, sd = (torch.tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.sd))
        return (unit.expand(-1, 3, -1, -1) - mean) / sd
