"""Which numbers of a patient's images break a limit: of the study file (left out), or of good habit (flagged)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engram.config_checks import ImageChecks
from engram.pipeline.measures import Measures

# Beyond these a patient is worth a look: they are flagged, and never left out for it. Real limbs lie up to 10 mm
# off, with a Dice of 0.86 or more; lungs and bladder move by some mm more. Livers: of FDG, 1 to 4 as a rule.
WORTH_A_LOOK = ImageChecks(
    min_ct_covered=0.8,
    min_roi_in_pet=0.95,
    max_activity_change=0.02,
    min_body_dice=0.8,
    max_shift_mm=15.0,
    min_liver_suv=0.5,
    max_liver_suv=6.0,
    min_bone_contrast=0.7,
    max_swapped_pairs=None,  # bone_quality names each pair
)


@dataclass(frozen=True)
class Broken:
    """One limit that is broken. use: of the file that it is about. value: the number found, and the limit."""

    use: str
    reason: str
    value: str
    mend: str


@dataclass(frozen=True)
class _Limit:
    field: str
    use: str
    reason: str
    number: Callable[[Measures], float | None]
    mend: str

    def broken(self, measures: Measures, limits: ImageChecks) -> Broken | None:
        limit, found = getattr(limits, self.field), self.number(measures)
        if limit is None or found is None:
            return None
        least = self.field.startswith("min_")
        if found >= limit if least else found <= limit:
            return None
        value = (
            f"{self.field.removeprefix('min_').removeprefix('max_')} {found:.3g}, at {'least' if least else 'most'}"
        )
        return Broken(self.use, self.reason, f"{value} {limit:g}", self.mend)


def _shift_mm(measures: Measures) -> float | None:
    shift = measures.alignment.registration.shift if measures.alignment is not None else None
    return shift.distance_mm if shift is not None else None


def _activity_change(measures: Measures) -> float | None:
    change = measures.alignment.activity.change if measures.alignment is not None else None
    return abs(change) if change is not None else None


def _liver_suv(measures: Measures) -> float | None:
    return measures.liver.mean if measures.liver is not None else None


_SESSION = "Check that CT and PET are of one session; look at both on top of each other."
_LIVER = "Check weight, dose, times and unit of the PET; look at the liver of the label map."
_LIMITS = (
    _Limit(
        "min_ct_covered", "pet", "PET covers too little of the CT",
        lambda m: m.alignment.ct_covered if m.alignment is not None else None, _SESSION,
    ),
    _Limit(
        "min_pet_covered", "pet", "CT covers too little of the PET",
        lambda m: m.alignment.pet_covered if m.alignment is not None else None, _SESSION,
    ),
    _Limit(
        "min_roi_in_pet", "pet", "PET covers too little of a region of interest",
        lambda m: min(m.roi_in_pet.values(), default=None), "Use a region that the PET covers, or leave PET out.",
    ),
    _Limit(
        "max_activity_change", "pet", "uptake changed by resampling", _activity_change,
        "Resample the CT to finer slices, or give PET and CT of similar voxels.",
    ),
    _Limit(
        "min_body_dice", "pet", "body outlines of PET and CT differ",
        lambda m: m.alignment.registration.body_dice if m.alignment is not None else None, _SESSION,
    ),
    _Limit("max_shift_mm", "pet", "PET and CT lie apart", _shift_mm, _SESSION),
    _Limit("min_liver_suv", "pet", "SUV of the liver too low", _liver_suv, _LIVER),
    _Limit("max_liver_suv", "pet", "SUV of the liver too high", _liver_suv, _LIVER),
    _Limit(
        "min_bone_contrast", "labels", "labelled bones do not lie on bone", lambda m: m.bone_contrast,
        "Look at label map and CT together: an axis is flipped, the origin is wrong, one is of another scan, or "
        "images.labels names the wrong scheme.",
    ),
    _Limit(
        "max_swapped_pairs", "labels", "label map is mirrored",
        lambda m: m.bones.swapped if m.bones is not None else None,
        "Left and right are swapped: convert the label map again with the orientation of its CT.",
    ),
    _Limit(
        "max_bone_flags", "labels", "label map implausible",
        lambda m: len(m.bones.flags) if m.bones is not None else None,
        "Look at the label map: image_quality.csv names what is wrong.",
    ),
    _Limit(
        "max_roi_flags", "labels", "region of interest implausible",
        lambda m: sum(len(roi.flags) for roi in m.rois),
        "Look at the segmentation: image_quality.csv names what is wrong.",
    ),
)  # fmt: skip


def broken_limits(measures: Measures, limits: ImageChecks) -> Iterator[Broken]:
    """The limits that are broken, in the order of the study file's fields. What was not measured breaks none."""
    for limit in _LIMITS:
        found = limit.broken(measures, limits)
        if found is not None:
            yield found


def flags(measures: Measures) -> list[str]:
    """What is worth a look, in words."""
    words = [f"{found.reason} ({found.value})" for found in broken_limits(measures, WORTH_A_LOOK)]
    words += measures.bones.flags if measures.bones is not None else ()
    words += [flag for roi in measures.rois for flag in roi.flags]
    shift = measures.alignment.registration.shift if measures.alignment is not None else None
    if shift is not None and shift.at_edge:
        words.append("best shift at the end of the search: it may be larger")
    return words
