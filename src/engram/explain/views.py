"""Flat views of a patient and his map: slices where the region is largest, and a projection (Figure A.7).

Rows go from superior to inferior. Columns go from the patient's right to his left, or from front to back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.config_models import Modality
from engram.explain.sensitivity_map import MapArray
from engram.imaging.coverage import Mask, bounding_box
from engram.imaging.study import ImagePair
from engram.imaging.volume import Grid

MARGIN_MM = 40.0  # around the region, so that what is beside it can be recognised


@dataclass(frozen=True, eq=False)
class View:
    """One picture. All arrays: (rows, columns).

    title: what is seen. scan: HU or SUV. modality: whose. inverted: high values are shown dark. region: bool.
    change: of the log-risk, NaN where there is none, or outside the region. pixel_mm: height and width of a pixel.
    ends: the letters of the left and the right side.
    """

    title: str
    modality: Modality
    scan: npt.NDArray[np.float32]
    inverted: bool
    region: Mask
    change: MapArray
    pixel_mm: tuple[float, float]
    ends: tuple[str, str]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width."""
        rows, columns = self.region.shape
        return rows * self.pixel_mm[0], columns * self.pixel_mm[1]


def views(pair: ImagePair, region: Mask, change: MapArray) -> tuple[View, View, View]:
    """Sagittal, coronal, and the projection from the front.

    region: bool (z, y, x) on `pair.grid`. change: the signed map of the log-risk, float32, likewise. The slices
    show the CT where there is one, around the region; the projection shows the PET where there is one, all of it:
    its highest values, and over them the change of the largest size.
    Raises ValueError where an array is not on the grid, or the region is empty.
    """
    for name, array in (("region", region), ("change", change)):
        if array.shape != pair.grid.shape:
            raise ValueError(f"{name} {array.shape} is not on a grid of {pair.grid.shape}")
    box = _around(region, pair.grid)
    given = (pair, region, change)
    return _slice(*given, box, axis=2), _slice(*given, box, axis=1), _front(*given)


def largest_area(region: Mask, axis: int) -> int:
    """The slice along an axis (1: coronal, 2: sagittal) in which the region is largest; the first of equals."""
    areas = np.zeros(region.shape[axis], dtype=np.intp)
    for plane in region:
        areas += np.count_nonzero(plane, axis=2 - axis)
    return int(np.argmax(areas))


def _around(region: Mask, grid: Grid) -> tuple[slice, ...]:
    box = bounding_box(region)
    if box is None:
        raise ValueError("the region is empty: there is nothing to show")
    margins = [round(MARGIN_MM / side) for side in grid.spacing_mm]
    return tuple(
        slice(max(0, part.start - margin), min(n, part.stop + margin))
        for part, margin, n in zip(box, margins, grid.shape, strict=True)
    )


def _slice(pair: ImagePair, region: Mask, change: MapArray, box: tuple[slice, ...], *, axis: int) -> View:
    modality: Modality = "PET" if pair.ct is None else "CT"
    scan = pair.volume(modality)
    place: list[slice | int] = list(box)
    place[axis] = largest_area(region, axis)
    plane, inside, changed = scan.voxels[tuple(place)], region[tuple(place)], change[tuple(place)]
    title, ends = ("Sagittal", ("A", "P")) if axis == 2 else ("Coronal", ("R", "L"))
    shown = np.where(inside, changed, np.float32(np.nan))
    pixel_mm = (pair.grid.spacing_mm[0], pair.grid.spacing_mm[3 - axis])
    pictures = (plane[::-1].astype(np.float32), modality == "PET", inside[::-1], shown[::-1])
    return View(title, modality, *pictures, pixel_mm, ends)


def _front(pair: ImagePair, region: Mask, change: MapArray) -> View:
    modality: Modality = "CT" if pair.pet is None else "PET"
    scan = pair.volume(modality)
    highest = np.stack([plane.max(axis=0) for plane in scan.voxels[::-1]]).astype(np.float32)
    inside = np.asarray(region[::-1].any(axis=1))
    largest = np.stack([_largest(plane, at) for plane, at in zip(change[::-1], region[::-1], strict=True)])
    pixel_mm = (pair.grid.spacing_mm[0], pair.grid.spacing_mm[2])
    return View("Projection", modality, highest, True, inside, largest, pixel_mm, ("R", "L"))


def _largest(change: MapArray, inside: Mask) -> MapArray:
    """The change of the largest size in each column (y, x) of the region: (x,), NaN where there is none."""
    size = np.where(inside & ~np.isnan(change), np.abs(change), -1)
    found = np.take_along_axis(change, size.argmax(axis=0)[None], axis=0)[0]
    return np.where(size.max(axis=0) >= 0, found, np.float32(np.nan))
