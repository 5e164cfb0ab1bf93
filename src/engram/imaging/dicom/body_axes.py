"""Arrays in the order of their files to arrays in the order of `Volume`, and back: views, nothing is copied."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, degrees, radians
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from engram.errors import ImagingError
from engram.imaging.orientation import MAX_TILT_DEGREES
from engram.imaging.volume import Grid

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class BodyAxes:
    """How to turn an array on `stored` so that z grows towards superior, y posterior and x towards left.

    order: for the new axes z, y, x, which axis of the stored array each is. flipped: whether it runs the other way.
    """

    stored: Grid
    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    @property
    def grid(self) -> Grid:
        """The grid of the turned array: the same voxels at the same places."""
        stored, z, y, x = self.stored, *self.order
        axes = np.reshape(stored.direction, (3, 3))[:, ::-1]  # a column each for stored array axes 0, 1, 2
        signs = np.where(self.flipped, -1.0, 1.0)
        steps = axes * np.array(stored.spacing_mm)
        last = [stored.shape[axis] - 1 if flip else 0 for axis, flip in zip(self.order, self.flipped, strict=True)]
        corner = np.array(stored.origin_mm) + steps[:, list(self.order)] @ np.array(last, dtype=np.float64)
        turned = (axes[:, list(self.order)] * signs)[:, ::-1] + 0.0  # no cosine is -0.0
        a, b, c = corner.tolist()
        shape = (stored.shape[z], stored.shape[y], stored.shape[x])
        spacing = (stored.spacing_mm[z], stored.spacing_mm[y], stored.spacing_mm[x])
        return Grid(shape, spacing, (a, b, c), tuple(turned.ravel().tolist()))

    def turned(self, voxels: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """A view, in body order, of an array in stored order."""
        return np.flip(voxels.transpose(self.order), self._flips())

    def as_stored(self, voxels: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """A view, in stored order, of an array in body order: what is written to it lands in its place."""
        return np.flip(voxels, self._flips()).transpose(np.argsort(self.order))

    def _flips(self) -> tuple[int, ...]:
        return tuple(axis for axis, flip in enumerate(self.flipped) if flip)


def body_axes(grid: Grid, *, patient_id: str, what: str, file: str) -> BodyAxes:
    """The turn of a grid. Raises ImagingError where it is more than 30 degrees off the axes of the body."""
    axes = np.reshape(grid.direction, (3, 3))[:, ::-1]
    cosines = axes[::-1]  # rows: z, y, x of the body; columns: stored array axes
    z, y, x = np.abs(cosines).argmax(axis=1).tolist()
    along = cosines[[0, 1, 2], [z, y, x]]
    if len({z, y, x}) < 3 or np.abs(along).min() < cos(radians(MAX_TILT_DEGREES)):
        tilt = degrees(float(np.arccos(np.clip(np.abs(along).min(), 0, 1))))
        value = f"{tilt:.0f} degrees off the body axes, at most {MAX_TILT_DEGREES:.0f}"
        raise ImagingError(
            patient_id, f"{what} is tilted", file=file, value=value, mend="Resample it to axial slices."
        )
    first, second, third = (along < 0).tolist()
    return BodyAxes(grid, (z, y, x), (first, second, third))
