"""Soft tissue of the phantom: outline of head and limbs, and the organs with CT density and PET uptake."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from engram.cohort.phantom.body import Body
from engram.cohort.phantom.shapes import Capsule, Ellipsoid, Point, Shape, tube
from engram.cohort.phantom.spine import cord


class Tissue(IntEnum):
    """What a voxel is made of."""

    AIR = 0
    FAT = 1
    MUSCLE = 2
    LUNG = 3
    BOWEL = 4
    BRAIN = 5
    CORD = 6
    BLOOD = 7
    MYOCARDIUM = 8
    LIVER = 9
    SPLEEN = 10
    KIDNEY = 11
    BLADDER = 12
    BONE = 13


@dataclass(frozen=True)
class Look:
    """CT density (HU) of a tissue, and the range of its mean uptake (SUVbw) over patients."""

    hu: float
    suv_low: float
    suv_high: float


LOOKS = {
    Tissue.AIR: Look(-1000, 0.0, 0.0),
    Tissue.FAT: Look(-100, 0.25, 0.4),
    Tissue.MUSCLE: Look(50, 0.55, 0.8),
    Tissue.LUNG: Look(-850, 0.35, 0.5),
    Tissue.BOWEL: Look(15, 0.7, 1.6),
    Tissue.BRAIN: Look(36, 8.0, 12.0),
    Tissue.CORD: Look(40, 1.2, 1.7),
    Tissue.BLOOD: Look(45, 1.3, 1.8),
    Tissue.MYOCARDIUM: Look(52, 1.0, 8.0),
    Tissue.LIVER: Look(60, 1.9, 2.5),
    Tissue.SPLEEN: Look(52, 1.6, 2.1),
    Tissue.KIDNEY: Look(38, 3.0, 5.0),
    Tissue.BLADDER: Look(6, 10.0, 30.0),
    Tissue.BONE: Look(0, 0.0, 0.0),
}

NO_LABEL = 0


@dataclass(frozen=True)
class Organ:
    """A soft organ: its tissue, its label (TotalSegmentator v2 `total`; 0 where it is not written), its shape."""

    tissue: Tissue
    label: int
    shape: Shape


def flesh(body: Body) -> list[Shape]:
    """Outline of head, arms and thighs; the trunk is `Body.trunk_depth_mm`."""
    head = Ellipsoid(body.place((0, -6, 748)), body.length([83, 103, 92]), body.turn)
    face = Ellipsoid(body.place((0, -58, 668)), body.length([64, 46, 66]), body.turn)
    shapes: list[Shape] = [head, face]
    for s in (1, -1):
        arm = [(s * 165, 24, 530), (s * 190, 28, 500), (s * 216, 28, 215), (s * 222, 0, -20), (s * 212, -22, -110)]
        thigh = [(s * 90, 8, -10), (s * 96, 0, -320)]
        shapes += tube(body.place(arm), _grown(body, [46, 44, 40, 27, 24]))
        shapes += tube(body.place(thigh), _grown(body, [86, 70]))
    return shapes


def _grown(body: Body, radii: list[float]) -> Point:
    return np.asarray(body.length(radii) * (0.5 + 0.5 * body.girth))


def organs(body: Body) -> list[Organ]:
    """Soft organs in the order in which they are painted: later ones cover earlier ones."""

    def egg(
        tissue: Tissue, label: int, center: tuple[float, float, float], semi: tuple[float, float, float]
    ) -> Organ:
        return Organ(tissue, label, Ellipsoid(body.place(center), body.length(semi), body.turn))

    windpipe = tube(body.place([(0, -8, 600), (0, 8, 540), (0, 14, 460)]), body.length(8))
    return [
        egg(Tissue.BOWEL, NO_LABEL, (0, -34, 150), (112, 56, 92)),
        egg(Tissue.LUNG, NO_LABEL, (63, 2, 412), (52, 80, 126)),
        egg(Tissue.LUNG, NO_LABEL, (-63, 2, 412), (52, 80, 126)),
        egg(Tissue.LIVER, 5, (-50, -6, 296), (72, 80, 68)),
        egg(Tissue.LIVER, 5, (14, -42, 302), (58, 46, 40)),
        egg(Tissue.SPLEEN, 1, (88, 40, 300), (26, 42, 44)),
        egg(Tissue.KIDNEY, 2, (-58, 52, 222), (25, 23, 52)),
        egg(Tissue.KIDNEY, 3, (58, 52, 230), (25, 23, 52)),
        egg(Tissue.BLOOD, 51, (22, -34, 386), (54, 48, 52)),
        egg(Tissue.BLOOD, NO_LABEL, (4, 12, 450), (22, 20, 55)),
        Organ(
            Tissue.MYOCARDIUM,
            51,
            Ellipsoid(body.place((44, -38, 374)), body.length([36, 32, 38]), body.turn, float(body.length(12))),
        ),
        egg(Tissue.BLADDER, 21, (0, -34, 24), (34, 28, 27)),
        egg(Tissue.BRAIN, 90, (0, -4, 755), (66, 83, 68)),
        *(Organ(Tissue.AIR, NO_LABEL, piece) for piece in windpipe),
        egg(Tissue.AIR, NO_LABEL, (0, -62, 680), (26, 24, 22)),
        *(_nerve(piece) for piece in cord(body)),
    ]


def _nerve(piece: Capsule) -> Organ:
    return Organ(Tissue.CORD, 79, piece)
