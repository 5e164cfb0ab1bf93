"""How slices are read by an encoder, and what is kept: one vector a region (requirement 26).

The paper leaves depth, slices and masking of its ResNet open. The defaults here: the middle slices of the region,
black outside it, the mean over pixels and slices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engram.encoders.contract import Encoder, Float32
from engram.files import digest
from engram.memory.contract import Frames
from engram.memory.drawn import coverage
from engram.roi.boxes import slice_boxes
from engram.roi.regions import Mask

# Raised by hand whenever a change of code changes a vector, so that no old one is read back.
READING_VERSION = 1


@dataclass(frozen=True)
class Reading:
    """stride: of the slices that have mask, every stride-th can be read, as by the memory; slices: of these, how many
    nearest the middle of the region, None for all. masked: pixels outside the region are black and the mean is over
    the whole frame; else the frame is as it is, and a pixel of the map weighs as the share of it that the region
    covers."""

    stride: int
    slices: int | None
    masked: bool

    @property
    def recipe(self) -> Mapping[str, Any]:
        """All that decides what is kept."""
        return {**asdict(self), "reading_version": READING_VERSION}

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the recipe."""
        return digest(dict(self.recipe))

    @property
    def words(self) -> str:
        """The reading in one line."""
        which = "all slices" if self.slices is None else f"the {self.slices} slices nearest the middle"
        kept = "black outside, mean over the frame" if self.masked else "mean over the pixels inside"
        return f"{which} of the region (stride {self.stride}), {kept}"

    def choose(self, mask: Mask) -> npt.NDArray[np.intp]:
        """The slices that are read, ascending, 0 being the most superior. mask: bool (z, y, x), z towards superior.

        Of two slices equally near the middle the superior one is taken first.
        """
        possible = slice_boxes(mask, stride=self.stride).slices
        if self.slices is None:
            return possible
        away = np.abs(2 * possible - (possible[0] + possible[-1]))
        return np.sort(possible[np.argsort(away, kind="stable")[: self.slices]])


def read_region(
    encoder: Encoder,
    frames: Frames,
    mask: Mask,
    reading: Reading,
    *,
    batch: int = 1,
    progress: Callable[[int, int], None] | None = None,
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
