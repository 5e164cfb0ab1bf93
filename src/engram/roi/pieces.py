"""The connected pieces of a mask, found slice by slice, so that memory does not grow with the study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from engram.imaging.coverage import Mask, bounding_box

_AROUND = np.ones((3, 3), dtype=np.bool_)  # in a slice voxels touch at sides and corners; between slices, at faces


@dataclass(frozen=True, eq=False)
class Pieces:
    """Connected pieces, the largest first.

    voxels: int (n,), of each piece. centres: (n, 3), mean index (z, y, x) of each. low, high: int (n, 3), its first
    and last index (z, y, x).
    """

    voxels: npt.NDArray[np.int64]
    centres: npt.NDArray[np.float64]
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.voxels)

    def gaps_mm(self, spacing_mm: tuple[float, float, float]) -> npt.NDArray[np.float64]:
        """Distance (n,) in mm from the box around each piece to that around the largest; 0 where boxes meet."""
        apart = np.maximum(self.low - self.high[0], self.low[0] - self.high)
        return np.asarray(np.linalg.norm(np.maximum(apart - 1, 0) * spacing_mm, axis=1))


def pieces_of(mask: Mask) -> Pieces:
    """The pieces of a mask (z, y, x); none where it is empty."""
    builder, box = _Builder(), bounding_box(mask)
    if box is None:
        return builder.merged((0, 0, 0))
    for z, plane in enumerate(mask[box]):
        builder.add(z, plane)
    return builder.merged(tuple(axis.start for axis in box))


@dataclass(frozen=True, eq=False)
class _Labels:
    """The pieces of one plane: int32 (y, x), 0 none, i + 1 the piece `first` + i of all."""

    plane: npt.NDArray[np.int32]
    count: int
    first: int


class _Builder:
    """Two-dimensional pieces of each slice, joined with those of the slice before by a union-find."""

    def __init__(self) -> None:
        self.parents: list[int] = []
        self.found: list[tuple[int, ...]] = []  # voxels, sums of y and x, low and high (z, y, x) of plane pieces
        self.before: _Labels | None = None

    def add(self, z: int, plane: npt.NDArray[np.bool_]) -> None:
        if not plane.any():
            self.before = None
            return
        labels = np.empty(plane.shape, dtype=np.int32)
        count = ndimage.label(plane, structure=_AROUND, output=labels)
        here = _Labels(labels, count, len(self.parents))
        self.parents.extend(range(here.first, here.first + count))
        sums = _sums(labels, count)
        for (size, y, x), (rows, columns) in zip(sums, ndimage.find_objects(labels), strict=True):
            ends = (z, rows.start, columns.start, z, rows.stop - 1, columns.stop - 1)
            self.found.append((int(size), int(y), int(x), *ends))
        if self.before is not None:
            self._join(here, self.before)
        self.before = here

    def _join(self, here: _Labels, before: _Labels) -> None:
        pairs = np.bincount(
            (here.plane * (before.count + 1) + before.plane).ravel(),
            minlength=(here.count + 1) * (before.count + 1),
        ).reshape(here.count + 1, before.count + 1)
        for a, b in np.argwhere(pairs[1:, 1:]):
            self.parents[self._root(here.first + int(a))] = self._root(before.first + int(b))

    def _root(self, i: int) -> int:
        while self.parents[i] != i:
            self.parents[i] = self.parents[self.parents[i]]
            i = self.parents[i]
        return i

    def merged(self, corner: tuple[int, ...]) -> Pieces:
        table = np.array(self.found, dtype=np.int64).reshape(-1, 9)
        roots = np.array([self._root(i) for i in range(len(table))], dtype=np.int64)
        names, piece = np.unique(roots, return_inverse=True)
        totals = np.zeros((len(names), 4), dtype=np.int64)  # voxels, sums of z, y, x
        low, high = np.full((len(names), 3), np.iinfo(np.int64).max), np.full((len(names), 3), -1)
        np.add.at(totals, piece, np.column_stack([table[:, 0], table[:, 0] * table[:, 3], table[:, 1:3]]))
        np.minimum.at(low, piece, table[:, 3:6])
        np.maximum.at(high, piece, table[:, 6:9])
        order = np.argsort(-totals[:, 0], kind="stable")
        voxels, start = totals[order, 0], np.array(corner, dtype=np.int64)
        centres = totals[order, 1:] / voxels[:, None] + start
        return Pieces(voxels, centres, low[order] + start, high[order] + start)


def _sums(labels: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int64]:
    """Voxels and sums of y and x, int (count, 3), of the pieces of a plane."""
    rows, columns = np.nonzero(labels)
    found = labels[rows, columns]
    weights = (None, rows, columns)
    return np.stack([np.bincount(found, w, count + 1)[1:] for w in weights], axis=1).astype(np.int64)
