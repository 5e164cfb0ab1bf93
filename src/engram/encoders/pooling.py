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


def read_region(
    encoder: Encoder,
    frames: Frames,
    mask: Mask,
    reading: Reading,
    *,
    batch: int = 1,
    progress: Progress | None = None,
) -> Float32:
    """The mean feature of a region: float32 (channels,), gathered in float64.

    frames: uint8 (n, h, w), most superior first; mask: bool (n, h, w), z towards superior; batch: slices encoded at
    once; progress: is told slices done and slices in all. Raises ValueError where the mask is empty.
    """
    chosen = reading.choose(mask)
    total: npt.NDArray[np.float64] | float = 0.0
    weight = 0.0
    for start in range(0, len(chosen), batch):
        part = chosen[start : start + batch]
        planes = mask[::-1][part]
        shown = np.where(planes, frames[part], np.uint8(0)) if reading.masked else frames[part]
        for features, plane in zip(encoder.encode(shown), planes, strict=True):
            pixels = features.reshape(len(features), -1).astype(np.float64)
            weights = _weights(plane, features.shape[1:], reading)
            total, weight = total + pixels @ weights, weight + float(weights.sum())
        if progress is not None:
            progress(min(start + batch, len(chosen)), len(chosen))
    return np.asarray(total / weight, dtype=np.float32)


def _weights(plane: npt.NDArray[np.bool_], grid: tuple[int, ...], reading: Reading) -> npt.NDArray[np.float64]:
    height, width = grid
    return np.ones(height * width) if reading.masked else coverage(plane, (height, width)).ravel()
