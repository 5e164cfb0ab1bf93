"""An emblem of a skeleton from the front, the patient's right on the left: bones as shapes that can be coloured.

Not an anatomy: each anatomical part is where one looks for it, and large enough to have a colour. The sternum,
which would hide the spine, is left out. Units are a two-hundredth of the body's height; y goes up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from matplotlib.axes import Axes
from matplotlib.patches import Polygon

HIGH, WIDE = 200.0, 110.0
_EDGE, _EDGE_PT = "#8a8f96", 0.7

Point = tuple[float, float]


@dataclass(frozen=True)
class Bone:
    """A shape with corners, or, with a width, a rod through points."""

    points: tuple[Point, ...]
    width_pt: float | None = None

    def mirrored(self) -> Bone:
        """The bone of the other side."""
        return Bone(tuple((WIDE - x, y) for x, y in self.points), self.width_pt)

    def draw(self, axes: Axes, colour: str) -> None:
        """Fill it, with an edge, so that a pale bone is seen too."""
        if self.width_pt is None:
            axes.add_patch(Polygon(self.points, facecolor=colour, edgecolor=_EDGE, linewidth=_EDGE_PT))
            return
        x, y = zip(*self.points, strict=True)
        for line, width in ((_EDGE, self.width_pt + 2 * _EDGE_PT), (colour, self.width_pt)):
            axes.plot(x, y, color=line, linewidth=width, solid_capstyle="round", solid_joinstyle="round")


def _both(*bones: Bone) -> tuple[Bone, ...]:
    return tuple(side for bone in bones for side in (bone, bone.mirrored()))


def _ellipse(centre: Point, wide: float, high: float) -> Bone:
    turns = [2 * math.pi * i / 48 for i in range(48)]
    (x, y), half, tall = centre, wide / 2, high / 2
    return Bone(tuple((x + half * math.cos(turn), y + tall * math.sin(turn)) for turn in turns))


def _column(low: float, high: float, count: int, wide: float) -> tuple[Bone, ...]:
    """Vertebrae one above the other."""
    step, left, right = (high - low) / count, (WIDE - wide) / 2, (WIDE + wide) / 2
    edges = [(low + (i + 0.1) * step, low + (i + 0.9) * step) for i in range(count)]
    return tuple(Bone(((left, below), (right, below), (right, above), (left, above))) for below, above in edges)


def _rib(number: int) -> Bone:
    """An arc from the spine outwards and down; the lower ones reach further out, but for the last."""
    top, reach = 158.5 - 4.2 * number, 9 + 8 * math.sin((number + 1.5) / 10.5 * math.pi)
    turns = [i / 13 for i in range(14)]
    return Bone(tuple((52 - reach * math.sin(0.72 * math.pi * t), top - 9 * t**1.6) for t in turns), 2.0)


_ILIUM = (
    (50, 99),
    (44, 105),
    (36, 102),
    (35.5, 96),
    (40, 90),
    (41.5, 83),
    (46, 76),
    (51, 78),
    (48.5, 84),
    (48, 91),
)
BONES: Mapping[str, tuple[Bone, ...]] = MappingProxyType(
    {
        "limbs": _both(
            Bone(((31.5, 153), (27, 122)), 5.5),
            Bone(((26.5, 117), (23, 90)), 4.5),
            _ellipse((21.5, 81), 6, 11),
            Bone(((42, 84), (44.5, 49)), 7),
            Bone(((44.5, 42), (45, 10)), 5.5),
            Bone(((44, 3.5), (38.5, 2.5)), 4.5),
        ),
        "ribs and sternum": _both(*map(_rib, range(9))),
        "shoulder girdle": _both(
            Bone(((33, 157), (41, 153), (39, 137), (36, 139))),
            Bone(((52, 158.5), (44, 160.5), (34, 158.5)), 3.0),
        ),
        "sacrum and pelvis": (
            *_both(Bone(_ILIUM)),
            Bone(((50.5, 101), (59.5, 101), (57, 88), (55, 84), (53, 88))),
        ),
        "lumbar spine": _column(102, 124, 5, 9),
        "thoracic spine": _column(124, 160, 12, 6.5),
        "cervical spine": _column(160, 174, 7, 5),
        "skull": (
            Bone(((49.5, 181), (60.5, 181), (59.5, 174), (57, 171.5), (53, 171.5), (50.5, 174))),
            _ellipse((55, 187.5), 19, 22),
        ),
    }
)
