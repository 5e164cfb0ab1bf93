"""One patient's body: size, girth, posture, and how the template body is placed into the world.

The template is a supine adult of 1750 mm whose hip joints lie at z = 0; every anatomical number of the phantom is
written in its coordinates (x to the left, y to the back, z to the head; mm) and moved through `Body.place`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from engram.cohort.phantom.shapes import Floats, Grid, Point

TEMPLATE_HEIGHT_MM = 1750.0
_VERTEX_MM, _MID_FEMUR_MM = 870.0, -215.0
_HALF_WIDTH_MM, _FRONT_MM, _BACK_MM = 272.0, -150.0, 158.0

# Outline of the trunk: height above the hip joints, half width, half depth, y of the centre, all in mm.
_TRUNK = np.array(
    [
        (-70, 165, 90, 18),
        (0, 172, 104, 14),
        (60, 168, 106, 14),
        (150, 148, 100, 8),
        (250, 150, 104, 8),
        (350, 158, 112, 8),
        (440, 168, 116, 8),
        (510, 172, 104, 16),
        (555, 150, 84, 20),
        (580, 100, 66, 16),
        (605, 64, 60, 8),
        (690, 58, 60, 2),
    ],
    dtype=np.float64,
)


@dataclass(frozen=True)
class Body:
    """Size and posture of one patient. Lengths in mm, angles in degrees.

    girth multiplies the soft outline (1 = slim template); kyphosis, lordosis and scoliosis bend the whole trunk.
    """

    height_mm: float
    width: float
    girth: float
    fat_mm: float
    kyphosis_mm: float
    lordosis_mm: float
    scoliosis_mm: float
    roll_deg: float
    yaw_deg: float
    position_mm: tuple[float, float, float]

    @cached_property
    def scale(self) -> Point:
        """Factors along x, y and z from the template to this patient."""
        return np.array([self.width, self.width, self.height_mm / TEMPLATE_HEIGHT_MM])

    @cached_property
    def turn(self) -> npt.NDArray[np.float64]:
        """Rotation of the whole body: about its long axis (roll) and within the coronal plane (yaw)."""
        a, b = np.deg2rad([self.roll_deg, self.yaw_deg])
        about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        return np.asarray(about_y @ about_z)

    def place(self, points: npt.ArrayLike) -> Point:
        """Template points (k, 3) or (3,) to world points of the same shape."""
        template = np.array(points, dtype=np.float64)
        sideways, backwards = self._bend(template[..., 2])
        template[..., 0] += sideways
        template[..., 1] += backwards
        return np.asarray((template * self.scale) @ self.turn.T + np.array(self.position_mm))

    def length(self, mm: npt.ArrayLike) -> Point:
        """Template radii and semi-axes to this patient's."""
        return np.asarray(mm, dtype=np.float64) * float(self.scale.mean())

    def trunk_depth_mm(self, grid: Grid) -> Floats:
        """Depth below the skin of neck and trunk, mm, negative outside; shape of the grid."""
        x, y, z = self._to_template(grid)
        half_width, half_depth, middle = (
            np.interp(z, _TRUNK[:, 0], _TRUNK[:, column]).astype(np.float32) for column in (1, 2, 3)
        )
        # Weight is worn around the belly and the chest, not around the neck.
        wide = np.where(z > 590, 1.0, self.girth).astype(np.float32)
        half_width, half_depth = half_width * wide, half_depth * wide
        level = (np.abs(x / half_width) ** 2.4 + np.abs((y - middle) / half_depth) ** 2.4) ** np.float32(1 / 2.4)
        depth = (1 - level) * np.minimum(half_width, half_depth) * np.float32(self.width)
        return np.asarray(np.where((z < _TRUNK[0, 0]) | (z > _TRUNK[-1, 0]), np.float32(-99), depth))

    def field_mm(self) -> tuple[Point, Point]:
        """Lower and upper world corner (x, y, z) of the field of view: vertex to mid-femur."""
        outwards = np.array([self.girth, self.girth, 1.0]) * self.scale
        low = outwards * np.array([-_HALF_WIDTH_MM, _FRONT_MM, _MID_FEMUR_MM])
        high = outwards * np.array([_HALF_WIDTH_MM, _BACK_MM, _VERTEX_MM])
        return low + self.position_mm, high + self.position_mm

    def _bend(self, z: npt.NDArray[np.floating]) -> tuple[Point, Point]:
        chest, loin, head = (np.exp(-(((z - c) / w) ** 2)) for c, w in ((440, 120), (170, 90), (760, 150)))
        sideways = self.scoliosis_mm * (chest - loin)
        return sideways, self.kyphosis_mm * (chest - head) - self.lordosis_mm * loin

    def _to_template(self, grid: Grid) -> tuple[Floats, Floats, Floats]:
        x, y, z = grid.mesh((slice(None), slice(None), slice(None)))
        px, py, pz = (axis - np.float32(at) for axis, at in zip((x, y, z), self.position_mm, strict=True))
        inverse = (self.turn / self.scale).astype(np.float32)
        u, v, w = (px * inverse[0, k] + py * inverse[1, k] + pz * inverse[2, k] for k in range(3))
        levels = np.linspace(-300, 950, 626)
        sideways, backwards = (np.interp(w, levels, bend).astype(np.float32) for bend in self._bend(levels))
        return u - sideways, v - backwards, w


def draw_body(rng: np.random.Generator, *, male: bool) -> Body:
    """Draw a body: adults of common size, a girth from slim to heavy, a spine from straight to stooped."""
    girth = float(np.clip(rng.lognormal(0.06, 0.07), 0.95, 1.28))
    return Body(
        height_mm=float(np.clip(rng.normal(1755 if male else 1635, 60), 1500, 1930)),
        width=float(np.clip(rng.normal(1.0 if male else 0.94, 0.03), 0.86, 1.07)),
        girth=girth,
        fat_mm=float(8 + 60 * (girth - 0.95) + rng.uniform(0, 6)),
        kyphosis_mm=float(rng.uniform(-4, 16)),
        lordosis_mm=float(rng.uniform(-6, 14)),
        scoliosis_mm=float(rng.normal(0, 3)),
        roll_deg=float(rng.normal(0, 1.5)),
        yaw_deg=float(rng.normal(0, 1.0)),
        position_mm=(float(rng.normal(0, 6)), float(rng.normal(-170, 8)), float(rng.uniform(-900, -700))),
    )
