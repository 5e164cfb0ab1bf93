import numpy as np
import pytest

from engram.errors import ImagingError
from engram.imaging.align import pet_on_ct_grid
from engram.imaging.volume import Grid, Volume

CT = Grid((10, 12, 14), (3.0, 1.0, 1.0), (100.0, -50.0, -400.0))


def centres_mm(grid: Grid) -> np.ndarray:
    """World (z, y, x, 3) of each voxel centre, as (x, y, z) mm; written apart from the code under test."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    steps = np.stack([x, y, z], axis=-1) * np.array(grid.spacing_mm[::-1])
    return steps @ np.reshape(grid.direction, (3, 3)).T + np.array(grid.origin_mm)


def ramp(grid: Grid) -> np.ndarray:
    return (centres_mm(grid) @ [0.25, -0.5, 0.125] + 200.0).astype(np.float32)


def scan(grid: Grid) -> Volume:
    return Volume(ramp(grid), grid, "pet.nii.gz")


def ct_volume() -> Volume:
    return Volume(np.zeros(CT.shape, np.float32), CT)


def rotated(degrees: float) -> tuple[float, ...]:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (c, -s, 0, s, c, 0, 0, 0, 1)


@pytest.mark.parametrize(
    "pet",
    [
        Grid((9, 8, 9), (5.0, 4.0, 4.0), (92.0, -58.0, -404.0)),
        Grid((9, 12, 12), (5.0, 4.0, 4.0), (92.0, -62.0, -404.0), rotated(10.0)),
    ],
)
def test_a_linear_ramp_is_exact_everywhere(pet):
    aligned = pet_on_ct_grid(scan(pet), ct_volume(), patient_id="P1")
    assert aligned.coverage == 1.0
    assert aligned.volume.grid == CT
    assert aligned.volume.voxels.dtype == np.float32
    np.testing.assert_allclose(aligned.volume.voxels, ramp(CT), atol=1e-4)


def test_the_last_digits_of_a_place_change_no_bit_of_any_slab():
    """Headers of three decimals; slabs of 16 slices start at 24.37504 mm times their number."""
    pet = Volume(np.random.default_rng(3).random((90, 4, 4), np.float32), Grid((90, 4, 4), (5.0, 4.0, 4.0)))
    for last in range(10):
        found = []
        for noise in (-3e-5, 0.0, 3e-5):
            place = (1.125 + noise, 2.375 + noise, 3.0 + last / 1000 + noise)
            ct = Volume(np.zeros((256, 3, 3), np.float32), Grid((256, 3, 3), (1.52344, 2.0, 2.0), place))
            found.append(pet_on_ct_grid(pet, ct, patient_id="P1").volume.voxels)
        assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


def test_outside_the_pet_is_zero_and_coverage_is_the_share_inside():
    pet = Grid((4, 3, 3), (6.0, 4.0, 4.0), (101.25, -48.75, -399.0))
    aligned = pet_on_ct_grid(scan(pet), ct_volume(), patient_id="P1")
    world, extent = centres_mm(CT), pet.extent_mm
    inside = np.all((world >= extent[:, 0]) & (world <= extent[:, 1]), axis=-1)
    assert 0 < inside.sum() < inside.size
    assert aligned.coverage == pytest.approx(inside.mean())
    assert np.all(aligned.volume.voxels[~inside] == 0)
    assert np.all(aligned.volume.voxels[inside] > 0)


def test_the_same_grid_changes_nothing():
    aligned = pet_on_ct_grid(scan(CT), ct_volume(), patient_id="P1")
    np.testing.assert_allclose(aligned.volume.voxels, ramp(CT), rtol=1e-6)


def test_no_overlap_names_both_extents():
    pet = Grid((4, 5, 6), (4.0, 4.0, 4.0), (100.0, -50.0, 600.0))
    with pytest.raises(ImagingError) as caught:
        pet_on_ct_grid(scan(pet), ct_volume(), patient_id="P7")
    assert caught.value.reason == "PET and CT do not overlap"
    message = str(caught.value)
    assert "P7" in message
    assert "pet.nii.gz" in message
    assert "z 598.0..614.0" in message
    assert "z -401.5..-371.5" in message


@pytest.mark.parametrize(("shift_mm", "fits"), [(14.0, True), (17.0, False)])
def test_half_of_the_smaller_field_of_view_must_overlap(shift_mm, fits):
    pet = Grid((10, 12, 14), (3.0, 1.0, 1.0), (100.0, -50.0, -400.0 + shift_mm))
    if fits:
        assert pet_on_ct_grid(scan(pet), ct_volume(), patient_id="P1").coverage == pytest.approx(0.5)
    else:
        with pytest.raises(ImagingError, match=r"overlap too little.*40%"):
            pet_on_ct_grid(scan(pet), ct_volume(), patient_id="P1")


def test_a_small_pet_wholly_inside_the_ct_is_enough():
    pet = Grid((4, 5, 6), (3.0, 1.0, 1.0), (103.0, -47.0, -390.0))
    assert pet_on_ct_grid(scan(pet), ct_volume(), patient_id="P1").coverage == pytest.approx(120 / 1680)
