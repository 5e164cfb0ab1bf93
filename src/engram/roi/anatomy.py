"""Anatomical parts of the skeleton, for read-outs that keep them apart (requirements, section 3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engram.roi.labels import bone_scheme
from engram.roi.regions import Labels

PARTS = ("skull", "cervical spine", "thoracic spine", "lumbar spine", "sacrum and pelvis", "limbs", "thorax")
_PART_OF_GROUP = {
    "skull": "skull",
    "sacrum": "sacrum and pelvis",
    "hips": "sacrum and pelvis",
    "humeri": "limbs",
    "femurs": "limbs",
    "scapulae": "thorax",
    "clavicles": "thorax",
    "ribs": "thorax",
    "sternum": "thorax",
}
_PART_OF_VERTEBRA = {"C": "cervical spine", "T": "thoracic spine", "L": "lumbar spine"}

PartMap = npt.NDArray[np.uint8]


def part_map(labels: Labels, *, scheme: str) -> PartMap:
    """Part of each voxel, uint8 (z, y, x): 0 is none, i + 1 is PARTS[i]. Raises ConfigError: unknown scheme."""
    groups = bone_scheme(scheme).groups
    table = np.zeros(max(int(labels.max(initial=0)), bone_scheme(scheme).highest_label) + 1, dtype=np.uint8)
    for group, bones in groups.items():
        for bone, label in bones.items():
            table[label] = PARTS.index(_part(group, bone)) + 1
    return table[labels]


def _part(group: str, bone: str) -> str:
    if group == "vertebrae":
        return _PART_OF_VERTEBRA[bone.removeprefix("vertebrae_")[0]]
    return _PART_OF_GROUP[group]
