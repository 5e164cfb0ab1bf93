"""Polygons to pixels: a pixel is inside where its centre is, or lies on the line itself.

DICOM PS3.3 C.8.8.6.3: points on the path of a contour belong to it. Programs that trace pixel masks draw their
contours through pixel centres, and would otherwise lose the last row and column.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]

_ON_LINE = 1e-3  # pixels; decimal strings of DICOM put a point on a pixel centre so far off it


def inside(polygon: Points, shape: tuple[int, int]) -> Mask:
    """Even-odd inside, bool (rows, columns), of one closed polygon (n, 2) of (column, row) in pixels.

    Of pixel centres on the line, those at its left and upper side are in: polygons that share a side share no
    pixel. A channel that a keyhole contour runs both ways cancels itself.
    """
    flips = np.zeros((shape[0], shape[1] + 1), dtype=np.uint8)
    row, column = _crossings(_snapped(polygon), shape[0])
    np.add.at(flips, (row, np.clip(np.ceil(column), 0, shape[1]).astype(np.int64)), 1)
    filled: Mask = np.cumsum(flips, axis=1, dtype=np.uint8)[:, :-1] % 2 == 1  # what 256 wraps is even
    return filled


def outline(polygon: Points, shape: tuple[int, int]) -> Mask:
    """Pixels (rows, columns) whose centre lies on a side of the polygon, within a thousandth of a pixel."""
    drawn = np.zeros(shape, dtype=np.bool_)
    points = _snapped(polygon)
    row, column = _crossings(points, shape[0])
    found = np.concatenate([np.column_stack([column, row]), points])
    found = found[np.all(found == np.rint(found), axis=1)]
    found = found[np.all((found >= 0) & (found < shape[::-1]), axis=1)].astype(np.int64)
    drawn[found[:, 1], found[:, 0]] = True
    _draw_level_sides(drawn, points)
    return drawn


def _draw_level_sides(drawn: Mask, points: Points) -> None:
    rows, columns = drawn.shape
    ends = np.roll(points, -1, axis=0)
    level = (points[:, 1] == ends[:, 1]) & (points[:, 1] == np.rint(points[:, 1]))
    for (x0, y), (x1, _) in zip(points[level], ends[level], strict=True):
        if 0 <= y < rows:
            first, last = max(np.ceil(min(x0, x1)), 0), min(np.floor(max(x0, x1)), columns - 1)
            drawn[int(y), int(first) : int(last) + 1] = True


def _snapped(polygon: Points) -> Points:
    nearest = np.rint(polygon)
    return np.where(np.abs(polygon - nearest) <= _ON_LINE, nearest, polygon)


def _crossings(points: Points, rows: int) -> tuple[npt.NDArray[np.int64], Points]:
    """Where the sides cross each row of pixel centres: rows (m,), columns (m,). The lower end of a side is out."""
    ends = np.roll(points, -1, axis=0)
    first = np.clip(np.ceil(np.minimum(points[:, 1], ends[:, 1])), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(points[:, 1], ends[:, 1])), 0, rows).astype(np.int64)
    count = last - first
    side = np.repeat(np.arange(len(points)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[side]
    start, end = points[side], ends[side]
    column = start[:, 0] + (row - start[:, 1]) / (end[:, 1] - start[:, 1]) * (end[:, 0] - start[:, 0])
    return row, _snapped(column)
