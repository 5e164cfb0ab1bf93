import numpy as np
import pytest

from engram.config_images import Roi
from engram.errors import ImagingError
from engram.imaging.volume import Grid, Volume
from engram.roi import build
from engram.roi.build import build_rois
from engram.roi.masks import bone_map, read_bones
from engram.roi.regions import skeleton, spine_dilated

GRID = Grid((20, 24, 24), (3.0, 1.0, 1.0))
V2 = "totalsegmentator-2/total"
READY, SPINE, SKELETON = Roi(mask="tumour"), Roi(region="spine_dilated"), Roi(region="skeleton")


def anatomy() -> np.ndarray:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[10:14, 10:14, 10:14] = 29
    labels[2:5, 3:6, 3:6] = 77
    return labels


def rois_of(rois, *, labels_path=None, mask_paths=None, ct=None):
    bones = None if labels_path is None else read_bones({V2: labels_path}, grid=GRID, patient_id="P9")
    return build_rois(rois, bones=bones, ct=ct, mask_paths=mask_paths or {}, grid=GRID, patient_id="P9")


def test_regions_and_ready_masks_in_the_order_of_the_study(write):
    labels_path = write(anatomy(), "labels.nii.gz", spacing=(1.0, 1.0, 3.0))
    tumour = write((anatomy() == 77).astype(np.uint8), "tumour.nii.gz", spacing=(1.0, 1.0, 3.0))
    masks = rois_of(
        {"bone": SKELETON, "tumour": READY, "spine": SPINE}, labels_path=labels_path, mask_paths={"tumour": tumour}
    )
    assert list(masks) == ["bone", "tumour", "spine"]
    bones = bone_map(anatomy(), scheme=V2)
    spine = spine_dilated(bones, GRID.spacing_mm)
    np.testing.assert_array_equal(masks["spine"], spine)
    np.testing.assert_array_equal(masks["bone"], skeleton(bones, spine))
    np.testing.assert_array_equal(masks["tumour"], anatomy() == 77)


def test_the_settings_of_each_region_are_used(write):
    path = write(anatomy(), spacing=(1.0, 1.0, 3.0))
    thin = Roi(region="spine_dilated", dilate_mm=0.0)
    masks = rois_of({"thin": thin, "thick": SPINE}, labels_path=path)
    np.testing.assert_array_equal(masks["thin"], anatomy() == 29)
    assert masks["thick"].sum() > masks["thin"].sum()


def test_the_slow_step_is_shared(write, monkeypatch):
    calls = []
    monkeypatch.setattr(build, "spine_dilated", lambda *a, **k: calls.append(k) or spine_dilated(*a, **k))
    rois_of({"spine": SPINE, "bone": SKELETON}, labels_path=write(anatomy(), spacing=(1.0, 1.0, 3.0)))
    assert len(calls) == 1


def test_ready_masks_need_no_label_map(write):
    path = write((anatomy() == 77).astype(np.uint8), spacing=(1.0, 1.0, 3.0))
    assert list(rois_of({"tumour": READY}, mask_paths={"tumour": path})) == ["tumour"]


def refused(rois, **paths) -> ImagingError:
    with pytest.raises(ImagingError, match="P9") as caught:
        rois_of(rois, **paths)
    return caught.value


def test_files_not_given():
    error = refused({"lesion": READY})
    assert (error.reason, error.column) == ("mask of 'lesion' not given", "tumour")
    assert refused({"spine": SPINE}).reason == "label map not given"


def test_a_map_without_vertebrae(write):
    path = write(np.where(anatomy() == 77, 77, 0).astype(np.uint8), spacing=(1.0, 1.0, 3.0))
    error = refused({"bone": SKELETON, "spine": SPINE}, labels_path=path)
    assert error.reason == "mask of 'spine' is empty"


@pytest.mark.parametrize("roi", [SPINE, SKELETON])
def test_bone_in_one_slice_is_refused_before_it_is_dilated(write, roi):
    labels = np.zeros(GRID.shape, np.uint8)
    labels[10, 10:14, 10:14] = 29
    error = refused({"bone": roi}, labels_path=write(labels, spacing=(1.0, 1.0, 3.0)))
    assert error.reason == "mask of 'bone' has a single slice"


def test_a_bone_by_itself_and_dilated(write):
    path = write(anatomy(), spacing=(1.0, 1.0, 3.0))
    masks = rois_of({"a": Roi(region="lumbar"), "b": Roi(region="lumbar", dilate_mm=4.0)}, labels_path=path)
    np.testing.assert_array_equal(masks["a"], anatomy() == 29)
    assert masks["b"][9, 10, 10]
    assert masks["b"][10, 6, 10]
    assert not masks["b"][8].any()
    assert not masks["b"][:, 5].any()


def test_maps_of_several_tasks_are_one_skeleton(write):
    spine, ribs = np.zeros((2, *GRID.shape), np.uint8)
    spine[10:14, 10:14, 10:14] = 22  # L3
    spine[2:5, 3:6, 3:6] = 26  # hip
    ribs[8:12, 10:18, 10:14] = 25  # right rib 12, half of it on L3
    files = {
        "moose-3/clin_ct_vertebrae": write(spine, "v.nii.gz", spacing=(1.0, 1.0, 3.0)),
        "moose-3/clin_ct_ribs": write(ribs, "r.nii.gz", spacing=(1.0, 1.0, 3.0)),
    }
    bones = read_bones(files, grid=GRID, patient_id="P9")
    assert tuple(bones.boxes()) == ("vertebrae_L3", "hip_left", "rib_right_12")
    assert bones.mask(["vertebrae_L3"]).sum() == 64
    swapped = read_bones(dict(reversed(files.items())), grid=GRID, patient_id="P9")
    assert swapped.mask(["vertebrae_L3"]).sum() == 64 - 2 * 4 * 4
    np.testing.assert_array_equal(swapped.mask(), bones.mask())


def test_an_approximate_skeleton_needs_the_ct_and_no_label_map():
    roi = {"bone (approximate)": Roi(region="ct_threshold", smooth_mm=0.0, smallest_ml=0.1)}
    assert refused(roi).reason == "CT not given"
    hu = np.full(GRID.shape, 40.0, np.float32)
    hu[anatomy() == 29] = 700
    found = rois_of(roi, ct=Volume(hu, GRID))
    np.testing.assert_array_equal(found["bone (approximate)"], anatomy() == 29)
    assert refused(roi, ct=Volume(hu * 0 + 40, GRID)).reason == "mask of 'bone (approximate)' is empty"


def test_marrow_that_erosion_leaves_nothing_of_is_refused(write):
    path = write(anatomy(), spacing=(1.0, 1.0, 3.0))
    assert rois_of({"m": Roi(region="marrow", erode_mm=0)}, labels_path=path)["m"].any()
    assert refused({"m": Roi(region="marrow", erode_mm=9)}, labels_path=path).reason == "mask of 'm' is empty"
