"""The bones by one set of names, whatever segmenter drew them, and a map of them.

Names follow TotalSegmentator. A bone of the limbs that a segmenter does not tell left from right has no side in
its name. Costal cartilages, discs, teeth and the hyoid are not bone here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]
Box = tuple[slice, ...]
Codes = npt.NDArray[np.uint8]
Entry = TypeVar("Entry", bound=np.generic)

VERTEBRAE = tuple(
    f"vertebrae_{region}{level}"
    for region, levels in (("C", 7), ("T", 13), ("L", 6))
    for level in range(1, levels + 1)
)
SACRUM = ("vertebrae_S1", "sacrum")
RIBS = tuple(f"rib_{side}_{number}" for side in ("left", "right") for number in range(1, 14))
SHOULDER_GIRDLE = tuple(f"{bone}_{side}" for bone in ("scapula", "clavicula") for side in ("left", "right"))
HIPS = ("hip_left", "hip_right")
_ARM = ("ulna", "radius", "carpal", "metacarpal", "phalanges_hand")
_LEG = ("patella", "tibia", "fibula", "tarsal", "metatarsal", "phalanges_feet")
_SIDED = tuple(f"{bone}_{side}" for bone in ("humerus", "femur", *_ARM, *_LEG) for side in ("left", "right"))
LIMBS = _SIDED + _ARM + _LEG

BONES = ("skull", *VERTEBRAE, *SACRUM, *HIPS, *RIBS, "sternum", *SHOULDER_GIRDLE, *LIMBS)
ORGANS = ("liver", "spinal_cord")  # no bones: for checks of the PET and of the canal
CODES: Mapping[str, int] = MappingProxyType({name: code for code, name in enumerate((*BONES, *ORGANS), start=1)})


@dataclass(frozen=True, eq=False)
class BoneMap:
    """Which voxel is which bone.

    codes: uint8 (z, y, x), read-only; 0 is none, i + 1 is BONES[i]; beyond the bones, organs as CODES says.
    known: every name that the segmentation could have used; another one was not looked for.
    """

    codes: Codes
    known: frozenset[str]

    def __post_init__(self) -> None:
        if self.codes.ndim != 3 or self.codes.dtype != np.uint8:
            raise ValueError(f"need uint8 (z, y, x) codes, not {self.codes.dtype} {self.codes.shape}")
        codes = self.codes.view()
        codes.flags.writeable = False
        object.__setattr__(self, "codes", codes)

    def mask(self, names: Iterable[str] = BONES) -> Mask:
        """Voxels of the named bones or organs, bool (z, y, x); of every bone by default."""
        chosen = np.zeros(256, dtype=np.bool_)
        chosen[[CODES[name] for name in names]] = True
        return looked_up(chosen, self.codes)

    def boxes(self) -> dict[str, Box]:
        """The smallest box around each bone and organ that has voxels, in the order of CODES."""
        found = ndimage.find_objects(self.codes, max_label=len(CODES))
        return {name: box for name, box in zip(CODES, found, strict=True) if box is not None}


def merged(maps: Iterable[BoneMap]) -> BoneMap:
    """One map of several on one grid: where two name a voxel, the earlier has it, but a bone goes before an organ.

    The maps are taken one by one, so that a generator of them needs little memory. Raises ValueError where there
    is none, or shapes differ.
    """
    first, codes, known = None, None, frozenset[str]()
    for one in maps:
        known |= one.known
        if first is None:
            first = one
            continue
        codes = first.codes.copy() if codes is None else codes
        _add(codes, one.codes)
    if first is None:
        raise ValueError("there is no map to merge")
    return first if codes is None else BoneMap(codes, known)


def _add(codes: Codes, others: Codes) -> None:
    if codes.shape != others.shape:
        raise ValueError(f"maps of other shapes: {codes.shape}, {others.shape}")
    for plane, added in zip(codes, others, strict=True):
        np.copyto(plane, added, where=_free(plane, added))


def _free(plane: Codes, added: Codes) -> Mask:
    bone = (added > 0) & (added <= len(BONES))
    free: Mask = ((plane == 0) & (added > 0)) | ((plane > len(BONES)) & bone)
    return free


def looked_up(table: npt.NDArray[Entry], codes: Codes) -> npt.NDArray[Entry]:
    """`table[codes]`, plane by plane: numpy makes indices of 8 bytes, too many for a whole body at once."""
    found = np.empty(codes.shape, dtype=table.dtype)
    for plane, out in zip(codes, found, strict=True):
        out[...] = table[plane]
    return found
