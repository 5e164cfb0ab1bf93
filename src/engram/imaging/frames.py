"""Volumes as 8-bit frames, the pictures that a SAM 2 model reads (paper 2.3.1; windows: requirement 8)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engram.imaging.volume import Volume


def to_frames(volume: Volume, window: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Axial slices as uint8 (n, h, w), the most superior first.

    Row 0 is anterior, column 0 is the patient's right. Values go linearly from `window`'s low (0) to high
    (255), clipped outside; computed in float32 and rounded to the nearest integer, halves to even.
    Raises ValueError unless low < high.
    """
    frames = np.empty(volume.grid.shape, dtype=np.uint8)
    for frame, plane in zip(frames, volume.voxels[::-1], strict=True):
        frame[:] = to_frame(plane, window)
    return frames


def to_frame(plane: npt.NDArray[Any], window: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """One axial slice (y, x) as `to_frames` shows it, uint8 (h, w). Raises ValueError unless low < high."""
    low, high = window
    if not low < high:
        raise ValueError(f"a window goes from low to high, not from {low} to {high}")
    share = (plane.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return np.asarray(np.rint(np.clip(share, 0.0, 1.0) * np.float32(255.0)), dtype=np.uint8)
