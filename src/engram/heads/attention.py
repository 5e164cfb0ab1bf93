"""Light attention (paper 2.3.1, Figure 3b): channels of a memory are weighed, summed, and pooled to a vector."""

from __future__ import annotations

import math

import torch
from torch import nn

NORM_GROUPS = 8  # of the GroupNorm, where they divide the width


class LightAttention(nn.Module):
    """One memory to a vector: (n, C, D, h, w) to (n, out_features).

    C: memory entries, and D: the channels of each (2 and 32 in the paper's layout), the axis that attention weighs.
    AvgPool3d(1, 2, 2); a pointwise Conv3d from C to `base`; GroupNorm; GELU. The mean over h and w gives base x D
    descriptors; an MLP of two layers with GELU reads those of each channel and gives its logit; softmax over D
    weighs the D maps, whose sum is pooled to S x S, averaged, and projected. The paper leaves open which norm it is
    (here GroupNorm) and how wide the MLP is (here `base`).

    S (`pool`) is inert where it divides the map, halved by the first pooling, or is a multiple of it: the mean of
    means over equal windows is the mean. Then the mean is taken before the weighted sum, which is the same, and
    faster.
    """

    def __init__(self, entries: int, *, base: int, out_features: int, pool: int) -> None:
        super().__init__()
        self.out_features, self.pool = out_features, pool
        self.mix = nn.Sequential(
            nn.AvgPool3d((1, 2, 2)),
            nn.Conv3d(entries, base, 1),
            nn.GroupNorm(math.gcd(NORM_GROUPS, base), base),
            nn.GELU(),
        )
        self.logit = nn.Sequential(nn.Linear(base, base), nn.GELU(), nn.Linear(base, 1))
        self.project = nn.Linear(base, out_features)

    def weights(self, memory: torch.Tensor) -> torch.Tensor:
        """The weight of each channel (n, D); those of a patient sum to 1."""
        return self._weights(self.mix(memory).mean(dim=(3, 4)))

    def forward(self, memory: torch.Tensor) -> torch.Tensor:
        """memory: (n, C, D, h, w), h and w at least 2. Raises ValueError for other axes or smaller maps."""
        if memory.ndim != 5 or min(memory.shape[3:]) < 2:
            raise ValueError(
                "expected memories (n, entries, channels, h, w) of at least 2 x 2 pixels, "
                f"got {tuple(memory.shape)}"
            )
        mixed = self.mix(memory)
        descriptors = mixed.mean(dim=(3, 4))
        weights = self._weights(descriptors)
        if self._inert(mixed.shape[3]) and self._inert(mixed.shape[4]):
            pooled = torch.einsum("nbd,nd->nb", descriptors, weights)
        else:
            summed = torch.einsum("nbdhw,nd->nbhw", mixed, weights)
            pooled = nn.functional.adaptive_avg_pool2d(summed, self.pool).mean(dim=(2, 3))
        vectors: torch.Tensor = self.project(pooled)
        return vectors

    def _weights(self, descriptors: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.logit(descriptors.transpose(1, 2)).squeeze(2)
        return torch.softmax(logits, dim=1)

    def _inert(self, pixels: int) -> bool:
        return pixels % self.pool == 0 or self.pool % pixels == 0
