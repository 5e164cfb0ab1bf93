"""Contours to a mask on the slices of a series.

DICOM PS3.3 C.8.8.6.3 knows holes as keyholes, or as contours of the kind CLOSEDPLANAR_XOR. Many programs write a
hole as a second CLOSED_PLANAR contour inside the first; it is read so, and said. Contours that overlap in part
could mean a union or a hole: they are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engram.imaging.dicom.contour_places import (
    ROUNDING,
    UNSAID,
    Floats,
    Placed,
    Slices,
    contour_error,
    place,
    slices_of,
)
from engram.imaging.dicom.polygon import Mask, inside, outline
from engram.imaging.dicom.rtstruct import Contours
from engram.imaging.dicom.stack import Stack

_XOR = "CLOSEDPLANAR_XOR"
_CLOSED = ("CLOSED_PLANAR", _XOR)


@dataclass(frozen=True, eq=False)
class Region:
    """mask: bool (slices, rows, columns). notes: sentences without identifiers, for whoever uses the mask."""

    mask: Mask
    notes: tuple[str, ...]


@dataclass
class _Counts:
    """holes: contours read as holes. lost: contours without a pixel centre."""

    holes: int = 0
    lost: int = 0


def rasterise(contours: Contours, stack: Stack, *, patient_id: str) -> Region:
    """Fill contours on the slices of `stack`: even-odd, pixel centres, and centres on the line itself.

    Raises ImagingError where nothing was drawn, a contour is open or a point, contours of one slice overlap in
    part, or no pixel centre is inside, and as `engram.imaging.dicom.contour_places.place`.
    """
    _check_closed(contours, patient_id)
    slices = slices_of(stack)
    placed = place(contours, slices, patient_id=patient_id)
    by_slice: dict[int, list[Placed]] = {}
    for one in placed:
        by_slice.setdefault(one.index, []).append(one)
    mask, counts = np.zeros(stack.grid.shape, dtype=np.bool_), _Counts()
    for index, group in by_slice.items():
        mask[index] = _filled(group, mask.shape[1:], counts, contours, patient_id)
    if not mask.any():
        mend = "It is smaller than the voxels of this series, or lies beside its images."
        raise contour_error(contours, patient_id, "structure covers no voxel", f"{len(placed)} contours", mend)
    return Region(mask, tuple(_notes(placed, mask, slices, counts)))


def _check_closed(contours: Contours, patient_id: str) -> None:
    if not contours.polygons:
        mend = "Draw it, or leave it out."
        raise contour_error(contours, patient_id, "structure has no contours", "nothing drawn", mend)
    kinds = [polygon.kind or "of no type" for polygon in contours.polygons]
    others = {kind: kinds.count(kind) for kind in sorted(set(kinds)) if kind not in _CLOSED}
    if others:
        value = ", ".join(f"{count} of {len(kinds)} contours are {kind}" for kind, count in others.items())
        mend = "Only closed planar contours make a region: leave it out, or close them and export again."
        raise contour_error(contours, patient_id, "structure is not a closed region", value, mend)


def _filled(
    group: Sequence[Placed], shape: tuple[int, int], counts: _Counts, contours: Contours, patient_id: str
) -> Mask:
    areas = [inside(one.points, shape) for one in group]
    lines = [outline(one.points, shape) for one in group]
    covered = np.sum(areas, axis=0, dtype=np.int64)
    if covered.max() > 1 and any(one.polygon.kind != _XOR for one in group):
        counts.holes += _nested(areas, contours, patient_id)
    counts.lost += sum(not (area.any() or line.any()) for area, line in zip(areas, lines, strict=True))
    filled: Mask = (covered % 2 == 1) | np.any(lines, axis=0)
    return filled


def _nested(areas: Sequence[Mask], contours: Contours, patient_id: str) -> int:
    """How many lie inside another; refuses those that overlap in part, or were drawn twice."""
    within: set[int] = set()
    sizes = [int(area.sum()) for area in areas]
    for i in range(len(areas)):
        for j in range(i):
            both = int((areas[i] & areas[j]).sum())
            if both and (both < min(sizes[i], sizes[j]) or sizes[i] == sizes[j]):
                mend = "A union and a hole are both plausible: merge the contours, and export again."
                value = f"{both} pixels of a slice in two contours"
                raise contour_error(contours, patient_id, "contours of a slice overlap", value, mend)
            if both:
                within.add(i if sizes[i] < sizes[j] else j)
    return len(within)


def _notes(placed: Sequence[Placed], mask: Mask, slices: Slices, counts: _Counts) -> list[str]:
    farthest = max(placed, key=lambda one: abs(one.off_mm))
    left = sum(_leaves(one.points, mask.shape[1:]) for one in placed)
    drawn = np.flatnonzero(mask.any(axis=(1, 2)))
    skipped = int(drawn[-1] - drawn[0] + 1 - drawn.size)
    found = {
        f"contours lie up to {abs(farthest.off_mm):.2f} mm off their slices": abs(farthest.off_mm)
        > UNSAID * slices.gaps_mm[farthest.index],
        f"contours inside another, read as holes: {counts.holes}": counts.holes,
        f"contours that reach beyond the images and are cut there: {left}": left,
        f"slices without a contour between the first and the last: {skipped}": skipped,
        f"contours without a pixel centre: {counts.lost}": counts.lost,
    }
    return [text for text, counted in found.items() if counted]


def _leaves(points: Floats, shape: tuple[int, int]) -> bool:
    low, high = points.min(axis=0), points.max(axis=0)
    return bool((low < -0.5 - ROUNDING).any() or (high > np.array(shape[::-1]) - 0.5 + ROUNDING).any())
