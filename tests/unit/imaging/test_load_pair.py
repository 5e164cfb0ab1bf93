from pathlib import Path

import numpy as np
import pytest

from engram.errors import ImagingError
from engram.imaging.study import ImagePair, load_pair

STS = Path(__file__).resolve().parents[4] / "shared" / "data" / "sts"


@pytest.fixture
def ct(write):
    array = np.random.default_rng(0).integers(-1000, 1500, (8, 10, 12)).astype(np.int16)
    return write(array, "ct.nii.gz", spacing=(1.0, 1.0, 3.0))


@pytest.fixture
def pet(write):
    array = np.random.default_rng(1).uniform(0, 9, (10, 5, 6)).astype(np.float32)
    return write(array, "pet.nii.gz", spacing=(2.5, 2.5, 3.0), origin=(-1.0, -1.0, -2.0))


def test_both(ct, pet):
    pair = load_pair(ct, pet, patient_id="P1")
    assert pair.volume("CT").grid == pair.volume("PET").grid == pair.grid
    assert pair.pet.coverage == 1.0
    assert pair.volume("CT").voxels.min() < 0 < pair.volume("PET").voxels.max() < 10


def test_one_modality_alone(ct, pet):
    only_ct = load_pair(ct, None, patient_id="P1")
    assert only_ct.grid.shape == (8, 10, 12)
    with pytest.raises(ValueError, match="no PET"):
        only_ct.volume("PET")
    only_pet = load_pair(None, pet, patient_id="P1")
    assert only_pet.grid.shape == (10, 5, 6)
    assert only_pet.pet.coverage == 1.0


def test_neither():
    with pytest.raises(ValueError):
        load_pair(None, None, patient_id="P1")
    with pytest.raises(ValueError):
        ImagePair(None, None)


def test_units_are_checked_with_or_without_the_other_scan(write, ct):
    counts = write(np.linspace(0, 30000, 480).reshape(8, 10, 6), "bq.nii", spacing=(2.0, 1.0, 3.0))
    for ct_path in (ct, None):
        with pytest.raises(ImagingError, match="Bq/mL"):
            load_pair(ct_path, counts, patient_id="P1")
    with pytest.raises(ImagingError, match="CT is not in HU"):
        load_pair(counts, None, patient_id="P1")


def test_a_flipped_pet_lands_in_the_same_place(write, ct, pet):
    """Head-first PET stored feet-first: world coordinates, not array order, decide."""
    array = np.random.default_rng(1).uniform(0, 9, (10, 5, 6)).astype(np.float32)
    flipped = write(
        array[::-1],
        "flipped.nii.gz",
        spacing=(2.5, 2.5, 3.0),
        origin=(-1.0, -1.0, 25.0),
        direction=(1, 0, 0, 0, 1, 0, 0, 0, -1),
    )
    expected = load_pair(ct, pet, patient_id="P1").volume("PET").voxels
    np.testing.assert_allclose(load_pair(ct, flipped, patient_id="P1").volume("PET").voxels, expected, atol=1e-5)


@pytest.mark.skipif(not STS.is_dir(), reason="needs ../shared/data/sts")
@pytest.mark.parametrize("patient", ["STS_001", "STS_040"])
def test_real_scans(patient):
    from engram.roi.masks import read_mask

    folder = STS / patient
    pair = load_pair(folder / "CT.nii.gz", folder / "PET.nii.gz", patient_id=patient)
    assert pair.pet.coverage > 0.9
    on_ct = read_mask(folder / "CT_mask.nii.gz", grid=pair.grid, patient_id=patient, roi="tumour")
    own = load_pair(None, folder / "PET.nii.gz", patient_id=patient)
    on_pet = read_mask(folder / "PET_mask.nii.gz", grid=own.grid, patient_id=patient, roi="tumour")
    # The contour, drawn on either grid, holds the same uptake only if PET landed where it belongs.
    aligned_mean = pair.volume("PET").voxels[on_ct].mean()
    assert aligned_mean == pytest.approx(own.volume("PET").voxels[on_pet].mean(), rel=0.05)
