"""Heads that the paper tried and left (2.3.1, "Discarded configurations"), kept as ablations.

The third, principal components of the flattened memory, is fitted inside the fold and is no network.
"""

from __future__ import annotations

import math

import torch
from torch import nn

CNN3D_WIDTHS = (8, 16, 32)  # the paper gives none


class Cnn3d(nn.Module):
    """3D CNN on one memory as a block (entries x channels, h, w): (n, C, D, h, w) to (n, 32); 17,552 parameters.

    Three convolutions of 3 x 3 x 3, each of stride 2 and followed by ReLU, then the mean over the block.
    """

    out_features = CNN3D_WIDTHS[-1]

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width, next_width in zip((1, *CNN3D_WIDTHS), CNN3D_WIDTHS, strict=False):
            layers += [nn.Conv3d(width, next_width, 3, stride=2, padding=1), nn.ReLU()]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten())

    def forward(self, memory: torch.Tensor) -> torch.Tensor:
        """memory: (n, entries, channels, h, w). Raises ValueError for another number of axes."""
        if memory.ndim != 5:
            raise ValueError(f"expected memories (n, entries, channels, h, w), got {tuple(memory.shape)}")
        vectors: torch.Tensor = self.features(memory.flatten(1, 2).unsqueeze(1))
        return vectors


class Flat(nn.Module):
    """Every number of a memory, as it is: (n, C, D, h, w) to (n, C * D * h * w); no parameters."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape, self.out_features = shape, math.prod(shape)

    def forward(self, memory: torch.Tensor) -> torch.Tensor:
        """memory: (n, *shape). Raises ValueError for another shape."""
        if tuple(memory.shape[1:]) != self.shape:
            raise ValueError(f"expected memories (n, {', '.join(map(str, self.shape))}), got {tuple(memory.shape)}")
        return memory.flatten(1)
