"""Normalised mutual information of two scans over shifts of the one (Studholme, Hill and Hawkes 1999).

(H(a) + H(b)) / H(a, b) of the joint histogram: 1 where nothing is shared, 2 where each tells the other. It is
little biased by how much of the scans overlaps, which changes with the shift.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from engram.imaging.coarse import Steps

BINS = 32
OUTSIDE = BINS  # the bin of what was not measured
_MOST_SAMPLES = 200_000

Bins = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float64]


def binned(values: npt.NDArray[np.float32], low: float, high: float) -> Bins:
    """Bin 0 to 31 of each value from `low` to `high`, clipped; OUTSIDE where it is NaN."""
    share = np.clip((values - np.float32(low)) / np.float32(high - low), 0, np.float32(1 - 1e-6))
    return np.where(np.isnan(values), np.float32(OUTSIDE), share * np.float32(BINS)).astype(np.uint8)


def over_shifts(fixed: Bins, moving: Bins, reach: Steps, fewest: int) -> Scores:
    """The information at every shift of `moving` by -reach to +reach voxels (z, y, x), the middle being none.

    moving: larger than `fixed` by `reach` voxels on each side. NaN where fewer than `fewest` voxels, or than half
    of those at no shift, are known to both. At most 200,000 voxels are looked at, evenly spread; always the same.
    """
    chosen = np.linspace(0, fixed.size - 1, min(fixed.size, _MOST_SAMPLES)).astype(np.int64)
    z, y, x = np.unravel_index(chosen, fixed.shape)
    rows = fixed.ravel()[chosen].astype(np.int64) * (BINS + 1)
    _, height, width = moving.shape
    places = ((z + reach[0]) * height + y + reach[1]) * width + x + reach[2]
    flat = moving.ravel()
    fewest = max(fewest, int((flat[places] != OUTSIDE).sum()) // 2)
    scores = np.empty([2 * r + 1 for r in reach])
    for dz, dy, dx in product(*(range(-r, r + 1) for r in reach)):
        met = flat[places - ((dz * height + dy) * width + dx)]
        joint = np.bincount(rows + met, minlength=BINS * (BINS + 1)).reshape(BINS, BINS + 1)[:, :BINS]
        scores[dz + reach[0], dy + reach[1], dx + reach[2]] = (
            information(joint) if joint.sum() >= fewest else np.nan
        )
    return scores


def information(joint: npt.NDArray[np.int64]) -> float:
    """Normalised mutual information, 1 to 2, of a joint histogram; 1 where both are constant."""
    together = _entropy(joint.ravel())
    return (_entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))) / together if together > 0 else 1.0


def _entropy(counts: npt.NDArray[np.int64]) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())
