"""What both scans see, on which side one sees more, and that resampling loses no uptake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engram.imaging.align import pet_on_ct_grid
from engram.imaging.field_of_view import Activity, activity, ct_beyond_pet_mm, pet_covered, share_inside
from engram.imaging.volume import Grid, Volume, read_volume

STS = Path(__file__).resolve().parents[4] / "shared" / "data" / "sts"
CT = Grid((20, 40, 30), (3.0, 2.0, 2.0), (10.0, -20.0, 5.0))


def blob(grid: Grid) -> Volume:
    """A smooth uptake in the middle of the CT, on any parallel grid."""
    z, y, x = (
        np.arange(n) * side + start
        for n, side, start in zip(grid.shape, grid.spacing_mm, grid.origin_mm[::-1], strict=True)
    )
    far = (z[:, None, None] - 33) ** 2 + (y[:, None] - 20) ** 2 + (x - 39) ** 2
    return Volume((5 * np.exp(-far / 200)).astype(np.float32), grid, "pet.nii.gz")


@pytest.mark.parametrize("side_mm", [1.5, 4.0, 5.5])
def test_resampling_keeps_the_total(side_mm: float) -> None:
    n = int(100 / side_mm)
    pet = blob(Grid((n, n, n), (side_mm,) * 3, (-11.0, -31.0, -17.0)))
    aligned = pet_on_ct_grid(pet, Volume(np.zeros(CT.shape, np.float32), CT), patient_id="")
    found = activity(pet, aligned.volume)
    whole = 5 * (200 * np.pi) ** 1.5 / 1000
    assert found.before == pytest.approx(whole, rel=0.02)
    assert found.change == pytest.approx(0, abs=0.01)


def test_uptake_outside_the_ct_is_counted_apart_by_the_share_of_each_voxel() -> None:
    """The PET of 4 mm voxels reaches 3 mm further than the CT, in z alone."""
    ct = Grid((10, 8, 8), (4.0, 4.0, 4.0))
    pet = Volume(np.ones((11, 8, 8), np.float32), Grid((11, 8, 8), (4.0, 4.0, 4.0), (0.0, 0.0, -1.0)))
    aligned = pet_on_ct_grid(pet, Volume(np.zeros(ct.shape, np.float32), ct), patient_id="")
    found = activity(pet, aligned.volume)
    per_mm = 8 * 8 * 16 / 1000
    assert found.before == pytest.approx(40 * per_mm)
    assert found.outside == pytest.approx(4 * per_mm)
    assert found.after == pytest.approx(40 * per_mm)
    assert pet_covered(pet.grid, ct) == pytest.approx(40 / 44)
    beyond = ct_beyond_pet_mm(pet.grid, ct)
    assert beyond == pytest.approx(
        {"right": 0, "left": 0, "anterior": 0, "posterior": 0, "inferior": -1, "superior": -3}
    )


def test_a_pet_that_ends_before_the_ct_is_told_on_the_right_side() -> None:
    """x grows towards left, y towards posterior, z towards superior."""
    pet = Grid((8, 15, 14), (5.0, 4.0, 3.0), (10.0, -20.0, 5.0))
    assert ct_beyond_pet_mm(pet, CT) == pytest.approx(
        {"right": -0.5, "left": 18.5, "anterior": -1, "posterior": 21, "inferior": -1, "superior": 21}
    )


def test_scaled_uptake_is_seen() -> None:
    pet = blob(Grid((25, 25, 25), (4.0, 4.0, 4.0), (-11.0, -31.0, -17.0)))
    aligned = pet_on_ct_grid(pet, Volume(np.zeros(CT.shape, np.float32), CT), patient_id="").volume
    twice = Volume(aligned.voxels * np.float32(1.1), aligned.grid)
    assert activity(pet, twice).change == pytest.approx(0.1, abs=0.01)


def test_the_share_of_a_region_inside_the_pet() -> None:
    """The PET ends between the sixth and the seventh slice of the CT, and at the middle of its rows."""
    mask = np.zeros(CT.shape, np.bool_)
    mask[2:10, 5:9, 3:6] = True
    whole = Grid((30, 40, 30), (3.0, 2.0, 2.0), (10.0, -20.0, -10.0))
    assert share_inside(mask, CT, whole) == 1.0
    assert share_inside(mask, CT, Grid((6, 40, 30), CT.spacing_mm, CT.origin_mm)) == 0.5
    assert share_inside(mask, CT, Grid((6, 7, 30), CT.spacing_mm, CT.origin_mm)) == 0.25
    with pytest.raises(ValueError, match="mask"):
        share_inside(np.zeros(CT.shape, np.bool_), CT, whole)


def test_a_pet_without_uptake_has_no_change() -> None:
    assert Activity(0.0, 0.0, 3.0).change is None


@pytest.mark.skipif(not STS.is_dir(), reason="needs ../shared/data/sts")
@pytest.mark.parametrize("patient", ["STS_001", "STS_019", "STS_046"])
def test_real_scans_lose_less_than_half_a_percent(patient: str) -> None:
    ct, pet = (read_volume(STS / patient / f"{what}.nii.gz", patient_id="", what=what) for what in ("CT", "PET"))
    aligned = pet_on_ct_grid(pet, ct, patient_id="")
    change = activity(pet, aligned.volume).change
    assert change is not None
    assert abs(change) < 0.005
    assert pet_covered(pet.grid, ct.grid) * pet.grid.volume_ml == pytest.approx(
        aligned.coverage * ct.grid.volume_ml, rel=0.01
    )
