import numpy as np
import pytest

from engram.roi.anatomy import BONES_OF_PART, PARTS, part_map
from engram.roi.bones import BONES, CODES, BoneMap, looked_up, merged
from engram.roi.regions import PARTS_OF_REGION, bones_of_region


def bone_map_of(names: list[str | None]) -> BoneMap:
    codes = np.array([CODES[name] if name else 0 for name in names], np.uint8)
    return BoneMap(codes[None, None], frozenset(name for name in names if name))


def named(bones: BoneMap) -> list[str | None]:
    by_code = {code: name for name, code in CODES.items()}
    return [by_code.get(int(code)) for code in bones.codes[0, 0]]


def test_masks_by_name_and_of_every_bone():
    bones = bone_map_of(["skull", None, "liver", "sacrum", "skull"])
    assert bones.mask(["skull"])[0, 0].tolist() == [True, False, False, False, True]
    assert bones.mask()[0, 0].tolist() == [True, False, False, True, True]
    assert bones.mask(["liver"]).sum() == 1
    assert tuple(bones.boxes()) == ("skull", "sacrum", "liver")
    with pytest.raises(KeyError):
        bones.mask(["heart"])


def test_of_two_maps_the_earlier_has_the_voxel_but_a_bone_goes_before_an_organ():
    first = bone_map_of(["skull", None, "liver", "liver", None])
    second = bone_map_of(["sacrum", "sternum", "sacrum", "spinal_cord", None])
    together = merged([first, second])
    assert named(together) == ["skull", "sternum", "sacrum", "liver", None]
    assert together.known == first.known | second.known
    assert named(merged([second, first])) == ["sacrum", "sternum", "sacrum", "spinal_cord", None]
    assert named(first) == ["skull", None, "liver", "liver", None]


def test_a_single_map_is_itself_and_other_shapes_are_refused():
    one = bone_map_of(["skull"])
    assert merged([one]) is one
    with pytest.raises(ValueError, match="other shapes"):
        merged([one, bone_map_of(["skull", "sacrum"])])
    with pytest.raises(ValueError):
        merged([])


def test_a_map_is_read_only_and_of_bytes():
    bones = bone_map_of(["skull"])
    with pytest.raises(ValueError, match="read-only"):
        bones.codes[0, 0, 0] = 2
    with pytest.raises(ValueError, match="uint8"):
        BoneMap(np.zeros((2, 2, 2), np.int16), frozenset())


def test_a_table_is_looked_up_as_by_an_index():
    rng = np.random.default_rng(0)
    table, codes = rng.random(256), rng.integers(0, 256, (3, 4, 5)).astype(np.uint8)
    np.testing.assert_array_equal(looked_up(table, codes), table[codes])


def test_every_bone_belongs_to_one_part():
    placed = [bone for bones in BONES_OF_PART.values() for bone in bones]
    assert sorted(placed) == sorted(BONES)


def test_parts_and_single_regions_are_one_table():
    everything = BoneMap(np.arange(256, dtype=np.uint8)[None, None], frozenset(CODES))
    parts = part_map(everything)
    assert sorted(part for parts in PARTS_OF_REGION.values() for part in parts) == sorted(PARTS)
    for region, (part,) in PARTS_OF_REGION.items():
        mask = everything.mask(bones_of_region(region))
        np.testing.assert_array_equal(mask, parts == PARTS.index(part) + 1)
    np.testing.assert_array_equal(parts > 0, everything.mask(bones_of_region("skeleton")))


def test_bones_of_the_larger_regions():
    axial = set(bones_of_region("axial_skeleton"))
    assert {"skull", "vertebrae_C1", "vertebrae_L6", "sacrum", "rib_left_13", "sternum"} <= axial
    assert not axial & {"hip_left", "scapula_right", "femur_left", "liver"}
    spine = set(bones_of_region("spine_dilated"))
    assert spine - set(bones_of_region("spine_dilated", include_sacrum=False)) == {"sacrum", "vertebrae_S1"}
    with pytest.raises(KeyError):
        bones_of_region("ct_threshold")
