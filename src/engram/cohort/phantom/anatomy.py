"""A whole body on any grid: label map, tissues, and the depth below the bone surface.

The phantom is no claim about biology: it is a body only as far as software needs one (every bone of the label
scheme at its place, with a canal, marrow and cortex), so that the truth about disease and risk is known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from engram.cohort.phantom.body import Body
from engram.cohort.phantom.organs import Organ, Tissue, flesh, organs
from engram.cohort.phantom.shapes import Floats, Grid, Point, Shape
from engram.cohort.phantom.skeleton import skeleton
from engram.cohort.phantom.spine import LabelledShape

_OUTSIDE_MM = -99.0


@dataclass(frozen=True)
class Anatomy:
    """One body sampled on one grid; all arrays are (z, y, x).

    labels: uint8, TotalSegmentator v2 `total` numbering (paper 2.2 uses such a bone segmentation), 0 elsewhere.
    tissue: uint8, the codes of `Tissue`.
    bone_depth_mm: float32, depth below the surface of a bone; 0 or less exactly where no bone is.
    """

    grid: Grid
    labels: npt.NDArray[np.uint8]
    tissue: npt.NDArray[np.uint8]
    bone_depth_mm: Floats


@dataclass(frozen=True)
class BodyShapes:
    """The shapes of one body, made once and sampled on as many grids as needed."""

    body: Body

    @cached_property
    def bones(self) -> list[LabelledShape]:
        """Every bone, with its label."""
        return skeleton(self.body)

    @cached_property
    def organs(self) -> list[Organ]:
        """Soft organs in painting order."""
        return organs(self.body)

    def rasterise(self, grid: Grid) -> Anatomy:
        """Sample the body at the voxel centres of `grid`."""
        tissue = _paint_flesh(self.body, grid)
        labels = np.zeros(grid.shape, np.uint8)
        for organ in self.organs:
            _paint_organ(grid, organ, tissue, labels)
        depth = np.full(grid.shape, _OUTSIDE_MM, np.float32)
        bone_labels = np.zeros(grid.shape, np.uint8)
        for bone in self.bones:
            _paint_bone(grid, bone, depth, bone_labels)
        inside = depth > 0
        tissue[inside] = Tissue.BONE
        np.copyto(labels, bone_labels, where=inside)
        return Anatomy(grid, labels, tissue, depth)

    def point_in_bone(self, labels: tuple[int, ...], rng: np.random.Generator) -> Point:
        """A random world point (x, y, z) inside a piece of the bones of `labels`; it depends on no grid."""
        pieces = [bone.shape for bone in self.bones if bone.label in labels]
        sizes = np.array([_box_size(piece) for piece in pieces])
        return pieces[int(rng.choice(len(pieces), p=sizes / sizes.sum()))].sample(rng)


def _box_size(shape: Shape) -> float:
    low, high = shape.bounds()
    return float(np.prod(high - low) ** (2 / 3))


def _paint_flesh(body: Body, grid: Grid) -> npt.NDArray[np.uint8]:
    depth = body.trunk_depth_mm(grid)
    for shape in flesh(body):
        window = grid.window(*shape.bounds())
        part = depth[window]
        np.maximum(part, shape.depth_mm(*grid.mesh(window)), out=part)
    tissue = np.full(grid.shape, Tissue.AIR, np.uint8)
    tissue[depth > 0] = Tissue.FAT
    tissue[depth > body.fat_mm] = Tissue.MUSCLE
    return tissue


def _paint_organ(grid: Grid, organ: Organ, tissue: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> None:
    window = grid.window(*organ.shape.bounds())
    inside = (organ.shape.depth_mm(*grid.mesh(window)) > 0) & (tissue[window] != Tissue.AIR)
    tissue[window][inside] = organ.tissue
    labels[window][inside] = organ.label


def _paint_bone(grid: Grid, bone: LabelledShape, depth: Floats, labels: npt.NDArray[np.uint8]) -> None:
    window = grid.window(*bone.shape.bounds())
    here = bone.shape.depth_mm(*grid.mesh(window))
    part = depth[window]
    deeper = here > part
    part[deeper] = here[deeper]
    labels[window][deeper & (here > 0)] = bone.label
