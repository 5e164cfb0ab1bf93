"""TotalSegmentator: `class_map` in totalsegmentator/map_to_binary.py of the published packages.

Compared with 1.5.7, 2.0.5, 2.1.0, 2.2.1 and 2.18.0 (github.com/wasserth/TotalSegmentator, commit 0275d304 for the
newest). Up to 2.1.0 the ribs of task `total` stood in another order. Task `total_v3` has L6 where `total` has S1.
`appendicular_bones` tells no side. Left out: tasks for MR, and those that name no bone by its level or kind
(`vertebrae_body`, `craniofacial_structures`).
"""

from __future__ import annotations

from engram.roi.schemes.scheme import LabelScheme, both_sides, from_value, levels, ribs

_SPINE_UP = [*levels("L", 5, 1), *levels("T", 12, 1), *levels("C", 7, 1)]
_SPINE_DOWN = [*levels("C", 1, 7), *levels("T", 1, 12), *levels("L", 1, 5)]
_GIRDLES = both_sides("humerus", "scapula", "clavicula", "femur", "hip")
_RIBS = from_value(92, [*ribs("left", 1, 12), *ribs("right", 1, 12)])
_RIBS_TO_2_1 = from_value(
    92, ["rib_right_4", "rib_right_3", *ribs("left", 1, 12), *ribs("right", 1, 2), *ribs("right", 5, 12)]
)
_APPENDICULAR = [
    *("patella", "tibia", "fibula", "tarsal", "metatarsal", "phalanges_feet"),
    *("ulna", "radius", "carpal", "metacarpal", "phalanges_hand"),
]

_TOTAL_1 = {
    5: "liver",
    **from_value(18, _SPINE_UP),
    **from_value(58, [*ribs("left", 1, 12), *ribs("right", 1, 12)]),
    **from_value(82, both_sides("humerus", "scapula", "clavicula", "femur", "hip")),
    92: "sacrum",
}
_WITHOUT_RIBS = {
    5: "liver",
    25: "sacrum",
    26: "vertebrae_S1",
    **from_value(27, _SPINE_UP),
    **from_value(69, _GIRDLES),
    79: "spinal_cord",
    91: "skull",
    116: "sternum",
}

TOTALSEGMENTATOR = (
    LabelScheme("totalsegmentator-1/total", (1, 5, 7), (1, 5, 7), _TOTAL_1, 104),
    LabelScheme("totalsegmentator-2.1/total", (2, 0, 5), (2, 1, 0), _WITHOUT_RIBS | _RIBS_TO_2_1, 117),
    LabelScheme("totalsegmentator-2/total", (2, 2, 1), (2, 18, 0), _WITHOUT_RIBS | _RIBS, 117),
    LabelScheme(
        "totalsegmentator-2/total_v3",
        (2, 18, 0),
        (2, 18, 0),
        _WITHOUT_RIBS | _RIBS | {26: "vertebrae_L6"},
        117,
    ),
    LabelScheme("totalsegmentator-2/appendicular_bones", (2, 0, 5), (2, 18, 0), from_value(1, _APPENDICULAR), 11),
    LabelScheme("totalsegmentator-2/vertebrae_pp", (2, 18, 0), (2, 18, 0), from_value(1, _SPINE_DOWN), 24),
)
