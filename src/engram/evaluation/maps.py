"""Memories inside a fold: what each head sees of them, and how that is standardised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.heads.averaging import average_map
from engram.heads.layout import paper_layout, stretch

FloatArray = npt.NDArray[np.float32]


def head_maps(memory: FloatArray, *, paper_maps: bool) -> FloatArray:
    """What the averaging head sees of a memory: float32 (n, 1, h, w), or (n, 1, 64, 64) for `paper_maps`.

    Parameter-free and of each patient alone. Given back (n, 1, 1, h, w) of such maps, it returns them unchanged.
    """
    maps = average_map(memory)
    return stretch(maps) if paper_maps else maps


def head_volumes(memory: FloatArray, *, paper_maps: bool) -> FloatArray:
    """What the other heads see of a memory: as it is, (n, entries, channels, h, w), or in the paper's layout for
    `paper_maps`, (n, 2, 32, 64, 64). Of each patient alone."""
    return paper_layout(memory).memory if paper_maps else memory


@dataclass(frozen=True)
class MapStatistics:
    """How maps are standardised: mean of each pixel (1, h, w), and one sd of all, over the training patients.
    Volumes likewise, with a mean of each pixel of each channel (entries, channels, h, w)."""

    mean: npt.NDArray[np.float64]
    sd: float

    @classmethod
    def of(cls, maps: FloatArray) -> MapStatistics:
        """maps: (n, 1, h, w) of the training patients."""
        mean = maps.mean(axis=0, dtype=np.float64)
        return cls(mean, float(np.sqrt(np.mean((maps - mean) ** 2))))

    @classmethod
    def of_volumes(cls, volumes: FloatArray) -> MapStatistics:
        """volumes: (n, entries, channels, h, w) of the training patients; summed one patient at a time, for all of
        them in float64 would not fit beside the rest."""
        mean = volumes.mean(axis=0, dtype=np.float64)
        squares = [float(np.mean((volume - mean) ** 2)) for volume in volumes]
        return cls(mean, float(np.sqrt(np.mean(squares))))

    def apply(self, maps: FloatArray) -> FloatArray:
        """Standardised maps or volumes; those that are all the same stay as they are, centred."""
        standard = np.empty(maps.shape, dtype=np.float32)
        for number, one in enumerate(maps):
            standard[number] = (one - self.mean) / (self.sd or 1.0)
        return standard
