"""The bones of the phantom beside the spine: ribs, sternum, pelvis, skull, shoulders, arms and thighs.

Numbers are template millimetres (see body.py); `s` is +1 on the patient's left and -1 on the right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engram.cohort.phantom.body import Body
from engram.cohort.phantom.shapes import Capsule, Cylinder, Ellipsoid, Point, Shape, tube
from engram.cohort.phantom.spine import LabelledShape, spine, vertebra_level

SKULL, STERNUM = 91, 116
HUMERUS, SCAPULA, CLAVICULA, FEMUR, HIP = 69, 71, 73, 75, 77  # left; right is one more
RIB_LEFT, RIB_RIGHT = 92, 104  # rib 1; rib k is k - 1 more
UNLABELLED = 0

_RIB_HALF_WIDTH = (52, 78, 97, 110, 119, 125, 129, 131, 131, 128, 122, 110)
_RIB_FRONT = (-32, -60, -76, -85, -90, -92, -92, -88, -80, -66, -50, -30)
_RIB_DROP = (42, 58, 74, 88, 98, 106, 112, 116, 118, 118, 112, 100)
_RIB_END = (0.88, 0.88, 0.87, 0.86, 0.85, 0.83, 0.79, 0.74, 0.69, 0.63, 0.46, 0.34)


def skeleton(body: Body) -> list[LabelledShape]:
    """Every bone of one body as labelled shapes in world millimetres."""
    pieces = spine(body) + _skull(body) + _sternum(body)
    for s in (1, -1):
        pieces += _ribs(body, s) + _shoulder(body, s) + _arm(body, s) + _hip(body, s) + _femur(body, s)
    return pieces


def _rod(
    body: Body, label: int, points: Sequence[tuple[float, float, float]], radius: float | Sequence[float]
) -> list[LabelledShape]:
    return [LabelledShape(label, piece) for piece in tube(body.place(points), body.length(radius))]


def _ball(body: Body, label: int, center: tuple[float, float, float], radius: float) -> LabelledShape:
    at, r = body.place(center), float(body.length(radius))
    return LabelledShape(label, Capsule(at, at, r, r))


def _plate(body: Body, center: tuple[float, float, float], semi: Point, along: Point, normal: Point) -> Shape:
    """A flat bone: a thin ellipsoid, `semi` being (half thickness, half length along `along`, half height)."""
    n = normal / np.linalg.norm(normal)
    a = along - n * float(n @ along)
    a /= np.linalg.norm(a)
    axes = body.turn @ np.column_stack([n, a, np.cross(n, a)])
    return Ellipsoid(body.place(center), body.length(semi), axes)


def _ribs(body: Body, s: int) -> list[LabelledShape]:
    first = RIB_LEFT if s > 0 else RIB_RIGHT
    return [piece for k in range(12) for piece in _rod(body, first + k, _rib_course(k, s), 6.2)]


def _rib_course(k: int, s: int) -> list[tuple[float, float, float]]:
    z, y = vertebra_level(k + 1)
    back, front, width = y + 24, float(_RIB_FRONT[k]), float(_RIB_HALF_WIDTH[k])
    middle, half = (back + front) / 2, (back - front) / 2
    angles = np.linspace(np.arcsin(20 / width), np.pi * _RIB_END[k], 11)
    return [
        (s * width * float(np.sin(t)), middle + half * float(np.cos(t)), z + 4 - _RIB_DROP[k] * float(t / np.pi))
        for t in angles
    ]


def _sternum(body: Body) -> list[LabelledShape]:
    return [
        piece
        for x in (-9, 9)
        for piece in _rod(
            body, STERNUM, [(1.6 * x, -60, 520), (x, -76, 485), (x, -92, 420), (x, -99, 350)], [9, 8.5, 8.5, 6]
        )
    ]


def _skull(body: Body) -> list[LabelledShape]:
    cranium = Ellipsoid(body.place((0, -4, 755)), body.length([75, 92, 77]), body.turn, float(body.length(8)))
    face = Ellipsoid(body.place((0, -62, 680)), body.length([50, 32, 38]), body.turn, float(body.length(7)))
    pieces = [LabelledShape(SKULL, cranium), LabelledShape(SKULL, face)]
    for s in (1, -1):
        jaw = [(s * 52, -16, 682), (s * 47, -26, 632), (s * 27, -74, 616), (0, -88, 614)]
        pieces += _rod(body, SKULL, jaw, [6, 8, 8, 8])
        pieces += _rod(body, SKULL, [(s * 64, -30, 694), (s * 48, -80, 692)], 6)
    return pieces


def _shoulder(body: Body, s: int) -> list[LabelledShape]:
    label = SCAPULA if s > 0 else SCAPULA + 1
    normal, along = np.array([s * 0.42, 0.91, 0.0]), np.array([0.0, 0.0, 1.0])
    blade = _plate(body, (s * 104, 80, 462), np.array([7.0, 72, 44]), along, normal)
    collar = [(s * 20, -60, 524), (s * 75, -62, 545), (s * 125, -14, 560), (s * 163, 26, 562)]
    return [
        LabelledShape(label, blade),
        *_rod(body, label, [(s * 70, 98, 503), (s * 120, 86, 534), (s * 168, 42, 564)], 7.5),
        *_rod(body, label, [(s * 132, 68, 500), (s * 152, 42, 528)], [9, 14]),
        *_rod(body, CLAVICULA if s > 0 else CLAVICULA + 1, collar, [9, 7, 7, 8]),
    ]


def _arm(body: Body, s: int) -> list[LabelledShape]:
    label = HUMERUS if s > 0 else HUMERUS + 1
    upper = [(s * 182, 28, 520), (s * 202, 30, 380), (s * 218, 30, 225)]
    return [
        _ball(body, label, (s * 178, 28, 533), 24),
        *_rod(body, label, upper, [15, 12, 15]),
        *_rod(body, UNLABELLED, [(s * 213, 28, 205), (s * 216, -5, -20)], [10, 8]),
        *_rod(body, UNLABELLED, [(s * 228, 26, 205), (s * 230, 0, -20)], [8, 10]),
    ]


def _hip(body: Body, s: int) -> list[LabelledShape]:
    label = HIP if s > 0 else HIP + 1
    wing = _plate(
        body,
        (s * 88, 14, 88),
        np.array([9.0, 72, 62]),
        np.array([s * 0.55, -0.83, 0.0]),
        np.array([s * 0.8, 0.54, -0.28]),
    )
    sideways = body.turn @ np.array([[0, 0, s * 1.0], [s * 1.0, 0, 0], [0, 1.0, 0]])
    cup = Cylinder(body.place((s * 86, 0, 0)), body.length([36, 36, 15]), sideways, float(body.length(10)))
    floor = _plate(body, (s * 61, 0, 2), np.array([7.0, 30, 30]), np.array([0.0, 1, 0]), np.array([s * 1.0, 0, 0]))
    return [
        *(LabelledShape(label, shape) for shape in (wing, cup, floor)),
        *_rod(body, label, [(s * 88, 15, 70), (s * 84, 4, 30)], [15, 17]),
        *_rod(body, label, [(s * 64, -26, 2), (s * 32, -50, -12), (s * 10, -54, -26)], [10, 9, 11]),
        *_rod(body, label, [(s * 10, -52, -32), (s * 46, -2, -62), (s * 58, 22, -56)], [8, 8, 14]),
        *_rod(body, label, [(s * 58, 22, -56), (s * 74, 26, -15)], [14, 13]),
    ]


def _femur(body: Body, s: int) -> list[LabelledShape]:
    label = FEMUR if s > 0 else FEMUR + 1
    neck = [(s * 88, 0, 0), (s * 108, 4, -16), (s * 124, 9, -34)]
    shaft = [(s * 122, 8, -34), (s * 114, -2, -130), (s * 100, -6, -300)]
    return [
        _ball(body, label, (s * 88, 0, 0), 24),
        *_rod(body, label, neck, [16, 15, 17]),
        *_rod(body, label, [(s * 126, 12, -14), (s * 124, 9, -50)], [15, 17]),
        *_rod(body, label, shaft, [17, 15, 14]),
    ]
