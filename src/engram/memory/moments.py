"""Mean, standard deviation and maximum of weighted vectors, gathered slice by slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Share:
    """What some weighted vectors add to their moments.

    weight: of them all, 0 where there is none; sums: float64 (2, width), of x and of its square; most: float64
    (width,), the maximum.
    """

    weight: float
    sums: Float64
    most: Float64

    @classmethod
    def of(cls, values: Float32, weights: Float64) -> Share:
        """values: (width, k); weights: (k,), at least 0. What weighs nothing is not seen."""
        seen = weights > 0
        if not seen.any():
            return cls(0.0, np.zeros((2, len(values))), np.full(len(values), -np.inf))
        x, w = values[:, seen].astype(np.float64), weights[seen]
        return cls(float(w.sum()), np.stack([x @ w, (x * x) @ w]), x.max(axis=1))


class Moments:
    """Weighted mean, standard deviation and maximum of vectors, gathered in float64; NaN where nothing came."""

    def __init__(self, width: int) -> None:
        self._weight = 0.0
        self._sums = np.zeros((2, width))
        self._most = np.full(width, -np.inf)

    def add(self, share: Share) -> None:
        """Take the share of some vectors."""
        self._weight += share.weight
        self._sums += share.sums
        self._most = np.maximum(self._most, share.most)

    def vector(self) -> Float32:
        """Mean, standard deviation and maximum, one after the other: float32 (3 * width,)."""
        if self._weight == 0:
            return np.full(3 * len(self._most), np.nan, dtype=np.float32)
        mean, square = self._sums / self._weight
        sd = np.sqrt(np.maximum(square - mean * mean, 0.0))
        return np.concatenate([mean, sd, self._most]).astype(np.float32)
