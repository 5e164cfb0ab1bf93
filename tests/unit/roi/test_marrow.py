import numpy as np
import pytest

from engram.errors import ImagingError
from engram.roi.bones import CODES, BoneMap
from engram.roi.marrow import marrow

SPACING = (2.0, 2.0, 2.0)


def body(**bones: tuple[slice, slice, slice]) -> BoneMap:
    codes = np.zeros((160, 40, 60), np.uint8)
    for name, place in bones.items():
        codes[place] = CODES[name]
    return BoneMap(codes, frozenset(bones))


SPINE = (slice(140, 150), slice(10, 20), slice(25, 35))
HIP = (slice(124, 140), slice(10, 22), slice(36, 50))
FEMUR = (slice(4, 122), slice(12, 20), slice(40, 48))  # downwards from 4 mm below the hip


def made(bones: BoneMap, erode_mm: float = 0.0, proximal_mm: float = 150.0) -> np.ndarray:
    return marrow(bones, SPACING, erode_mm=erode_mm, proximal_mm=proximal_mm, patient_id="P4")


def lowest_mm(mask: np.ndarray) -> float:
    """Height of the lowest voxel below the top of the femur, mm."""
    return (121 - np.flatnonzero(mask.any(axis=(1, 2))).min()) * SPACING[0]


def test_a_femur_is_taken_from_the_joint_on():
    found = made(body(vertebrae_L3=SPINE, hip_left=HIP, femur_left=FEMUR))
    assert found[HIP].all()
    assert found[SPINE].all()
    assert lowest_mm(found) == pytest.approx(150, abs=8)  # the joint lies some mm inside the bone
    assert lowest_mm(made(body(hip_left=HIP, femur_left=FEMUR), proximal_mm=60)) == pytest.approx(60, abs=8)


def test_an_arm_held_up_is_taken_from_its_joint_too():
    arm = (slice(20, 158), slice(12, 20), slice(40, 48))
    scapula = (slice(4, 18), slice(8, 20), slice(36, 50))
    found = made(body(scapula_right=scapula, humerus_right=arm))
    top_mm = (np.flatnonzero(found.any(axis=(1, 2))).max() - 20) * SPACING[0]
    assert top_mm == pytest.approx(150, abs=8)
    assert found[20, 15, 44]


def test_a_femur_cut_off_by_the_scan_is_taken_as_far_as_it_goes():
    cut = (slice(100, 122), slice(12, 20), slice(40, 48))
    found = made(body(hip_left=HIP, femur_left=cut))
    assert found[cut].all()


def test_bones_without_active_marrow_are_left_out():
    skull, tibia = (slice(152, 158), slice(5, 20), slice(20, 40)), (slice(2, 40), slice(30, 36), slice(3, 9))
    found = made(body(vertebrae_L3=SPINE, skull=skull, tibia_left=tibia))
    assert found.sum() == found[SPINE].size
    assert not made(body(hip_left=HIP, femur_left=FEMUR), proximal_mm=0)[FEMUR].any()


@pytest.mark.parametrize("hip", [None, (slice(140, 150), slice(10, 22), slice(2, 20))])
def test_a_joint_that_is_not_there_is_named(hip):
    bones = body(femur_left=FEMUR, **({} if hip is None else {"hip_left": hip}))
    with pytest.raises(ImagingError) as caught:
        made(bones)
    assert (caught.value.patient_id, caught.value.reason) == ("P4", "joint of femur_left not found")
    assert "no hip_left within 10 mm" in str(caught.value)
    assert not made(bones, proximal_mm=0)[FEMUR].any()


def test_a_speck_of_a_long_bone_is_none():
    speck = (slice(20, 23), slice(30, 33), slice(3, 6))
    assert not made(body(vertebrae_L3=SPINE, humerus_left=speck))[speck].any()


def test_the_surface_goes_by_millimetres_but_not_at_the_edge_of_the_scan():
    edge = (slice(150, 160), slice(10, 20), slice(25, 35))
    found = made(body(sternum=edge), erode_mm=3.0)
    rows = [np.flatnonzero(found.any(axis=axes))[[0, -1]].tolist() for axes in ((1, 2), (0, 2), (0, 1))]
    assert rows == [[151, 159], [11, 18], [26, 33]]
