"""The averaging head (paper 2.3.1, Figure 3a): one map a patient, through a small CNN, to 128 numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

FloatArray = npt.NDArray[np.float32]

MAP_WIDTH = 128  # length of the vector of one modality (paper 2.3.1)
SMALLEST_MAP = 4  # two poolings must leave at least one pixel


def average_map(memory: FloatArray) -> FloatArray:
    """Mean over memory entries and channels: (n, entries, channels, h, w) to float32 (n, 1, h, w).

    Parameter-free, so it is done once, before any training. Each patient's map depends on that patient alone, to
    the last bit. A map that was averaged before, (n, 1, 1, h, w), comes back unchanged.
    Raises ValueError where `memory` has not five axes, or has no entries or channels.
    """
    if memory.ndim != 5 or memory.shape[1] * memory.shape[2] == 0:
        raise ValueError(f"expected memory (n, entries, channels, h, w), none of them 0, got {memory.shape}")
    maps = [patient.mean(axis=(0, 1), dtype=np.float64) for patient in memory]
    return np.asarray(maps, dtype=np.float32).reshape(len(memory), 1, *memory.shape[3:])


class AveragingHead(nn.Module):
    """CNN from one averaged map to a vector: (n, 1, h, w) to (n, 128); 92,672 parameters.

    Conv-ReLU-MaxPool twice, Conv-ReLU, global average pooling. The paper leaves the first width open; 32 here.
    The pooling makes it independent of map size: 64 x 64 as in the paper, 32 x 32 or 16 x 16 as the memory is.
    """

    def __init__(self) -> None:
        super().__init__()
        # The largest of four and ReLU give the same in either order; ReLU last has a quarter of the work.
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(64, MAP_WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )

    @property
    def out_features(self) -> int:
        """Length of the vector of one patient."""
        return MAP_WIDTH

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """maps: (n, 1, h, w), h and w at least 4. Raises ValueError for another shape."""
        if maps.ndim != 4 or maps.shape[1] != 1 or min(maps.shape[2:]) < SMALLEST_MAP:
            raise ValueError(
                f"expected averaged maps (n, 1, h, w) of at least {SMALLEST_MAP} x {SMALLEST_MAP} pixels, "
                f"got {tuple(maps.shape)}"
            )
        vectors: torch.Tensor = self.features(maps)
        return vectors
