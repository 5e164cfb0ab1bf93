"""The table of anatomical parts: which bone belongs where (requirements, section 3).

Regions of interest, the read-out that keeps parts apart, and numbers by part are all made from it. Scapula and
clavicle are neither thorax nor free limb, so the shoulder girdle is a part of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from engram.roi.bones import (
    CODES,
    HIPS,
    LIMBS,
    RIBS,
    SACRUM,
    SHOULDER_GIRDLE,
    VERTEBRAE,
    BoneMap,
    looked_up,
)

PartMap = npt.NDArray[np.uint8]


def _level(region: str) -> tuple[str, ...]:
    return tuple(name for name in VERTEBRAE if name.removeprefix("vertebrae_").startswith(region))


BONES_OF_PART: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "skull": ("skull",),
        "cervical spine": _level("C"),
        "thoracic spine": _level("T"),
        "lumbar spine": _level("L"),
        "sacrum and pelvis": (*SACRUM, *HIPS),
        "ribs and sternum": (*RIBS, "sternum"),
        "shoulder girdle": SHOULDER_GIRDLE,
        "limbs": LIMBS,
    }
)
PARTS = tuple(BONES_OF_PART)


def part_map(bones: BoneMap) -> PartMap:
    """Part of each voxel, uint8 (z, y, x): 0 is none, i + 1 is PARTS[i]."""
    table = np.zeros(256, dtype=np.uint8)
    for number, names in enumerate(BONES_OF_PART.values(), start=1):
        table[[CODES[name] for name in names]] = number
    return looked_up(table, bones.codes)
