from pathlib import Path

import numpy as np
import pytest

from engram.config_images import Roi
from engram.imaging.volume import Grid, Volume, read_volume
from engram.roi.ct_skeleton import ct_skeleton
from engram.roi.masks import read_bones

ANATOMY = Path(__file__).resolve().parents[4] / "shared" / "data" / "ct_anatomy"
GRID = Grid((40, 90, 110), (3.0, 2.0, 2.0))
BODY, TABLE = (slice(None), slice(10, 60), slice(15, 95)), (slice(None), slice(72, 76), slice(5, 105))
VERTEBRA, CAVITY = (slice(5, 35), slice(35, 50), slice(45, 60)), (slice(5, 35), slice(38, 47), slice(48, 57))
SKULL, BRAIN = (slice(36, 40), slice(14, 56), slice(20, 90)), (slice(36, 40), slice(17, 53), slice(23, 87))


def scan(**values: float) -> Volume:
    hu = np.full(GRID.shape, -1000.0, np.float32)
    hu[BODY] = 40
    hu[TABLE] = 600
    hu[VERTEBRA], hu[CAVITY] = 400, 60
    hu[SKULL], hu[BRAIN] = 900, 35
    return Volume(hu, GRID)


def made(ct: Volume, **changes: float) -> np.ndarray:
    settings = {"smooth_mm": 0.0, "threshold_hu": 125.0, "hole_cm2": 20.0, "smallest_ml": 5.0}
    return ct_skeleton(ct, **{**settings, **changes})


def test_bone_without_table_and_with_its_marrow_but_without_the_brain():
    found = made(scan())
    assert found[VERTEBRA].all()  # the cavity is 3 cm2
    assert found[SKULL].sum() == scan().voxels[SKULL].size - scan().voxels[BRAIN].size
    assert not found[TABLE].any()
    assert found.sum() == found[VERTEBRA].sum() + found[SKULL].sum()


def test_each_setting_does_what_it_says():
    assert not made(scan(), hole_cm2=2)[CAVITY].any()
    assert made(scan(), hole_cm2=200)[BRAIN].all()
    assert not made(scan(), threshold_hu=500)[VERTEBRA].any()
    ml = scan().voxels[VERTEBRA].size * GRID.voxel_volume_ml
    assert made(scan(), smallest_ml=ml - 1)[VERTEBRA].all()
    assert not made(scan(), smallest_ml=ml + 1)[VERTEBRA].any()


def test_noise_of_a_low_dose_scan_is_no_bone():
    noise = np.random.default_rng(0).normal(0, 60, GRID.shape).astype(np.float32)
    noisy = Volume(scan().voxels + noise, GRID)
    soft = np.zeros(GRID.shape, bool)
    soft[5:34, 12:33, 17:93] = True
    assert made(noisy)[soft].mean() > 0.03
    assert made(noisy, smooth_mm=1.5)[soft].mean() < 0.001
    assert made(noisy, smooth_mm=1.5)[VERTEBRA].mean() > 0.9


def test_a_scan_without_bone_gives_nothing():
    hu = np.full(GRID.shape, -1000.0, np.float32)
    assert not made(Volume(hu, GRID)).any()
    hu = hu.copy()
    hu[BODY] = 40
    assert not made(Volume(hu, GRID)).any()


def test_sizes_that_fill_no_block_are_kept_to_the_end():
    grid = Grid((41, 91, 111), (1.0, 2.0, 2.0))
    hu = np.full(grid.shape, -1000.0, np.float32)
    hu[:, 5:, 5:] = 40
    hu[:, 70:, 90:] = 700
    assert made(Volume(hu, grid))[:, 70:, 90:].all()


@pytest.mark.skipif(not ANATOMY.is_dir(), reason="needs ../shared/data/ct_anatomy")
def test_how_far_it_is_from_a_segmentation():
    ct = read_volume(ANATOMY / "abdomen_pelvis_ct.nii.gz", patient_id="P1", what="CT")
    path = ANATOMY / "abdomen_pelvis_seg.nii.gz"
    bones = read_bones({"totalsegmentator-2/total": path}, grid=ct.grid, patient_id="P1").mask()
    found = ct_skeleton(ct, **Roi(region="ct_threshold").settings)
    assert 0.85 < 2 * (found & bones).sum() / (found.sum() + bones.sum()) < 0.87
