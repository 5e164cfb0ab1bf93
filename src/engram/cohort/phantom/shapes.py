"""Implicit shapes, in millimetres: what the phantom's body is made of, and the grids it is sampled on.

Points are (x, y, z) in LPS world millimetres: x to the patient's left, y to the back, z to the head. Arrays are
(z, y, x).

Every shape answers with its depth in mm, positive inside: for capsules the distance to the surface, for ellipsoids
and cylinders a lower bound of it. It is sampled only where its bounds lie, so a whole skeleton costs milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Point = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """A regular grid of voxel centres. All fields are in the order (z, y, x); the direction is the identity."""

    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    shape: tuple[int, int, int]

    @cached_property
    def axes_mm(self) -> tuple[Floats, Floats, Floats]:
        """World coordinates of the voxel centres along z, y and x."""
        z, y, x = (
            (first + step * np.arange(count)).astype(np.float32)
            for first, step, count in zip(self.origin_mm, self.spacing_mm, self.shape, strict=True)
        )
        return z, y, x

    def window(self, low: Point, high: Point) -> tuple[slice, slice, slice]:
        """The part of the grid between two corners (x, y, z); slices may be empty."""
        z, y, x = (
            slice(int(np.searchsorted(axis, low[k])), int(np.searchsorted(axis, high[k], side="right")))
            for axis, k in zip(self.axes_mm, (2, 1, 0), strict=True)
        )
        return z, y, x

    def mesh(self, window: tuple[slice, slice, slice]) -> tuple[Floats, Floats, Floats]:
        """x, y and z of a part of the grid, shaped to broadcast to (z, y, x)."""
        z, y, x = (axis[part] for axis, part in zip(self.axes_mm, window, strict=True))
        return x[None, None, :], y[None, :, None], z[:, None, None]


class Shape(Protocol):
    """Something with an inside."""

    def bounds(self) -> tuple[Point, Point]:
        """The lower and upper corner (x, y, z) of a box around the shape."""

    def depth_mm(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Depth below the surface, positive inside, on broadcast coordinates."""

    def sample(self, rng: np.random.Generator) -> Point:
        """A random point well inside the shape."""


@dataclass(frozen=True, eq=False)
class Capsule:
    """A rod from `start` to `end` with round ends, whose radius runs from `start_mm` to `end_mm`."""

    start: Point
    end: Point
    start_mm: float
    end_mm: float

    def bounds(self) -> tuple[Point, Point]:
        """See Shape."""
        a, b = self.start, self.end
        return (
            np.minimum(a - self.start_mm, b - self.end_mm),
            np.maximum(a + self.start_mm, b + self.end_mm),
        )

    def depth_mm(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """See Shape."""
        (ax, ay, az), (dx, dy, dz) = self.start.astype(np.float32), (self.end - self.start).astype(np.float32)
        px, py, pz = x - ax, y - ay, z - az
        length2 = max(float(dx * dx + dy * dy + dz * dz), 1e-6)
        t = np.clip((px * dx + py * dy + pz * dz) / np.float32(length2), 0, 1)
        distance = np.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2 + (pz - t * dz) ** 2)
        return np.asarray(np.float32(self.start_mm) + t * np.float32(self.end_mm - self.start_mm) - distance)

    def sample(self, rng: np.random.Generator) -> Point:
        """See Shape."""
        t = rng.uniform(0.1, 0.9)
        radius = self.start_mm + t * (self.end_mm - self.start_mm)
        return self.start + t * (self.end - self.start) + 0.4 * radius * rng.uniform(-1, 1, 3)


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """An ellipsoid; `axes` holds its directions as columns. With `wall_mm` it is a hollow shell so thick."""

    center: Point
    semi_mm: Point
    axes: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    wall_mm: float | None = None

    def bounds(self) -> tuple[Point, Point]:
        """See Shape."""
        half = np.sqrt(((self.axes * self.semi_mm) ** 2).sum(axis=1))
        return self.center - half, self.center + half

    def depth_mm(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """See Shape."""
        scaled = [local / np.float32(s) for local, s in zip(_local(self, x, y, z), self.semi_mm, strict=True)]
        level = np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2)
        return _hollow((1 - level) * np.float32(self.semi_mm.min()), self.wall_mm)

    def sample(self, rng: np.random.Generator) -> Point:
        """See Shape."""
        direction = rng.standard_normal(3)
        direction /= np.linalg.norm(direction)
        wall = self.wall_mm
        reach = rng.uniform(0, 0.6) if wall is None else 1 - 0.5 * wall / float(self.semi_mm.min())
        return self.center + self.axes @ (self.semi_mm * direction * reach)


@dataclass(frozen=True, eq=False)
class Cylinder:
    """An elliptic cylinder with flat ends; `semi_mm` is (a, b, half height) along the columns of `axes`.

    With `wall_mm` it is a tube open at both ends, of that wall thickness.
    """

    center: Point
    semi_mm: Point
    axes: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    wall_mm: float | None = None

    def bounds(self) -> tuple[Point, Point]:
        """See Shape."""
        half = np.abs(self.axes * self.semi_mm).sum(axis=1)
        return self.center - half, self.center + half

    def depth_mm(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """See Shape."""
        u, v, w = _local(self, x, y, z)
        a, b, half = (np.float32(s) for s in self.semi_mm)
        radial = (1 - np.sqrt((u / a) ** 2 + (v / b) ** 2)) * min(a, b)
        return np.minimum(_hollow(radial, self.wall_mm), half - np.abs(w))

    def sample(self, rng: np.random.Generator) -> Point:
        """See Shape."""
        angle, height = rng.uniform(0, 2 * np.pi), rng.uniform(-0.7, 0.7)
        wall = self.wall_mm
        reach = rng.uniform(0, 0.7) if wall is None else 1 - 0.5 * wall / float(self.semi_mm[:2].min())
        unit = np.array([reach * np.cos(angle), reach * np.sin(angle), height])
        return np.asarray(self.center + self.axes @ (self.semi_mm * unit))


def tube(points: Point, radius_mm: float | npt.NDArray[np.float64]) -> list[Capsule]:
    """A bent rod through `points` (k, 3), with one radius or one for each point, as a chain of capsules."""
    radii = np.broadcast_to(np.asarray(radius_mm, dtype=np.float64), (len(points),))
    return [
        Capsule(a, b, float(r), float(s))
        for a, b, r, s in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True)
    ]


def _local(shape: Ellipsoid | Cylinder, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
    cx, cy, cz = shape.center.astype(np.float32)
    px, py, pz = x - cx, y - cy, z - cz
    turn = shape.axes.astype(np.float32)
    u, v, w = (px * turn[0, k] + py * turn[1, k] + pz * turn[2, k] for k in range(3))
    return u, v, w


def _hollow(depth: Floats, wall_mm: float | None) -> Floats:
    return depth if wall_mm is None else np.minimum(depth, np.float32(wall_mm) - depth)
