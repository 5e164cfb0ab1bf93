"""The box prompt of each axial slice (paper 2.3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.roi.regions import Mask


@dataclass(frozen=True, eq=False)
class SliceBoxes:
    """The slices that are read, and their boxes.

    slices: int (n,), ascending indices into `to_frames` (0 = most superior).
    boxes: float32 (n, 4): x_min, y_min, x_max, y_max, inclusive pixel indices as in MedSAM2.
    """

    slices: npt.NDArray[np.intp]
    boxes: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.slices), 4):
            raise ValueError(
                f"{len(self.slices)} slices need ({len(self.slices)}, 4) boxes, not {self.boxes.shape}"
            )

    def __len__(self) -> int:
        return len(self.slices)


def slice_boxes(mask: Mask, *, stride: int = 1) -> SliceBoxes:
    """Tight 2-D boxes of a mask (z, y, x), z towards superior, from superior to inferior.

    Of the slices that have mask, every `stride`-th is kept, starting at the most superior (paper: every
    second). Raises ValueError where the mask is empty or not 3-D, or stride < 1.
    """
    if mask.ndim != 3 or stride < 1 or not mask.any():
        raise ValueError(f"need a (z, y, x) mask with voxels and stride >= 1, not {mask.shape}, stride {stride}")
    top_down = mask[::-1]
    slices = np.flatnonzero(top_down.any(axis=(1, 2)))[::stride]
    return SliceBoxes(slices, np.array([_tight_box(top_down[i]) for i in slices], dtype=np.float32))


def _tight_box(plane: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])
