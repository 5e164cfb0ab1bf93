"""One vector a region: the mean feature of what an encoder was shown of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engram.encoders.contract import Encoder, Float32
from engram.encoders.reading import Reading
from engram.jobs import Progress
from engram.memory.contract import Frames
from engram.memory.drawn import coverage
from engram.roi.regions import Mask


class RegionMean:
    """The mean feature of a region, gathered in float64.

    Slices may come in any order: they are summed from the top, so that the order changes no bit.
    """

    def __init__(self, mask: Mask, reading: Reading) -> None:
        """mask: bool (n, h, w), z towards superior. Raises ValueError where it is empty."""
        self._mask, self._reading = mask, reading
        self._wanted = reading.choose(mask)
        self._sums: dict[int, tuple[npt.NDArray[np.float64], float]] = {}

    @property
    def slices(self) -> int:
        """How many slices make it up."""
        return len(self._wanted)

    @property
    def missing(self) -> npt.NDArray[np.intp]:
        """The slices that are still to come, ascending, 0 being the most superior."""
        return np.array([z for z in self._wanted if int(z) not in self._sums], dtype=np.intp)

    def wants(self, z: int) -> bool:
        """Whether this slice is among those still to come."""
        return z not in self._sums and z in self._wanted

    def add(self, z: int, features: Float32) -> None:
        """Take a wanted slice: its feature map (channels, h, w)."""
        height, width = features.shape[1:]
        plane = self._mask[len(self._mask) - 1 - z]
        whole = self._reading.masked
        weights = np.ones(height * width) if whole else coverage(plane, (height, width)).ravel()
        pixels = features.reshape(len(features), -1).astype(np.float64)
        self._sums[z] = pixels @ weights, float(weights.sum())

    def vector(self) -> Float32:
        """Float32 (channels,), once no slice is missing."""
        in_order = [self._sums[z] for z in sorted(self._sums)]
        weight = sum(weight for _, weight in in_order)
        return np.asarray(sum(total for total, _ in in_order) / weight, dtype=np.float32)


def read_region(
    encoder: Encoder,
    frames: Frames,
    mask: Mask,
    reading: Reading,
    *,
    batch: int = 1,
    begun: RegionMean | None = None,
    progress: Progress | None = None,
) -> Float32:
    """The mean feature of a region: float32 (channels,).

    frames: uint8 (n, h, w), most superior first; mask: bool (n, h, w), z towards superior; batch: slices encoded at
    once; begun: what other work has read of it already; progress: is told slices done and slices to do. Raises
    ValueError where the mask is empty.
    """
    mean = begun if begun is not None else RegionMean(mask, reading)
    missing = mean.missing
    for start in range(0, len(missing), batch):
        part = missing[start : start + batch]
        shown = np.where(mask[::-1][part], frames[part], np.uint8(0)) if reading.masked else frames[part]
        for z, features in zip(part, encoder.encode(shown), strict=True):
            mean.add(int(z), features)
        if progress is not None:
            progress(min(start + batch, len(missing)), len(missing))
    return mean.vector()
