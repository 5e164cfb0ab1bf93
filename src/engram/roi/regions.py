"""Regions made from a map of bones (paper 2.2): the dilated spine, the skeleton with it, and parts of both.

The paper gives no radii. Ours (requirements 10, 11): vertebrae, 3-D closing, per-slice filling of the canal,
dilation; all radii in millimetres, so that thick slices are not dilated more than thin ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from engram.imaging.coverage import bounding_box
from engram.roi.anatomy import BONES_OF_PART
from engram.roi.bones import BONES, SACRUM, VERTEBRAE, BoneMap, Mask
from engram.roi.distance import Spacing, closed, filled_by_slice, grown, padded_crop, paste

__all__ = [
    "CLOSE_MM",
    "PARTS_OF_REGION",
    "Mask",
    "Spacing",
    "bones_of_region",
    "grown_bones",
    "skeleton",
    "spine_dilated",
]

# A closing of 5 mm bridges gaps of up to 10 mm: discs, and the gaps between arches that leave the canal open.
CLOSE_MM = 5.0
DILATE_MM = 10.0

PARTS_OF_REGION: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "skull": ("skull",),
        "cervical": ("cervical spine",),
        "thoracic": ("thoracic spine",),
        "lumbar": ("lumbar spine",),
        "sacrum_pelvis": ("sacrum and pelvis",),
        "ribs_sternum": ("ribs and sternum",),
        "shoulder_girdle": ("shoulder girdle",),
        "limbs": ("limbs",),
    }
)
_AXIAL = ("skull", "cervical spine", "thoracic spine", "lumbar spine", "ribs and sternum")


def bones_of_region(region: str, *, include_sacrum: bool = True) -> tuple[str, ...]:
    """Names of the bones that a region is made of, before anything is closed, filled, grown or shrunk.

    include_sacrum: of the dilated spine alone. Raises KeyError where there is no such region of bones.
    """
    if region == "skeleton":
        return BONES
    if region == "spine_dilated":
        return VERTEBRAE + SACRUM if include_sacrum else VERTEBRAE
    if region == "axial_skeleton":
        return tuple(bone for part in _AXIAL for bone in BONES_OF_PART[part]) + SACRUM
    return tuple(bone for part in PARTS_OF_REGION[region] for bone in BONES_OF_PART[part])


def spine_dilated(
    bones: BoneMap,
    spacing_mm: Spacing,
    *,
    dilate_mm: float = DILATE_MM,
    close_mm: float = CLOSE_MM,
    fill_canal: bool = True,
    include_sacrum: bool = True,
) -> Mask:
    """Vertebrae with canal and paramedullary surroundings, bool (z, y, x); spacing_mm: (z, y, x).

    All False where the map has no vertebra. Raises ValueError where a radius is negative.
    """
    if dilate_mm < 0 or close_mm < 0:
        raise ValueError(f"radii must not be negative: dilate_mm {dilate_mm}, close_mm {close_mm}")
    mask = bones.mask(bones_of_region("spine_dilated", include_sacrum=include_sacrum))
    box = bounding_box(mask)
    if box is None:
        return mask
    spine, margin = padded_crop(mask, box, max(close_mm, dilate_mm), spacing_mm)
    spine = closed(spine, close_mm, spacing_mm)
    spine = filled_by_slice(spine) if fill_canal else spine
    paste(mask, grown(spine, dilate_mm, spacing_mm), box, margin)
    return mask


def skeleton(bones: BoneMap, spine: Mask) -> Mask:
    """All segmented bones and the dilated spine, bool (z, y, x) (paper 2.2)."""
    return np.logical_or(bones.mask(), spine)


def grown_bones(bones: BoneMap, spacing_mm: Spacing, *, region: str, dilate_mm: float = 0.0) -> Mask:
    """The bones of a region as segmented, grown by `dilate_mm`, bool (z, y, x)."""
    mask = bones.mask(bones_of_region(region))
    box = bounding_box(mask)
    if box is None or dilate_mm == 0:
        return mask
    crop, margin = padded_crop(mask, box, dilate_mm, spacing_mm)
    paste(mask, grown(crop, dilate_mm, spacing_mm), box, margin)
    return mask
