from pathlib import Path

import numpy as np
import pytest

from engram.errors import ImagingError
from engram.imaging.volume import Grid, Volume, read_oriented, read_volume
from engram.roi.bones import CODES, BoneMap
from engram.roi.label_place import bone_contrast
from engram.roi.masks import bone_map, read_bones, read_label_map

ANATOMY = Path(__file__).resolve().parents[4] / "shared" / "data" / "ct_anatomy"
V2 = "totalsegmentator-2/total"
GRID = Grid((30, 60, 60), (3.0, 1.5, 1.5))
BONE = (slice(8, 22), slice(20, 40), slice(20, 40))


def labelled(place: tuple[slice, slice, slice]) -> BoneMap:
    codes = np.zeros(GRID.shape, np.uint8)
    codes[place] = CODES["vertebrae_L3"]
    return BoneMap(codes, frozenset(CODES))


def scan(bone_hu: float = 300.0) -> Volume:
    hu = np.random.default_rng(0).normal(40, 20, GRID.shape).astype(np.float32)
    hu[BONE] += bone_hu
    return Volume(hu, GRID)


def test_bones_on_bone_are_always_denser():
    assert bone_contrast(scan(), labelled(BONE)) == pytest.approx(1.0, abs=0.01)


def test_labels_on_soft_tissue_are_chance():
    assert bone_contrast(scan(0.0), labelled(BONE)) == pytest.approx(0.5, abs=0.05)


def test_labels_beside_the_bone_are_below_chance():
    beside = (slice(8, 22), slice(44, 60), slice(20, 40))
    found = bone_contrast(scan(), labelled(beside))
    assert found is not None
    assert found < 0.5


def test_too_little_bone_tells_nothing():
    assert bone_contrast(scan(), labelled((slice(8, 10), slice(20, 24), slice(20, 24)))) is None
    assert bone_contrast(scan(), labelled((slice(0, 0), slice(0), slice(0)))) is None


def real(name: str) -> tuple[Volume, np.ndarray]:
    ct = read_volume(ANATOMY / f"{name}_ct.nii.gz", patient_id="P1", what="CT")
    return ct, read_oriented(ANATOMY / f"{name}_seg.nii.gz", patient_id="P1", what="label map").voxels


@pytest.mark.skipif(not ANATOMY.is_dir(), reason="needs ../shared/data/ct_anatomy")
@pytest.mark.parametrize("name", ["abdomen_pelvis", "abdomen_small"])
def test_real_maps_in_their_place_and_flipped(name):
    ct, labels = real(name)
    assert (bone_contrast(ct, bone_map(labels, scheme=V2)) or 0) > 0.9
    for axis in range(3):
        assert (bone_contrast(ct, bone_map(np.flip(labels, axis), scheme=V2)) or 1) < 0.7


@pytest.mark.skipif(not ANATOMY.is_dir(), reason="needs ../shared/data/ct_anatomy")
def test_the_pair_whose_header_lies():
    """abdomen_small is slices 82 to 111 of the larger CT, but its header says 0 to 29: 246 mm too low."""
    ct, _ = real("abdomen_pelvis")
    path = ANATOMY / "abdomen_small_seg.nii.gz"
    with pytest.raises(ImagingError) as caught:
        read_bones({V2: path}, grid=ct.grid, patient_id="P7")
    error = caught.value
    assert (error.patient_id, error.reason, error.file) == ("P7", "label map on another grid", str(path))
    assert "122 x 101 x 30 voxels" in str(error)
    assert "the scan has 122 x 101 x 112 voxels" in str(error)

    small = read_label_map(path, grid=None, patient_id="P7", scheme=V2).codes
    by_position, in_its_place = np.zeros((2, *ct.grid.shape), np.uint8)
    by_position[:30], in_its_place[82:112] = small, small
    assert (bone_contrast(ct, BoneMap(by_position, frozenset(CODES))) or 1) < 0.55
    assert (bone_contrast(ct, BoneMap(in_its_place, frozenset(CODES))) or 0) > 0.9
