"""A backbone without a network, for tests: milliseconds a slice, and it keeps the whole contract.

Its memory is the slice averaged over a grid, times what the prompt covers, plus a share of the memory before it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from engram.memory.contract import Frames, Prompt, Reading, Recall, SliceFeatures

_CHANNELS, _SIDE, _MASK_SIDE, _WIDTH = 4, 8, 32, 6
_SHARE = 0.1  # of the memory before it that a slice takes over


class FakeBackbone:
    """Deterministic, and untrained in every sense."""

    name = "fake"
    digest = "fake-1"
    untrained = True
    verified = False
    image_size = 64
    bank_length = memory_length = 3

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    def encode(self, frames: Frames) -> list[SliceFeatures]:
        """Means of the slice over a grid: levels (64, 1, 4) and (16, 1, 4)."""
        unit = torch.from_numpy(np.ascontiguousarray(frames)).float()[:, None] / 255
        maps = [functional.adaptive_avg_pool2d(unit, side).expand(-1, _CHANNELS, -1, -1) for side in (_SIDE, 4)]
        position = torch.zeros(16, 1, _CHANNELS)
        return [
            SliceFeatures(tuple(m[i].reshape(_CHANNELS, -1).T[:, None].clone() for m in maps), position)
            for i in range(len(frames))
        ]

    def read(
        self, features: SliceFeatures, prompt: Prompt | None, recall: Recall | None, frame_shape: tuple[int, int]
    ) -> Reading:
        """The mask is what the prompt covers; without one, it is where the last memory is above its mean."""
        image = features.levels[0][:, 0].T.reshape(_CHANNELS, _SIDE, _SIDE)
        past = self._past(recall)
        covered = self._covered(prompt, frame_shape) if prompt is not None else (past > past.mean()).float()
        memory = image * (0.5 + covered) + _SHARE * past.to(recall.bank_dtype if recall else torch.float32).float()
        logits = functional.interpolate((20 * covered - 10)[None, None], size=(_MASK_SIDE, _MASK_SIDE))[0, 0]
        score = memory.mean()
        return Reading(memory, memory.mean().expand(_WIDTH).clone(), logits, score, torch.sigmoid(score))

    def _past(self, recall: Recall | None) -> torch.Tensor:
        if recall is None:
            return torch.zeros(_SIDE, _SIDE)
        near = [entry for entry in recall.tracked if entry.distance <= self.bank_length]
        latest = (*near, *recall.conditioning)[0]
        return latest.memory.mean(dim=0) / latest.distance

    @staticmethod
    def _covered(prompt: Prompt, frame_shape: tuple[int, int]) -> torch.Tensor:
        height, width = frame_shape
        plane = torch.zeros(1, height, width)
        if prompt.mask is not None:
            plane[0] = torch.from_numpy(prompt.mask).float()
        elif prompt.points is not None:
            x0, y0 = np.floor(prompt.points.min(axis=0)).astype(int)
            x1, y1 = np.ceil(prompt.points.max(axis=0)).astype(int)
            plane[0, max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1] = 1
        return functional.adaptive_avg_pool2d(plane, _SIDE)[0]
