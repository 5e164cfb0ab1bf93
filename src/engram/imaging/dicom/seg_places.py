"""Where a frame of a segmentation lies on the slices of a series: voxel on voxel, or refused.

Other programs write frames with rows or columns turned round, exchanged, or cropped: that is the same voxels in
another order, and is read so. Anything that would need resampling is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from engram.imaging.dicom.contour_places import Floats, Slices
from engram.imaging.dicom.polygon import Mask

SAME_PLACE = 0.1  # of the smallest voxel side, as `engram.imaging.volume` has it for grids


def functional_group(own: Dataset, shared: Dataset, keyword: str) -> Dataset:
    """The item of a functional group: the frame's own, else that of all frames. Raises ValueError without one."""
    items = own.get(keyword) or shared.get(keyword)
    if not items:
        raise ValueError(f"a frame without {keyword}")
    item: Dataset = items[0]
    return item


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame as its functional groups place it. Fields as in `engram.imaging.dicom.series.ImageSlice`."""

    position_mm: Floats
    orientation: Floats
    pixel_spacing_mm: Floats
    shape: tuple[int, int]

    def describe(self) -> str:
        """The geometry in one line, for messages."""
        rows, columns = self.shape
        between_rows, between_columns = self.pixel_spacing_mm
        x, y, z = self.position_mm
        return (
            f"frames of {columns} x {rows} pixels of {between_columns:.4g} x {between_rows:.4g} mm, "
            f"one at {x:.1f}, {y:.1f}, {z:.1f} mm"
        )


@dataclass(frozen=True, eq=False)
class FramePlace:
    """index: of the slice. off_mm: the worst corner. first: (row, column) of the frame's first pixel in the slice.

    steps: int (2, 2), what one row and one column of the frame are in (rows, columns) of the slice.
    """

    index: int
    off_mm: float
    first: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]

    @property
    def turned(self) -> bool:
        """Whether one step in the frame is one in the slice: rows and columns as they are, flipped or swapped."""
        along = np.abs(self.steps)
        return bool((along.sum(axis=0) == 1).all() and (along.sum(axis=1) == 1).all())

    def window(self, inside: Mask) -> tuple[Mask, npt.NDArray[np.int64]]:
        """The rectangle around what is set in the frame, turned as the slice is, and the pixel where it begins.

        inside: of a frame that is `turned`, with a pixel set.
        """
        to_rows, to_columns = self.steps.sum(axis=0).tolist()
        straight = inside if self.steps[0, 0] else inside.T
        slice_like = straight[::to_rows, ::to_columns]
        last = self.first + (np.array(inside.shape) - 1) @ self.steps
        rows, columns = (np.flatnonzero(slice_like.any(axis=axis)) for axis in (1, 0))
        begin = np.minimum(self.first, last) + np.array([rows[0], columns[0]])
        return slice_like[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], begin


def place_frame(frame: Frame, slices: Slices) -> FramePlace:
    """The slice whose plane is nearest to the frame, and how its pixels follow those of the slice."""
    corners = np.array([[0, 0], [0, frame.shape[1] - 1], [frame.shape[0] - 1, 0], np.array(frame.shape) - 1])
    world = _world_mm(frame, corners)
    index = int(np.argmin(np.abs(slices.heights_mm - world[0] @ slices.normal)))
    exact = _in_slice(world, slices, index)
    unit = _in_slice(_world_mm(frame, np.array([[0, 0], [1, 0], [0, 1]])), slices, index)[:, 1:]
    first, steps = np.rint(unit[0]), np.rint(unit[1:] - unit[0])
    meant = np.column_stack([np.zeros(4), corners @ steps + first])
    _, between_rows, between_columns = slices.stack.grid.spacing_mm
    off_mm = float(np.linalg.norm((exact - meant) * [1.0, between_rows, between_columns], axis=1).max())
    return FramePlace(index, off_mm, first.astype(np.int64), steps.astype(np.int64))


def _world_mm(frame: Frame, pixels: npt.NDArray[np.int64]) -> Floats:
    """Of (row, column) in the frame. Orientation is that of a row first: to the next column."""
    to_column, to_row = np.reshape(frame.orientation, (2, 3))
    between_rows, between_columns = frame.pixel_spacing_mm
    steps = np.stack([to_row * between_rows, to_column * between_columns])
    moved: Floats = frame.position_mm + pixels @ steps
    return moved


def _in_slice(world: Floats, slices: Slices, index: int) -> Floats:
    """(mm above the slice, row, column) of points in the world."""
    axes = np.reshape(slices.stack.grid.direction, (3, 3))
    _, between_rows, between_columns = slices.stack.grid.spacing_mm
    offsets = world - np.array(slices.stack.slices[index].position_mm)
    return np.column_stack(
        [offsets @ slices.normal, offsets @ axes[:, 1] / between_rows, offsets @ axes[:, 0] / between_columns]
    )
