from pathlib import Path

import numpy as np
import pytest

from engram.imaging.volume import Grid, read_oriented
from engram.roi.bone_quality import BoneQuality, bone_quality
from engram.roi.bones import BONES, CODES, BoneMap
from engram.roi.spine_quality import SPINE

ANATOMY = Path(__file__).resolve().parents[4] / "shared" / "data" / "ct_anatomy"

LEVELS = [name for name in SPINE if name not in ("vertebrae_T13", "vertebrae_L6")]
GRID = Grid((130, 24, 60), (4.0, 4.0, 4.0))


def code(name: str) -> int:
    return CODES[name]


def quality(codes: np.ndarray, grid: Grid = GRID, known: frozenset[str] = frozenset(BONES)) -> BoneQuality:
    return bone_quality(BoneMap(codes, known), grid)


@pytest.fixture
def skeleton() -> np.ndarray:
    """24 vertebrae, the skull above them, the sacrum below, hips, femurs and ribs; left is at larger x."""
    codes = np.zeros(GRID.shape, np.uint8)
    for i, name in enumerate(LEVELS):
        z = 112 - 4 * i
        codes[z : z + 3, 8:16, 26:34] = code(name)
    codes[120:128, 4:20, 22:38] = code("skull")
    codes[12:19, 8:16, 26:34] = code("sacrum")
    for side, x in (("right", 16), ("left", 38)):
        codes[8:20, 6:18, x : x + 6] = code(f"hip_{side}")
        codes[0:8, 6:18, x : x + 6] = code(f"femur_{side}")
        codes[70, 4:18, x : x + 6] = code(f"rib_{side}_5")
    return codes


def flags(codes: np.ndarray) -> tuple[str, ...]:
    return quality(codes).flags


def renamed(codes: np.ndarray, **names: str) -> np.ndarray:
    found = codes.copy()
    for old, new in names.items():
        found[codes == code(old)] = code(new) if new else 0
    return found


def test_a_whole_skeleton_has_no_flag(skeleton):
    found = quality(skeleton)
    assert found.flags == found.missing == ()
    assert found.vertebrae == tuple(LEVELS)
    assert found.bones == 32


def test_a_truncated_field_of_view_is_normal(skeleton):
    grid = Grid((50, 24, 60), GRID.spacing_mm)
    found = quality(skeleton[30:80], grid)
    assert found.flags == found.missing == ()
    assert found.vertebrae[0] == "vertebrae_T3"


def test_swapped_vertebrae_are_named(skeleton):
    swapped = renamed(skeleton, vertebrae_L2="vertebrae_L3", vertebrae_L3="vertebrae_L2")
    assert flags(swapped) == ("swapped along the spine: vertebrae_L2, vertebrae_L3",)
    turned = renamed(
        skeleton, vertebrae_L1="vertebrae_L3", vertebrae_L2="vertebrae_L1", vertebrae_L3="vertebrae_L2"
    )
    assert flags(turned) == ("out of order along the spine: vertebrae_L1, vertebrae_L2, vertebrae_L3",)


def test_a_missing_vertebra_is_named(skeleton):
    assert flags(renamed(skeleton, vertebrae_T7="")) == ("missing between others: vertebrae_T7",)


def test_a_vertebra_missing_beside_skull_or_sacrum_is_named(skeleton):
    gone = renamed(skeleton, vertebrae_C1="", vertebrae_L5="")
    assert quality(gone).missing == ("vertebrae_C1", "vertebrae_L5")


def test_what_the_segmenter_does_not_know_is_not_missing(skeleton):
    known = frozenset(BONES) - {"vertebrae_T7"}
    assert quality(renamed(skeleton, vertebrae_T7=""), known=known).flags == ()


def test_a_speck_is_no_vertebra(skeleton):
    speck = renamed(skeleton, vertebrae_T7="")
    speck[70, 8, 26] = code("vertebrae_T7")
    assert quality(speck).missing == ("vertebrae_T7",)


def test_a_vertebra_passed_over_leaves_a_gap(skeleton):
    """T7 has no label, and every vertebra below it the label of the one above: a segmenter that counts wrongly."""
    lookup, below = np.arange(256, dtype=np.uint8), LEVELS[LEVELS.index("vertebrae_T7") :]
    lookup[[code(name) for name in below]] = [0, *(code(name) for name in below[:-1])]
    found = flags(lookup[skeleton])
    assert found[0] == "missing between others: vertebrae_L5"
    assert found[1] == "vertebrae_T6 and vertebrae_T7: centres 32 mm apart, 16 mm near them"


def test_two_vertebrae_under_one_label_are_named(skeleton):
    both = flags(renamed(skeleton, vertebrae_T7="vertebrae_T6"))
    assert "missing between others: vertebrae_T7" in both


def test_a_vertebra_of_impossible_size_is_named(skeleton):
    skeleton[88:91, 1:23, 18:42] = code("vertebrae_C7")
    assert flags(skeleton) == ("vertebrae_C7: 101.4 mL, 12.3 mL near it",)


def test_a_piece_far_from_its_bone_is_named(skeleton):
    skeleton[100:103, 1:4, 50:53] = code("hip_left")
    (flag,) = flags(skeleton)
    assert flag.startswith("hip_left: 1.7 mL of it lie 3")


def test_a_rib_may_break_on_thick_slices_and_a_piece_across_the_body_is_named():
    codes = np.zeros((30, 40, 60), np.uint8)
    codes[10, 5:10, 10:20] = codes[10, 25:35, 10:20] = code("rib_right_5")
    grid = Grid(codes.shape, (4.0, 4.0, 4.0))
    assert quality(codes, grid).flags == ()
    codes[20:24, 5:10, 50:55] = code("rib_right_5")
    (flag,) = quality(codes, grid).flags
    assert flag == "rib_right_5: 6.4 mL of it lie 139 mm from the rest"


def test_one_bone_cut_into_two_by_the_field_of_view_is_no_far_piece():
    codes = np.zeros((20, 40, 40), np.uint8)
    codes[14:, 2:6, 2:6] = codes[14:, 34:38, 2:6] = code("rib_right_5")
    assert quality(codes, Grid(codes.shape, (3.0, 3.0, 3.0))).flags == ()


def test_a_mirrored_map_is_named(skeleton):
    assert flags(skeleton[:, :, ::-1]) == (
        "left and right swapped in all 3 pairs of bones: the label map, or the scan, is mirrored",
    )


def test_the_share_of_swapped_pairs(skeleton):
    grid = Grid(skeleton.shape, (3.0, 3.0, 3.0))
    assert quality(skeleton, grid).swapped == 0.0
    assert quality(skeleton[:, :, ::-1], grid).swapped == 1.0
    one = np.zeros((20, 40, 40), np.uint8)
    one[4:, 2:6, 2:6] = code("rib_right_5")
    assert quality(one, Grid(one.shape, (3.0, 3.0, 3.0))).swapped is None


def test_one_swapped_pair_is_named(skeleton):
    swapped = renamed(skeleton, femur_left="femur_right", femur_right="femur_left")
    assert flags(swapped) == ("left and right swapped: femur",)


def test_a_bone_across_the_spine_is_named(skeleton):
    across = renamed(skeleton, femur_left="", femur_right="femur_left")
    assert "femur_left: on the wrong side of the spine" in flags(across)


def test_unequal_mirror_volumes_are_named_but_not_where_one_is_cut(skeleton):
    thin = skeleton.copy()
    thin[10:20, :, :][thin[10:20, :, :] == code("hip_left")] = 0
    assert flags(thin) == ("hip: 9.2 mL on the left, 55.3 mL on the right",)
    thin[:7, :, 38:44] = 0  # the femur reaches the last slice
    assert len(flags(thin)) == 1


def test_labels_of_another_grid_are_refused(skeleton):
    with pytest.raises(ValueError, match="not on a grid"):
        quality(skeleton[1:])


@pytest.mark.skipif(not ANATOMY.is_dir(), reason="needs ../shared/data/ct_anatomy")
@pytest.mark.parametrize(
    ("file", "vertebrae"),
    [("abdomen_pelvis_seg", 7), ("abdomen_pelvis_vertebrae_seg", 7), ("abdomen_small_seg", 4)],
)
def test_real_label_maps_have_no_flag(file, vertebrae):
    volume = read_oriented(ANATOMY / f"{file}.nii.gz", patient_id="", what="label map")
    found = quality(real_bones(volume.voxels), volume.grid)
    assert (found.flags, found.missing, len(found.vertebrae)) == ((), (), vertebrae)


@pytest.mark.skipif(not ANATOMY.is_dir(), reason="needs ../shared/data/ct_anatomy")
def test_real_label_maps_that_are_wrong_are_named():
    volume = read_oriented(ANATOMY / "abdomen_pelvis_seg.nii.gz", patient_id="", what="label map")
    codes, grid = real_bones(volume.voxels), volume.grid
    assert any("mirrored" in flag for flag in quality(codes[:, :, ::-1], grid).flags)
    swapped = codes.copy()
    for old, new in (("vertebrae_L2", "vertebrae_L4"), ("vertebrae_L4", "vertebrae_L2")):
        swapped[codes == code(old)] = code(new)
    assert "swapped along the spine: vertebrae_L2, vertebrae_L4" in quality(swapped, grid).flags
    gone = np.where(codes == code("vertebrae_L3"), 0, codes).astype(np.uint8)
    assert quality(gone, grid).missing == ("vertebrae_L3",)


def real_bones(labels: np.ndarray) -> np.ndarray:
    lines = (ANATOMY / "labels.csv").read_text().splitlines()[1:]
    bones = {int(cells[0]): cells[1] for cells in (line.split(",") for line in lines) if cells[2] == "1"}
    lookup = np.zeros(256, np.uint8)
    lookup[list(bones)] = [CODES[name] for name in bones.values()]
    return lookup[labels.astype(np.uint8)]
