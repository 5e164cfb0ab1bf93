"""Vertebrae C1 to L5, S1 and the sacrum of the phantom: a body, an arch around an open canal, processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.cohort.phantom.body import Body
from engram.cohort.phantom.shapes import Capsule, Cylinder, Ellipsoid, Point, Shape, tube

SACRUM, S1, L5, C1 = 25, 26, 27, 50

# z and y of the centres of the vertebral bodies, L5 first (mm, template).
_CENTERS = np.array(
    [
        *[(102, 48), (138, 36), (174, 30), (209, 30), (243, 35)],
        *[(275, 42), (304, 48), (331, 54), (357, 60), (382, 64), (406, 67)],
        *[(429, 68), (451, 67), (472, 64), (493, 60), (514, 54), (534, 47)],
        *[(554, 40), (572, 34), (589, 29), (606, 26), (623, 25), (641, 26), (661, 28)],
    ],
    dtype=np.float64,
)
_KNOTS = np.array([0, 4, 5, 11, 16, 17, 23])
_HALF_WIDTH = np.interp(np.arange(24), _KNOTS, [26, 23, 21, 16, 15, 13, 11])
_HALF_DEPTH = np.interp(np.arange(24), _KNOTS, [18, 17, 17, 14, 10, 9, 8])
_CANAL = np.interp(np.arange(24), _KNOTS, [10, 9.5, 9, 8.5, 9, 10, 11])
_SPINOUS = np.interp(np.arange(24), _KNOTS, [26, 26, 22, 24, 24, 24, 8])
_TRANSVERSE = np.interp(np.arange(24), _KNOTS, [24, 22, 12, 16, 20, 12, 18])

# z, y, half width, half depth of the sacral segments S1 to S5 and the coccyx.
_SACRAL = np.array(
    [(70, 58, 27, 17), (46, 75, 42, 14), (21, 87, 34, 12), (-2, 92, 25, 10), (-20, 88, 18, 8), (-37, 79, 9, 7)],
    dtype=np.float64,
)


@dataclass(frozen=True)
class LabelledShape:
    """A piece of bone and the label of its bone (TotalSegmentator v2 `total`; 0 where it has none)."""

    label: int
    shape: Shape


def spine(body: Body) -> list[LabelledShape]:
    """All vertebrae and the sacrum of one body."""
    centers = body.place(np.column_stack([np.zeros(24), _CENTERS[:, 1], _CENTERS[:, 0]]))
    pieces = [
        LabelledShape(L5 + k, shape) for k in range(24) for shape in _vertebra(body, centers, k, last=k == 23)
    ]
    return pieces + _sacrum(body)


def cord(body: Body) -> list[Capsule]:
    """The spinal cord and the nerve roots within the canal, from C1 to L3."""
    points = [(0, y + b + c, z) for (z, y), b, c in zip(_CENTERS, _HALF_DEPTH, _CANAL, strict=True)]
    return tube(body.place(points[2:]), body.length(5.5))


def vertebra_level(number: int) -> tuple[float, float]:
    """z and y (mm, template) of thoracic vertebra 1 to 12: where its rib begins."""
    z, y = _CENTERS[17 - number]
    return float(z), float(y)


def _vertebra(body: Body, centers: Point, k: int, *, last: bool) -> list[Shape]:
    low, high = centers[max(k - 1, 0)], centers[min(k + 1, 23)]
    axes = frame(body, high - low)
    pitch = float(np.linalg.norm(high - low)) / (2 if 0 < k < 23 else 1)
    a, b, canal = body.length([_HALF_WIDTH[k], _HALF_DEPTH[k], _CANAL[k]])
    wall = float(body.length(6.0))
    behind = centers[k] + axes[:, 1] * (b + canal)
    ring = Cylinder(behind, np.array([canal + wall, canal + wall, 0.34 * pitch]), axes, wall)
    # C1 has no body of its own: only the front of its ring.
    front = Ellipsoid(centers[k], np.array([a, 0.8 * b, 0.3 * pitch]), axes)
    disc = Cylinder(centers[k], np.array([a, b, 0.4 * pitch]), axes)
    return [front if last else disc, ring, *_processes(body, k, behind, axes, float(canal))]


def _processes(body: Body, k: int, behind: Point, axes: npt.NDArray[np.float64], canal: float) -> list[Shape]:
    left, back, up = axes.T
    spinous, transverse = body.length(_SPINOUS[k]), body.length(_TRANSVERSE[k])
    root = behind + back * (canal + 2)
    shapes: list[Shape] = [Capsule(root, root + back * spinous * 0.8 - up * spinous * 0.45, 5.5, 4.5)]
    for side in (left, -left):
        start = behind + side * (canal + 2)
        shapes.append(Capsule(start, start + side * transverse + back * 3, 5.5, 4.0))
    return shapes


def _sacrum(body: Body) -> list[LabelledShape]:
    centers = body.place(np.column_stack([np.zeros(6), _SACRAL[:, 1], _SACRAL[:, 0]]))
    pieces = []
    for k in range(6):
        along = centers[max(k - 1, 0)] - centers[min(k + 1, 5)]
        axes, half = frame(body, along), 0.48 * float(np.linalg.norm(along)) / (2 if 0 < k < 5 else 1)
        semi = np.array([*body.length(_SACRAL[k, 2:]), half])
        pieces.append(LabelledShape(S1 if k == 0 else SACRUM, Cylinder(centers[k], semi, axes)))
        if k < 3:
            radius, wall = body.length(14.0), float(body.length(5.0))
            canal = centers[k] + axes[:, 1] * (semi[1] + radius - wall)
            ring = Cylinder(canal, np.array([radius * 1.3, radius, half]), axes, wall)
            pieces.append(LabelledShape(S1 if k == 0 else SACRUM, ring))
    wings = [Ellipsoid(body.place((s * 36, 68, 62)), body.length([19, 16, 24]), body.turn) for s in (1, -1)]
    return pieces + [LabelledShape(SACRUM, wing) for wing in wings]


def frame(body: Body, upwards: Point) -> npt.NDArray[np.float64]:
    """Columns left, back, up of a piece whose long axis is `upwards`: a rotation matrix."""
    up = upwards / np.linalg.norm(upwards)
    left = body.turn[:, 0] - up * float(up @ body.turn[:, 0])
    left /= np.linalg.norm(left)
    return np.column_stack([left, np.cross(up, left), up])
