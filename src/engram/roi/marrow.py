"""Where the active marrow of adults lies: axial skeleton, shoulder girdle, hip bones, upper humeri and femora.

After Cristy, Phys Med Biol 26 (1981) 389 (doi 10.1088/0031-9155/26/3/003), who counts the upper halves of humeri
and femora. Most PET/CT end at mid-thigh, so the length of a femur is not in the image; the upper part is therefore
what lies within some millimetres of the joint. The skull is left out: uptake of the brain spills into it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from engram.errors import ImagingError
from engram.roi.anatomy import BONES_OF_PART
from engram.roi.bones import CODES, SACRUM, BoneMap, Box, Mask
from engram.roi.distance import Spacing, around, grown, shrunk

LONG_BONES = {
    f"{bone}_{side}": f"{girdle}_{side}"
    for bone, girdle in (("humerus", "scapula"), ("femur", "hip"))
    for side in ("left", "right")
}
_WHOLE = (
    "cervical spine",
    "thoracic spine",
    "lumbar spine",
    "sacrum and pelvis",
    "ribs and sternum",
    "shoulder girdle",
)
WHOLE_BONES = (*(bone for part in _WHOLE for bone in BONES_OF_PART[part]), *SACRUM)

_JOINT_MM = 10.0  # a bone this close to its girdle is at the joint: cartilage, and a gap between labels
_SPECK_ML = 1.0  # less of a long bone is none


def marrow(bones: BoneMap, spacing_mm: Spacing, *, erode_mm: float, proximal_mm: float, patient_id: str) -> Mask:
    """Bones that bear active marrow without `erode_mm` of their surface, bool (z, y, x).

    proximal_mm: how far from the joint humeri and femora are taken; 0 leaves them out.
    Raises ImagingError where the joint of a long bone is not in the label map.
    """
    mask = bones.mask(WHOLE_BONES)
    if proximal_mm > 0:
        boxes = bones.boxes()
        for bone, girdle in LONG_BONES.items():
            if bone in boxes:
                _add_proximal(mask, bones, boxes, bone, girdle, proximal_mm, spacing_mm, patient_id)
    return shrunk(mask, erode_mm, spacing_mm)


def _add_proximal(
    mask: Mask,
    bones: BoneMap,
    boxes: Mapping[str, Box],
    bone: str,
    girdle: str,
    proximal_mm: float,
    spacing_mm: Spacing,
    patient_id: str,
) -> None:
    voxels = bones.codes[boxes[bone]] == CODES[bone]
    if voxels.sum() * np.prod(spacing_mm) / 1000 < _SPECK_ML:
        return
    joint_mm = _joint_mm(bones, boxes, bone, girdle, spacing_mm)
    if joint_mm is None:
        raise ImagingError(
            patient_id,
            f"joint of {bone} not found",
            value=f"no {girdle} within {_JOINT_MM:g} mm of {bone}",
            mend="Look at the label map, or set proximal_mm: 0, which leaves humeri and femora out.",
        )
    mask[boxes[bone]] |= voxels & (_distance_mm(boxes[bone], joint_mm, spacing_mm) <= proximal_mm)


def _joint_mm(
    bones: BoneMap, boxes: Mapping[str, Box], bone: str, girdle: str, spacing_mm: Spacing
) -> npt.NDArray[np.float64] | None:
    """The middle of the part of a bone that is close to its girdle, (z, y, x) mm from voxel [0, 0, 0]."""
    if girdle not in boxes:
        return None
    near = around(boxes[girdle], _JOINT_MM, spacing_mm, bones.codes.shape)
    codes = bones.codes[near]
    touching = np.argwhere(grown(codes == CODES[girdle], _JOINT_MM, spacing_mm) & (codes == CODES[bone]))
    if not len(touching):
        return None
    middle: npt.NDArray[np.float64] = (touching.mean(axis=0) + [axis.start for axis in near]) * spacing_mm
    return middle


def _distance_mm(box: Box, point_mm: npt.NDArray[np.float64], spacing_mm: Spacing) -> npt.NDArray[np.float32]:
    """Distance (z, y, x) of each voxel centre of a box from a point."""
    axes = [
        ((np.arange(part.start, part.stop) * side - at) ** 2).astype(np.float32)
        for part, side, at in zip(box, spacing_mm, point_mm, strict=True)
    ]
    found: npt.NDArray[np.float32] = np.sqrt(axes[0][:, None, None] + axes[1][:, None] + axes[2])
    return found
