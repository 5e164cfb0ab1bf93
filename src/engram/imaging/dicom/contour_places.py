"""Each contour on the slice it lies in, or refused: by true slice positions, not by a uniform grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.errors import ImagingError
from engram.imaging.dicom.rtstruct import Contours, Polygon
from engram.imaging.dicom.stack import Stack

UNSAID = 0.1  # of the gap between slices: what a contour may be bent, or off its slice, without a word
FARTHEST = 0.25  # of the gap: a contour farther from the plane of every slice was drawn on other slices
ROUNDING = 1e-3  # pixels or mm

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Slices:
    """The slices of a stack. heights_mm: (n,), along the normal. gaps_mm: (n,), the smaller gap beside each."""

    stack: Stack
    normal: Floats
    heights_mm: Floats
    gaps_mm: Floats


@dataclass(frozen=True, eq=False)
class Placed:
    """A polygon on slice `index`. points: (n, 2), column and row in pixels. off_mm: from the plane of the slice."""

    polygon: Polygon
    index: int
    points: Floats
    off_mm: float


def contour_error(contours: Contours, patient_id: str, reason: str, value: str, mend: str) -> ImagingError:
    """A refusal that names the region."""
    return ImagingError(patient_id, reason, value=f"{contours.name}: {value}", mend=mend)


def slices_of(stack: Stack) -> Slices:
    """Heights and gaps of a stack; of a single slice, the gap is the spacing of its grid."""
    normal = np.cross(*_directions(stack))
    heights = np.array([np.dot(_position(stack, k), normal) for k in range(len(stack.slices))])
    gaps = stack.gaps_mm if stack.gaps_mm.size else np.array([stack.grid.spacing_mm[0]])
    smaller = np.minimum(np.append(gaps[:1], gaps), np.append(gaps, gaps[-1:]))
    return Slices(stack, normal, heights, smaller[: len(heights)])


def place(contours: Contours, slices: Slices, *, patient_id: str) -> list[Placed]:
    """Each polygon on the slice whose plane is nearest, no more than a quarter of the gap away.

    Raises ImagingError where one is not parallel to the slices, outside or between them, or off the slice that it
    names, and where contours of different planes would share a slice.
    """
    placed = [_placed(polygon, slices, contours, patient_id) for polygon in contours.polygons]
    by_slice: dict[int, list[float]] = {}
    for one in placed:
        by_slice.setdefault(one.index, []).append(one.off_mm)
    for index, off_mm in by_slice.items():
        _check_one_plane(off_mm, slices.gaps_mm[index], contours, patient_id)
    return placed


def _placed(polygon: Polygon, slices: Slices, contours: Contours, patient_id: str) -> Placed:
    heights = polygon.points_mm @ slices.normal
    middle = float(np.median(heights))
    index = int(np.argmin(np.abs(slices.heights_mm - middle)))
    off_mm, gap_mm = middle - float(slices.heights_mm[index]), float(slices.gaps_mm[index])
    bent_mm = float(np.abs(heights - middle).max())
    if bent_mm > UNSAID * gap_mm + ROUNDING:
        mend = "It was drawn on other planes: export it as DICOM SEG or NIfTI on the grid of this series."
        value = f"points up to {bent_mm:.2f} mm off their plane"
        raise contour_error(contours, patient_id, "contours not parallel to the slices", value, mend)
    if abs(off_mm) > FARTHEST * gap_mm + ROUNDING:
        raise _no_slice(off_mm, index, slices, contours, patient_id)
    _check_named_slice(polygon, index, slices, contours, patient_id)
    return Placed(polygon, index, _in_pixels(polygon, slices.stack, index), off_mm)


def _no_slice(off_mm: float, index: int, slices: Slices, contours: Contours, patient_id: str) -> ImagingError:
    beyond = (index == 0 and off_mm < 0) or (index == len(slices.heights_mm) - 1 and off_mm > 0)
    reason = "contours outside the slices" if beyond else "contours between the slices"
    mend = "Give the whole series that it was drawn on, or draw it on this one."
    return contour_error(contours, patient_id, reason, f"{abs(off_mm):.2f} mm from the nearest slice", mend)


def _check_named_slice(polygon: Polygon, index: int, slices: Slices, contours: Contours, patient_id: str) -> None:
    named = [k for k, one in enumerate(slices.stack.slices) if one.sop_instance_uid == polygon.image_uid]
    if not polygon.image_uid or not named or index in named:
        return
    apart_mm = abs(float(slices.heights_mm[named[0]] - slices.heights_mm[index]))
    mend = "Positions of the images or of the contours were changed after drawing: use both as exported."
    value = f"{apart_mm:.2f} mm away"
    raise contour_error(contours, patient_id, "contours off the slices they name", value, mend)


def _check_one_plane(off_mm: Sequence[float], gap_mm: float, contours: Contours, patient_id: str) -> None:
    apart_mm = max(off_mm) - min(off_mm)
    if apart_mm > UNSAID * gap_mm + ROUNDING:
        mend = "It was drawn on thinner slices: use it with the series it was drawn on."
        value = f"planes {apart_mm:.2f} mm apart, slices {gap_mm:.2f} mm"
        raise contour_error(contours, patient_id, "contours closer together than the slices", value, mend)


def _in_pixels(polygon: Polygon, stack: Stack, index: int) -> Floats:
    row, column = _directions(stack)
    offsets = polygon.points_mm - _position(stack, index)
    _, between_rows, between_columns = stack.grid.spacing_mm
    return np.column_stack([offsets @ row / between_columns, offsets @ column / between_rows])


def _directions(stack: Stack) -> tuple[Floats, Floats]:
    """Unit vectors along a row (to the next column) and along a column (to the next row)."""
    axes = np.reshape(stack.grid.direction, (3, 3))
    return axes[:, 0], axes[:, 1]


def _position(stack: Stack, index: int) -> Floats:
    position = stack.slices[index].position_mm
    if position is None:
        raise ValueError(f"slice {index} of the stack has no position")
    return np.array(position)
