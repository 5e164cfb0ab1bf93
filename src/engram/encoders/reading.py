"""Which slices of a region an encoder reads, and of which pixels the mean is kept (requirement 26).

The paper leaves depth, slices and masking of its ResNet open. The defaults here: the middle slices of the region,
black outside it, the mean over pixels and slices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engram.files import digest
from engram.roi.boxes import slice_boxes
from engram.roi.regions import Mask

# Raised by hand whenever a change of code changes a vector, so that no old one is read back.
READING_VERSION = 1


@dataclass(frozen=True)
class Reading:
    """Which slices, and which of their pixels.

    stride: of the slices that have mask, every stride-th can be read, as by the memory; slices: of these, how many
    nearest the middle of the region, None for all. masked: pixels outside the region are black and the mean is over
    the whole frame; else the frame is as it is, and a pixel of the map weighs as the share of it that the region
    covers.
    """

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
