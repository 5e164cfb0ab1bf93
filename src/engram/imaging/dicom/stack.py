"""Slices of one series in their places: sorted along their normal, and on one grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.imaging.dicom.series import ImageSlice
from engram.imaging.volume import Grid


@dataclass(frozen=True, eq=False)
class Stack:
    """A volume as its files have it, before any voxel is read.

    slices: along the normal of the slices, which is row direction x column direction; array axis 0 follows them.
    grid: shape (slices, rows, columns), directions as stored (not yet LPS); the spacing of its first axis is the
    mean gap.
    gaps_mm: (n - 1,), from slice to slice along the normal. largest_shift_mm: how far the grid puts the worst
    slice from where its file says it is. notes: what a user should know (unequal gaps, ...), without identifiers.
    """

    slices: tuple[ImageSlice, ...]
    grid: Grid
    gaps_mm: npt.NDArray[np.float64]
    largest_shift_mm: float
    notes: tuple[str, ...] = ()
