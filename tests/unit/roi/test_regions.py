from pathlib import Path

import numpy as np
import pytest

from engram.errors import ConfigError
from engram.imaging.volume import read_oriented, read_volume
from engram.roi.boxes import slice_boxes
from engram.roi.masks import bone_map
from engram.roi.regions import CLOSE_MM, skeleton, spine_dilated

ANATOMY = Path(__file__).resolve().parents[4] / "shared" / "data" / "ct_anatomy"
V2 = "totalsegmentator-2/total"
L3, T12, SACRUM, S1, HIP, CARTILAGE, LIVER = 29, 32, 25, 26, 77, 117, 5


def spine(labels, spacing_mm=(1.0, 1.0, 1.0), dilate_mm=0.0, include_sacrum=True):
    bones = bone_map(labels, scheme=V2)
    return spine_dilated(bones, spacing_mm, dilate_mm=dilate_mm, include_sacrum=include_sacrum)


def whole_skeleton(labels, spacing_mm=(1.0, 1.0, 1.0), dilate_mm=10.0):
    return skeleton(bone_map(labels, scheme=V2), spine(labels, spacing_mm, dilate_mm))


def empty(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.uint8)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (5.0, 1.0, 1.0), (1.0, 1.0, 5.0), (2.5, 0.8, 1.3)])
def test_dilation_is_a_ball_in_millimetres(spacing_mm):
    """One voxel grows to every voxel whose centre lies within 10 mm, by brute force."""
    labels = empty(25, 29, 31)
    labels[12, 14, 15] = L3
    offsets = np.moveaxis(np.indices(labels.shape), 0, -1) - [12, 14, 15]
    distance_mm = np.linalg.norm(offsets * spacing_mm, axis=-1)
    np.testing.assert_array_equal(spine(labels, spacing_mm, dilate_mm=10.0), distance_mm <= 10.0)


def test_thick_slices_are_reached_by_millimetres_not_voxels():
    labels = empty(21, 41, 41)
    labels[10, 20, 20] = L3
    grown = np.argwhere(spine(labels, (5.0, 1.0, 1.0), dilate_mm=10.0))
    np.testing.assert_array_equal(grown.min(axis=0), [8, 10, 10])
    np.testing.assert_array_equal(grown.max(axis=0), [12, 30, 30])


def test_dilation_at_the_edge_of_the_scan_is_cut_not_wrapped():
    labels = empty(6, 30, 30)
    labels[0, 0, 0] = L3
    grown = spine(labels, dilate_mm=4.0)
    assert grown[4, 0, 0]
    assert not grown[5].any()
    assert not grown[:, -5:].any()
    assert not grown[:, :, -5:].any()


def ring() -> np.ndarray:
    """A vertebra around a canal 14 mm wide, too wide for the closing, on slices of 1 mm."""
    labels = empty(14, 40, 40)
    labels[:, 10:30, 10:30] = L3
    labels[:, 13:27, 13:27] = 0
    return labels


def test_the_canal_is_filled():
    filled = spine(ring())
    assert filled[:, 10:30, 10:30].all()
    assert filled.sum() == 14 * 20 * 20


def test_a_canal_open_between_arches_is_closed_then_filled():
    labels = ring()
    labels[:, 27:30, 17:23] = 0  # a gap of 6 mm in the arch, on every slice
    assert spine(labels)[3:-3, 20, 20].all()  # at its free ends the closing rounds the arch off
    labels[:, 27:30, 11:29] = 0  # far wider than the closing: no canal to speak of
    assert not spine(labels)[:, 20, 20].any()


def test_holes_are_filled_slice_by_slice_not_in_3d():
    """A canal is a tunnel, open at both ends: no hole in 3-D, one on each slice."""
    labels = ring()
    assert not labels[0, 20, 20]
    assert spine(labels)[0, 20, 20]


@pytest.mark.parametrize(("gap_slices", "joined"), [(1, True), (3, False)])
def test_closing_bridges_discs_by_millimetres(gap_slices, joined):
    """Slices of 4 mm: a gap of 1 slice is 8 mm between voxel centres, of 3 slices 16 mm."""
    assert CLOSE_MM == 5.0
    labels = empty(12, 30, 30)
    labels[2:4, 8:22, 8:22] = L3
    labels[4 + gap_slices : 6 + gap_slices, 8:22, 8:22] = T12
    between = spine(labels, (4.0, 1.0, 1.0))[4 : 4 + gap_slices, 15, 15]
    assert between.all() if joined else not between.any()


def test_closing_only_adds():
    labels = np.where(np.random.default_rng(0).random((12, 20, 20)) < 0.02, L3, 0).astype(np.uint8)
    assert spine(labels, (3.0, 1.0, 1.5))[labels == L3].all()


def test_sacrum_is_an_option_and_only_vertebrae_count():
    labels = empty(60, 20, 20)
    labels[50:55, 5:10, 5:10] = L3
    labels[30:35, 5:10, 5:10] = S1
    labels[16:19, 5:10, 5:10] = SACRUM
    labels[5:8, 5:10, 5:10] = HIP
    labels[0:3, 5:10, 5:10] = CARTILAGE
    np.testing.assert_array_equal(spine(labels), np.isin(labels, [L3, S1, SACRUM]))
    np.testing.assert_array_equal(spine(labels, include_sacrum=False), labels == L3)


def test_skeleton_is_all_bones_and_the_dilated_spine():
    labels = empty(60, 30, 30)
    labels[50:55, 5:10, 5:10] = L3
    labels[5:8, 5:10, 5:10] = HIP
    labels[20:23, 5:10, 5:10] = CARTILAGE
    labels[30:33, 5:10, 5:10] = LIVER
    whole = whole_skeleton(labels, dilate_mm=3.0)
    np.testing.assert_array_equal(whole, (labels == HIP) | spine(labels, dilate_mm=3.0))
    np.testing.assert_array_equal(bone_map(labels, scheme=V2).mask(), np.isin(labels, [L3, HIP]))


def test_no_vertebra_gives_an_empty_region():
    labels = empty(4, 5, 6)
    labels[1:3] = HIP
    assert not spine(labels, dilate_mm=10.0).any()
    np.testing.assert_array_equal(whole_skeleton(labels), labels == HIP)


def test_bad_arguments():
    with pytest.raises(ValueError):
        spine(empty(4, 5))
    with pytest.raises(ValueError):
        spine(empty(4, 5, 6), dilate_mm=-1.0)
    with pytest.raises(ConfigError):
        bone_map(empty(4, 5, 6), scheme="other")


@pytest.mark.skipif(not ANATOMY.is_dir(), reason="needs ../shared/data/ct_anatomy")
def test_real_anatomy_stored_with_flipped_axes():
    """Liver right, sacrum below L1, canal inside the spine: read from a file with direction -1, -1, 1."""
    ct = read_volume(ANATOMY / "abdomen_pelvis_ct.nii.gz", patient_id="P1", what="CT")
    path = ANATOMY / "abdomen_pelvis_seg.nii.gz"
    labels = read_oriented(path, patient_id="P1", what="label map").voxels
    centre = {label: np.argwhere(labels == label).mean(axis=0) for label in (1, LIVER, SACRUM, 31, 75, 76)}
    assert centre[SACRUM][0] < centre[31][0]  # sacrum is inferior of L1
    assert centre[LIVER][2] < centre[1][2]  # x grows to the left: the spleen is left of the liver
    assert centre[76][2] < centre[75][2]  # right femur before left femur
    assert centre[31][1] > centre[LIVER][1]  # y grows to the back

    region = spine(labels, ct.grid.spacing_mm, dilate_mm=10.0)
    assert region[np.isin(labels, range(25, 34))].all()
    assert region[labels == 79].mean() > 0.95  # the spinal cord lies in the canal
    assert not region[labels == LIVER].mean() > 0.02
    boxes = slice_boxes(whole_skeleton(labels, ct.grid.spacing_mm))
    assert boxes.slices[0] == 0
    assert len(boxes) == ct.grid.shape[0]
