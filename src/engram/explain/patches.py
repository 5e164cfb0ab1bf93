"""The patches that are occluded, one at a time: boxes in mm whose centres lie inside the region (paper Appendix A).

The paper gives neither size nor stride. Here both are in mm, so that one study file asks the same of thick and of
thin slices. The same boxes are used for CT and PET, which lie on one grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from engram.imaging.coverage import Mask, bounding_box
from engram.imaging.frames import to_frame

Triple = tuple[int, int, int]
Box = tuple[slice, slice, slice]
Millimetres = tuple[float, float, float]
Places = npt.NDArray[np.intp]
Fill = Literal["volume mean", "region mean"]


@dataclass(frozen=True)
class Patch:
    """One box of voxels. All is in the order (z, y, x), z towards superior.

    number: 0 is the most superior. box: clipped at the volume's edge. centre: a voxel of the region. on_grid:
    whether the centre is a point of the regular grid, or was moved to the region (see `patch_grid`).
    """

    number: int
    box: Box
    centre: Triple
    on_grid: bool = True

    def frames(self, planes: int) -> range:
        """The frames (0 = most superior) that the patch touches, of a volume of so many planes.

        A protocol that reads every second slice may read none of them: the patch then changes nothing.
        """
        return range(planes - self.box[0].stop, planes - self.box[0].start)


def patch_grid(
    mask: Mask,
    spacing_mm: Millimetres,
    *,
    patch_mm: Millimetres,
    stride_mm: Millimetres,
    complete: bool = True,
) -> list[Patch]:
    """Patches of a region, bool (z, y, x), the most superior first. spacing_mm, patch_mm, stride_mm: (z, y, x).

    Millimetres become the nearest whole number of voxels, at least one. The grid is centred on the smallest box
    around the region, so equal masks give equal patches; a point of it is kept where its voxel lies in the region
    (paper Appendix A).

    complete: the grid alone leaves out parts of the region: half of a skeleton where patches of 40 mm only touch, a
    twentieth where the stride is half a patch (benchmarks/patch_grid.py). Where no stride is longer than its patch,
    each cell of the grid that holds uncovered voxels gets a patch around that of them which is nearest to the grid
    point, until every voxel of the region is covered. With False, or longer strides, the grid alone is kept, as in
    the paper; where none of its points lies in the region, the region's voxel nearest to its centroid becomes the
    only one.
    Raises ValueError where the mask is empty or not 3-D, or a length is not positive.
    """
    box = _checked(mask, spacing_mm, patch_mm, stride_mm)
    size, stride = _voxels(patch_mm, spacing_mm), _voxels(stride_mm, spacing_mm)
    axes = [_points(part, p, s) for part, p, s in zip(box, size, stride, strict=True)]
    centres = [place for place in product(*(axis.tolist() for axis in axes)) if _inside(mask, place)]
    moved: list[Triple] = []
    if complete and all(s <= p for s, p in zip(stride, size, strict=True)):
        moved = _completing(mask, box, size, axes, centres, spacing_mm)
    elif not centres:
        moved = [_innermost(mask, box, spacing_mm)]
    found = sorted([(place, True) for place in centres] + [(place, False) for place in moved], key=_superior_first)
    return [Patch(i, _box(at, size, mask.shape), at, on_grid) for i, (at, on_grid) in enumerate(found)]


def fill_value(voxels: npt.NDArray[Any], mask: Mask, fill: Fill = "volume mean") -> float:
    """What a patch is filled with, in the unit of the voxels (HU, SUV).

    volume mean: of all voxels (paper Appendix A: "a neutral fill value, the within-volume mean"); most of a volume
    is air, so in a CT it is darker than any tissue. region mean: of the voxels of the mask.
    """
    chosen = voxels if fill == "volume mean" else voxels[mask]
    return float(np.mean(chosen, dtype=np.float64))


def occluded_planes(
    voxels: npt.NDArray[Any], patch: Patch, fill: float, window: tuple[float, float]
) -> Mapping[int, npt.NDArray[np.uint8]]:
    """The frames that change when a patch is filled: frame (0 = most superior) -> uint8 (h, w), ascending.

    voxels: (z, y, x); nothing but the touched planes is copied. Each is what `to_frames` would make of the volume
    with the box filled. fill: in the unit of the voxels, filled in as float32.
    """
    rows = patch.box[1:]
    planes = len(voxels)
    frames = {}
    for frame in patch.frames(planes):
        plane = voxels[planes - 1 - frame].astype(np.float32)
        plane[rows] = fill
        frames[frame] = to_frame(plane, window)
    return frames


def _checked(mask: Mask, spacing_mm: Millimetres, patch_mm: Millimetres, stride_mm: Millimetres) -> Box:
    lengths = {"spacing_mm": spacing_mm, "patch_mm": patch_mm, "stride_mm": stride_mm}
    for name, values in lengths.items():
        if len(values) != 3 or not all(0 < value < np.inf for value in values):
            raise ValueError(f"{name} is {values}: use three lengths (z, y, x) above 0 mm")
    box = bounding_box(mask) if mask.ndim == 3 else None
    if box is None:
        raise ValueError(f"need a (z, y, x) mask with voxels to place patches in, not {mask.shape}")
    return box


def _voxels(lengths_mm: Millimetres, spacing_mm: Millimetres) -> Triple:
    z, y, x = (max(1, round(mm / side)) for mm, side in zip(lengths_mm, spacing_mm, strict=True))
    return z, y, x


def _points(part: slice, size: int, stride: int) -> Places:
    """Centres along one axis: the fewest patches that span the region's box, equally far over both ends."""
    extent = part.stop - part.start
    count = 1 + max(0, -(-(extent - size) // stride))
    if stride > size:  # patches leave gaps: as many as have their centres in the box
        count = 1 + (extent - 1) // stride
    spanned = size + (count - 1) * stride
    first = part.start - (spanned - extent) // 2 + size // 2
    centres: Places = first + stride * np.arange(count)
    return centres


def _inside(mask: Mask, place: Triple) -> bool:
    return all(0 <= at < n for at, n in zip(place, mask.shape, strict=True)) and bool(mask[place])


def _box(centre: Triple, size: Triple, shape: tuple[int, ...]) -> Box:
    """The patch around a voxel; of an even number of voxels, one more lies before the centre than after it."""
    starts = [at - extent // 2 for at, extent in zip(centre, size, strict=True)]
    z, y, x = (
        slice(max(0, start), min(n, start + extent)) for start, extent, n in zip(starts, size, shape, strict=True)
    )
    return z, y, x


def _superior_first(found: tuple[Triple, bool]) -> Triple:
    (z, y, x), _ = found
    return -z, y, x


def _innermost(mask: Mask, box: Box, spacing_mm: Millimetres) -> Triple:
    """The region's voxel nearest to its centroid; of equals, the first in the order of the array."""
    places = np.argwhere(mask[box])
    away_mm = (places - places.mean(axis=0)) * spacing_mm
    return _triple(places[np.argmin((away_mm**2).sum(axis=1))] + _origin(box))


def _completing(
    mask: Mask, box: Box, size: Triple, axes: list[Places], centres: list[Triple], spacing_mm: Millimetres
) -> list[Triple]:
    """Voxels of the region whose patches cover what the patches around `centres` do not."""
    uncovered, origin = mask[box].copy(), _origin(box)
    for centre in centres:
        uncovered[_box(_triple(centre - origin), size, uncovered.shape)] = False
    local = [axis - start for axis, start in zip(axes, origin, strict=True)]
    return [_triple(place + origin) for place in _covering(uncovered, size, local, spacing_mm)]


def _covering(uncovered: Mask, size: Triple, axes: list[Places], spacing_mm: Millimetres) -> Iterator[Places]:
    """One voxel for each cell of the grid that holds uncovered ones, again and again until there are none."""
    while uncovered.any():
        for place in _nearest_of_each_cell(np.argwhere(uncovered), axes, spacing_mm):
            if uncovered[tuple(place)]:  # a patch of the cell before may have covered it
                yield place
                uncovered[_box(_triple(place), size, uncovered.shape)] = False


def _nearest_of_each_cell(places: Places, axes: list[Places], spacing_mm: Millimetres) -> Places:
    """Of the voxels (n, 3) that have one grid point as their nearest, the nearest to it; equals by their order."""
    cells = np.stack([_nearest(axis, at) for axis, at in zip(axes, places.T, strict=True)])
    points = np.stack([axis[cell] for axis, cell in zip(axes, cells, strict=True)], axis=1)
    away_mm2 = (((places - points) * spacing_mm) ** 2).sum(axis=1)
    cell = np.ravel_multi_index(tuple(cells), tuple(map(len, axes)))
    order = np.lexsort((away_mm2, cell))  # stable: equals stay in the order of the array
    _, first = np.unique(cell[order], return_index=True)
    chosen: Places = places[order[first]]
    return chosen


def _nearest(axis: Places, at: Places) -> Places:
    """Index of the grid point nearest to each place along an axis; the last of two that are equally near."""
    return np.searchsorted((axis[1:] + axis[:-1]) / 2, at, side="right")


def _origin(box: Box) -> Places:
    return np.array([part.start for part in box], dtype=np.intp)


def _triple(place: Places) -> Triple:
    z, y, x = (int(at) for at in place)
    return z, y, x
