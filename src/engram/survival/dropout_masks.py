"""Dropout masks of small networks, drawn cheaply: a mask would else cost more than the layer that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

_LEVELS = 2**16  # a number is dropped with a probability that is a multiple of 1 / _LEVELS
_STEPS = 8  # masks drawn at once; the numbers do not depend on it


class Masks:
    """The masks of one dropout layer for s networks.

    p: probability of dropping, rounded to a multiple of 2**-16; what is kept is multiplied by the inverse of the
    rounded probability of keeping, so that means are exact. seeds, counts: of each network, and its patients.
    place: of the layer in its network, so that each layer draws its own. width: numbers a patient.
    A network's masks depend on its own seed, place, count and width, and on no other network.
    """

    def __init__(self, p: float, seeds: Sequence[int], counts: Sequence[int], *, place: int, width: int) -> None:
        dropped = min(round(p * _LEVELS), _LEVELS - 1)
        self._dropped, self._scale = np.uint16(dropped), np.float32(_LEVELS / (_LEVELS - dropped))
        self._bits = [np.random.SFC64([seed, place]) for seed in seeds]
        self._sizes = [count * width for count in counts]
        shape = (len(seeds), max(counts), width)
        self._mask = np.zeros(shape, dtype=np.float32)
        self._drawn = np.zeros((_STEPS, len(seeds), shape[1] * width), dtype=np.uint16)
        self._used = _STEPS

    def draw(self) -> torch.Tensor:
        """The next masks, float32 (s, n, width), 0 or one over the probability of keeping, and 0 or that in rows
        that pad; valid until the next call."""
        if self._used == _STEPS:
            self._draw_steps()
        kept = self._drawn[self._used].reshape(self._mask.shape) >= self._dropped
        np.multiply(kept, self._scale, out=self._mask)
        self._used += 1
        return torch.from_numpy(self._mask)

    def _draw_steps(self) -> None:
        for network, (bits, size) in enumerate(zip(self._bits, self._sizes, strict=True)):
            self._drawn[:, network, :size] = _numbers(bits, _STEPS * size).reshape(_STEPS, size)
        self._used = 0


def _numbers(bits: np.random.SFC64, count: int) -> npt.NDArray[np.uint16]:
    """The next `count` numbers of 16 bits, a multiple of 8; the same on machines of either byte order."""
    raw = np.asarray(bits.random_raw(count // 4), dtype="<u8")
    return raw.view("<u2").astype(np.uint16, copy=False)
