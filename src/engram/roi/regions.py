"""Regions made from a bone label map (paper 2.2): the dilated spine, and the skeleton with it.

The paper gives no radii. Ours (requirements 10, 11): vertebrae, 3-D closing, per-slice filling of the canal,
dilation; all radii in millimetres, so that thick slices are not dilated more than thin ones.
"""

from __future__ import annotations

from math import ceil

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from engram.roi.labels import bone_scheme

CLOSING_MM = 5.0  # bridges gaps of up to 10 mm: discs, and the gaps between arches that leave the canal open

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.integer]
Spacing = tuple[float, float, float]


def spine_dilated(
    labels: Labels, spacing_mm: Spacing, *, scheme: str, dilate_mm: float = 10.0, include_sacrum: bool = True
) -> Mask:
    """Vertebrae with canal and paramedullary surroundings, bool (z, y, x).

    labels: integers (z, y, x). spacing_mm: (z, y, x). All False where the map has no vertebra.
    Raises ValueError where labels are not 3-D or `dilate_mm` is negative, ConfigError for an unknown scheme.
    """
    if labels.ndim != 3 or dilate_mm < 0:
        raise ValueError(f"need (z, y, x) labels and dilate_mm >= 0, not {labels.shape} and {dilate_mm}")
    bones = spine_bones(labels, scheme=scheme, include_sacrum=include_sacrum)
    spine = np.zeros(labels.shape, dtype=np.bool_)
    box = _bounding_box(bones)
    if box is None:
        return spine
    margin = tuple(ceil(max(CLOSING_MM, dilate_mm) / side_mm) + 1 for side_mm in spacing_mm)
    padded = np.pad(bones[box], [(m, m) for m in margin])
    filled = _fill_each_slice(_closed(padded, CLOSING_MM, spacing_mm))
    _paste(spine, _dilated(filled, dilate_mm, spacing_mm), box, margin)
    return spine


def spine_bones(labels: Labels, *, scheme: str, include_sacrum: bool) -> Mask:
    """The vertebrae alone, bool (z, y, x), with or without the sacrum."""
    groups = ("vertebrae", "sacrum") if include_sacrum else ("vertebrae",)
    mask: Mask = np.isin(labels, bone_scheme(scheme).labels(*groups))
    return mask


def all_bones(labels: Labels, *, scheme: str) -> Mask:
    """Every bone of the scheme, bool (z, y, x), without costal cartilages."""
    mask: Mask = np.isin(labels, bone_scheme(scheme).labels())
    return mask


def skeleton(
    labels: Labels, spacing_mm: Spacing, *, scheme: str, dilate_mm: float = 10.0, include_sacrum: bool = True
) -> Mask:
    """All segmented bones and the dilated spine, bool (z, y, x) (paper 2.2). Arguments as `spine_dilated`."""
    spine = spine_dilated(labels, spacing_mm, scheme=scheme, dilate_mm=dilate_mm, include_sacrum=include_sacrum)
    return all_bones(labels, scheme=scheme) | spine


def _bounding_box(mask: Mask) -> tuple[slice, ...] | None:
    found = ndimage.find_objects(mask.astype(np.int8))
    return found[0] if found else None


def _dilated(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    """Voxels whose centre lies within `radius_mm` of a voxel centre of the mask."""
    if radius_mm == 0:
        return mask
    reached: Mask = ndimage.distance_transform_edt(~mask, sampling=spacing_mm) <= radius_mm
    return reached


def _closed(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    """Dilation, then erosion by the same ball. The mask must lie `radius_mm` inside its array."""
    grown = _dilated(mask, radius_mm, spacing_mm)
    kept: Mask = ndimage.distance_transform_edt(grown, sampling=spacing_mm) > radius_mm
    return kept


def _fill_each_slice(mask: Mask) -> Mask:
    return np.stack([ndimage.binary_fill_holes(plane) for plane in mask])


def _paste(target: Mask, padded: Mask, box: tuple[slice, ...], margin: tuple[int, ...]) -> None:
    """Write a padded crop back where it came from; what reaches beyond the scan is cut off."""
    to, source = [], []
    for axis, size, m in zip(box, target.shape, margin, strict=True):
        low, high = max(axis.start - m, 0), min(axis.stop + m, size)
        to.append(slice(low, high))
        source.append(slice(low - axis.start + m, high - axis.start + m))
    target[tuple(to)] = padded[tuple(source)]
