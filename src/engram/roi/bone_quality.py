"""Whether segmented bones can be a skeleton: vertebrae in their order, left on the left, no part far from its bone.

Everything is measured on the label map of one patient. A truncated field of view is normal: what it cuts off is
not missing, and bones that it cuts are not compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engram.imaging.volume import Grid
from engram.roi.bone_measures import MIN_PIECE_ML, Bone, measure_bones
from engram.roi.bones import BONES, BoneMap
from engram.roi.spine_quality import SPINE, missing_vertebrae, spine_flags

MIN_MIRROR_RATIO = 0.4  # smaller volume of a pair over the larger; hips of one patient differ by a few per cent
WRONG_SIDE_MM = 20.0  # across the middle of the spine: more than a scoliosis shifts a hip


@dataclass(frozen=True)
class BoneQuality:
    """The label map of one patient.

    volume_ml: of all bones; bones: how many there are. vertebrae: those that are there, from the neck down.
    missing: vertebrae between others that the segmentation knows and that are not there. swapped: share of the
    pairs of bones whose left one lies on the right; None with fewer than two pairs. flags: what is wrong, in words;
    empty where nothing is.
    """

    volume_ml: float
    bones: int
    vertebrae: tuple[str, ...]
    missing: tuple[str, ...]
    swapped: float | None
    flags: tuple[str, ...]


def bone_quality(bones: BoneMap, grid: Grid) -> BoneQuality:
    """Measure a map of bones on `grid`. Raises ValueError where it is not on the grid."""
    found = measure_bones(bones.codes, BONES, grid)
    missing = tuple(name for name in missing_vertebrae(found) if name in bones.known)
    flags = [f"missing between others: {', '.join(missing)}"] if missing else []
    return BoneQuality(
        volume_ml=sum(bone.volume_ml for bone in found.values()),
        bones=len(found),
        vertebrae=tuple(name for name in SPINE if name in found),
        missing=missing,
        swapped=_swapped_share(found),
        flags=(*_far_flags(found), *flags, *spine_flags(found), *_side_flags(found)),
    )


def _far_flags(bones: Mapping[str, Bone]) -> list[str]:
    return [
        f"{bone.name}: {bone.far_ml:.1f} mL of it lie {bone.far_mm:.0f} mm from the rest"
        for bone in bones.values()
        if bone.far_ml
    ]


def _whole(bones: Mapping[str, Bone]) -> dict[str, Bone]:
    """Bones that are more than a speck."""
    return {name: bone for name, bone in bones.items() if bone.volume_ml >= MIN_PIECE_ML}


def _pairs(bones: Mapping[str, Bone]) -> list[tuple[Bone, Bone]]:
    """Left bones with their right partners."""
    whole = _whole(bones)
    return [(bone, whole[other]) for name, bone in whole.items() if (other := _partner(name)) in whole]


def _swapped_share(bones: Mapping[str, Bone]) -> float | None:
    pairs = _pairs(bones)
    if len(pairs) < 2:
        return None
    return sum(left.centre_mm[2] <= right.centre_mm[2] for left, right in pairs) / len(pairs)


def _side_flags(bones: Mapping[str, Bone]) -> list[str]:
    """Pairs that lie on each other's side, bones across the spine, and pairs of very unequal volume."""
    whole, pairs = _whole(bones), _pairs(bones)
    swapped = [left.name for left, right in pairs if left.centre_mm[2] <= right.centre_mm[2]]
    flags = [_swapped(swapped, len(pairs))] if swapped else []
    flags += [f"{name}: on the wrong side of the spine" for name in _across(whole) if not swapped]
    return flags + [_unequal(left, right) for left, right in pairs if _differs(left, right)]


def _partner(name: str) -> str:
    """The right partner of a left bone; empty for any other."""
    return name.replace("_left", "_right") if "_left" in name else ""


def _swapped(names: Sequence[str], pairs: int) -> str:
    if len(names) == pairs > 1:
        return f"left and right swapped in all {pairs} pairs of bones: the label map, or the scan, is mirrored"
    return f"left and right swapped: {', '.join(name.replace('_left', '') for name in names)}"


def _across(bones: Mapping[str, Bone]) -> list[str]:
    """Bones of one side that lie on the other side of the middle of the spine (median over its vertebrae)."""
    spine = [bones[name].centre_mm[2] for name in SPINE if name in bones]
    if not spine:
        return []
    middle = float(np.median(spine))
    to_left = {name: bone.centre_mm[2] - middle for name, bone in bones.items()}
    return [
        name
        for name, mm in to_left.items()
        if ("_left" in name and mm < -WRONG_SIDE_MM) or ("_right" in name and mm > WRONG_SIDE_MM)
    ]


def _differs(left: Bone, right: Bone) -> bool:
    smaller, larger = sorted((left.volume_ml, right.volume_ml))
    return not (left.cut or right.cut) and smaller < MIN_MIRROR_RATIO * larger


def _unequal(left: Bone, right: Bone) -> str:
    pair = left.name.replace("_left", "")
    return f"{pair}: {left.volume_ml:.1f} mL on the left, {right.volume_ml:.1f} mL on the right"
