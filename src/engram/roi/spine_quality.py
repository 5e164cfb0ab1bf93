"""Whether labelled vertebrae can be a spine: none missing between others, in their order, evenly spaced.

Vertebrae are counted from the neck down. T13 and L6 are variants that most people lack. Collapsed vertebrae are
common in myeloma, so the limits on volume and spacing are wide: they find wrong labels, not sick bones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from engram.roi.bone_measures import MIN_PIECE_ML, Bone

_LEVELS = (*(f"C{i}" for i in range(1, 8)), *(f"T{i}" for i in range(1, 14)), *(f"L{i}" for i in range(1, 7)))
SPINE = tuple(f"vertebrae_{level}" for level in _LEVELS)
_VARIANTS = ("vertebrae_T13", "vertebrae_L6")
_CHAIN = ("skull", *(name for name in SPINE if name not in _VARIANTS), "sacrum")

_NEAR = 2  # vertebrae on each side with which one is compared: sizes change slowly down the spine
MIN_SPACING, MAX_SPACING = 0.5, 1.6  # of the median spacing near it; a vertebra that was passed over gives 2
MIN_VOLUME, MAX_VOLUME = 0.35, 2.5  # of the median volume near it


def missing_vertebrae(bones: Mapping[str, Bone]) -> tuple[str, ...]:
    """Vertebrae that are not there although something above and something below is: skull, vertebra or sacrum."""
    there = [i for i, name in enumerate(_CHAIN) if name in bones and bones[name].volume_ml >= MIN_PIECE_ML]
    if not there:
        return ()
    return tuple(name for i, name in enumerate(_CHAIN) if there[0] < i < there[-1] and i not in there)


def spine_flags(bones: Mapping[str, Bone]) -> list[str]:
    """Vertebrae out of order, or of a distance or volume that none has; in words, empty where nothing is wrong."""
    spine = [bones[name] for name in SPINE if name in bones and bones[name].volume_ml >= MIN_PIECE_ML]
    misplaced = _misplaced(spine)
    if misplaced:
        how = "swapped" if len(misplaced) == 2 else "out of order"
        return [f"{how} along the spine: {', '.join(misplaced)}", *_volume_flags(spine)]
    return [*_spacing_flags(spine), *_volume_flags(spine)]


def _misplaced(spine: Sequence[Bone]) -> list[str]:
    """Vertebrae that do not have the place along the body that their name has."""
    by_height = sorted(spine, key=lambda bone: -bone.centre_mm[0])
    return [bone.name for bone, found in zip(spine, by_height, strict=True) if bone is not found]


def _spacing_flags(spine: Sequence[Bone]) -> list[str]:
    """Neighbours whose centres lie too close or too far; what the field of view cuts has no true centre."""
    gaps_mm = [
        float(np.linalg.norm(np.subtract(above.centre_mm, below.centre_mm))) if _are_next(above, below) else np.nan
        for above, below in pairwise(spine)
    ]
    usual = _medians_near(gaps_mm)
    return [
        f"{above.name} and {below.name}: centres {gap:.0f} mm apart, {expected:.0f} mm near them"
        for (above, below), gap, expected in zip(pairwise(spine), gaps_mm, usual, strict=True)
        if gap < MIN_SPACING * expected or gap > MAX_SPACING * expected
    ]


def _are_next(above: Bone, below: Bone) -> bool:
    between = SPINE[SPINE.index(above.name) + 1 : SPINE.index(below.name)]
    return all(name in _VARIANTS for name in between) and not (above.cut or below.cut)


def _volume_flags(spine: Sequence[Bone]) -> list[str]:
    volumes_ml = [np.nan if bone.cut else bone.volume_ml for bone in spine]
    usual = _medians_near(volumes_ml)
    return [
        f"{bone.name}: {volume:.1f} mL, {expected:.1f} mL near it"
        for bone, volume, expected in zip(spine, volumes_ml, usual, strict=True)
        if volume < MIN_VOLUME * expected or volume > MAX_VOLUME * expected
    ]


def _medians_near(values: Sequence[float]) -> list[float]:
    """For each value, the median of those near it, itself left out; NaN where there are fewer than two."""
    near = [(*values[max(i - _NEAR, 0) : i], *values[i + 1 : i + 1 + _NEAR]) for i in range(len(values))]
    known = [[value for value in some if not np.isnan(value)] for some in near]
    return [float(np.median(some)) if len(some) >= 2 else float("nan") for some in known]
