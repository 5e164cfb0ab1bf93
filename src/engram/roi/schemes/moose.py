"""MOOSE (moosez): numbers of its tasks, which moved with the models of August 2024, between 2.6.2 and 2.6.3.

Before: `ORGAN_INDICES` in moosez/constants.py of the published packages 2.2.30, 2.4.0, 2.4.11 and 2.6.0 to 2.6.2.
After: the same in 2.6.3 and 2.6.4, and moosez/mappings/moose_snomed_mapping.csv (github.com/ENHANCE-PET/MOOSE,
commit 070f3203) for 3.x to 3.2.2, where the numbers come with each model. Left out: `clin_ct_all_bones_v1` and
`clin_ct_PUMA`, which have one number for the whole spine or skeleton, and the `fast` tasks, whose numbers are
given in no source that was found.
"""

from __future__ import annotations

from engram.roi.schemes.scheme import LabelScheme, Version, both_sides, from_value, levels, ribs

_SPINE = from_value(1, [*levels("C", 1, 7), *levels("T", 1, 12), *levels("L", 1, 5)])
_PELVIS = {**from_value(26, both_sides("hip")), 28: "sacrum"}
_START = both_sides("carpal", "clavicula", "femur", "fibula")
_END = [*both_sides("radius", "scapula"), "skull", *both_sides("tarsal", "tibia", "phalanges_feet", "ulna")]
_MIDDLE_2 = both_sides("humerus", "metacarpal", "metatarsal", "patella", "phalanges_hand")
_MIDDLE_3 = both_sides("phalanges_hand", "humerus", "metacarpal", "metatarsal", "patella")

_TABLES_2: dict[str, tuple[dict[int, str], int]] = {
    "clin_ct_vertebrae": (_SPINE | {25: "vertebrae_S1"} | _PELVIS, 28),
    "clin_ct_ribs": (from_value(1, [*ribs("left", 1, 12), *ribs("right", 1, 12), "sternum"]), 25),
    "clin_ct_peripheral_bones": (from_value(1, _START + _MIDDLE_2 + _END), 34),  # thyroid and bladder at the end
    "clin_ct_organs": ({5: "liver"}, 17),
    "clin_ct_fat": ({1: "spinal_cord"}, 8),
}
_TABLES_3: dict[str, tuple[dict[int, str], int]] = {
    "clin_ct_vertebrae": (_SPINE | {25: "vertebrae_L6"} | _PELVIS, 28),
    "clin_ct_ribs": (from_value(1, [*ribs("left", 1, 13), *ribs("right", 1, 13), "sternum"]), 27),
    "clin_ct_peripheral_bones": (from_value(1, _START + _MIDDLE_3 + _END), 31),
    "clin_ct_organs": ({8: "liver"}, 19),
}


def _schemes(
    name: str, first: Version, last: Version, tables: dict[str, tuple[dict[int, str], int]]
) -> list[LabelScheme]:
    return [LabelScheme(f"{name}/{task}", first, last, *table) for task, table in tables.items()]


MOOSE = (
    *_schemes("moose-2", (2, 2, 30), (2, 6, 2), _TABLES_2),
    *_schemes("moose-3", (2, 6, 3), (3, 2, 2), _TABLES_3),
)
