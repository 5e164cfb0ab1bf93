"""A PET that is off by a known shift is found to be; where nothing can be found, none is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from engram.imaging.coarse import coarse, window
from engram.imaging.information import information
from engram.imaging.registration import (
    NO_CONTOUR,
    NOTHING_SHARED,
    TOO_SHORT,
    registration_quality,
)
from engram.imaging.volume import Grid, Volume, read_volume

STS = Path(__file__).resolve().parents[4] / "shared" / "data" / "sts"
CT = Grid((60, 60, 60), (4.0, 4.0, 4.0), (-118.0, -118.0, -118.0))
PET = Grid((56, 50, 50), (4.3, 4.8, 4.8), (-117.0, -119.0, -118.0))


def world(grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    z, y, x = (
        np.arange(n) * side + start
        for n, side, start in zip(grid.shape, grid.spacing_mm, grid.origin_mm[::-1], strict=True)
    )
    return z[:, None, None], y[:, None], x


def body(grid: Grid, inside: float, organ: float, outside: float) -> Volume:
    """An egg with one organ, off centre."""
    z, y, x = world(grid)
    egg = (x / 90) ** 2 + (y / 60) ** 2 + (z / 100) ** 2 < 1
    liver = ((x + 35) / 30) ** 2 + ((y + 10) / 25) ** 2 + ((z - 20) / 30) ** 2 < 1
    values = np.where(liver, organ, np.where(egg, inside, outside)).astype(np.float32)
    return Volume(values, grid)


@pytest.fixture(scope="module")
def ct() -> Volume:
    noise = np.random.default_rng(0).normal(0, 10, CT.shape).astype(np.float32)
    made = body(CT, -80, 60, -1000)
    return Volume(made.voxels + noise, CT)


@pytest.fixture(scope="module")
def pet() -> Volume:
    made = body(PET, 0.7, 3.0, 0.01)
    return Volume(gaussian_filter(made.voxels, 0.7), PET)


def moved(pet: Volume, by_mm: tuple[float, float, float]) -> Volume:
    x, y, z = (a + b for a, b in zip(pet.grid.origin_mm, by_mm, strict=True))
    return Volume(pet.voxels, replace(pet.grid, origin_mm=(x, y, z)))


@pytest.mark.parametrize("off_mm", [(0.0, 0.0, 0.0), (12.0, 0.0, 0.0), (0.0, -12.0, 0.0), (5.0, -6.0, 9.0)])
def test_a_known_shift_is_found(ct: Volume, pet: Volume, off_mm: tuple[float, float, float]) -> None:
    found = registration_quality(moved(pet, off_mm), ct)
    assert found.notes == ()
    assert found.shift is not None
    np.testing.assert_allclose(found.shift.best_mm, [-mm for mm in off_mm], atol=1.0)
    assert found.shift.distance_mm == pytest.approx(np.linalg.norm(off_mm), abs=1.5)
    assert found.shift.best >= found.shift.here
    assert not found.shift.at_edge


def test_a_far_shift_is_at_the_edge(ct: Volume, pet: Volume) -> None:
    found = registration_quality(moved(pet, (0.0, 0.0, 45.0)), ct)
    assert found.shift is not None
    assert found.shift.at_edge
    assert found.shift.best_mm[2] < -20


def test_body_outlines_agree_until_one_is_moved(ct: Volume, pet: Volume) -> None:
    near, far = (registration_quality(moved(pet, (x, 0.0, 0.0)), ct).body_dice for x in (0.0, 24.0))
    assert near is not None
    assert far is not None
    assert near > 0.95
    assert far < near - 0.08


def test_the_table_is_no_body(ct: Volume, pet: Volume) -> None:
    _, y, x = world(CT)
    table = np.broadcast_to((np.abs(y - 90) < 2.5) & (np.abs(x) < 70), CT.shape)
    lying = Volume(np.where(table, np.float32(100), ct.voxels), CT)
    with_table, without = registration_quality(pet, lying).body_dice, registration_quality(pet, ct).body_dice
    assert with_table == pytest.approx(without, abs=0.02)


def test_the_same_twice(ct: Volume, pet: Volume) -> None:
    assert registration_quality(pet, ct) == registration_quality(pet, ct)


@pytest.mark.parametrize("what", ["uniform", "noise", "none"])
def test_a_pet_that_tells_nothing_gives_no_shift(ct: Volume, what: str) -> None:
    noise = np.random.default_rng(1).uniform(0.5, 1.5, PET.shape)
    voxels = {"uniform": np.ones(PET.shape), "noise": noise, "none": np.zeros(PET.shape)}[what]
    found = registration_quality(Volume(voxels.astype(np.float32), PET), ct)
    assert found.shift is None
    assert found.notes[-1] == NOTHING_SHARED


def test_a_crop_without_air_gives_no_contour(ct: Volume, pet: Volume) -> None:
    box = tuple(slice(18, 42) for _ in range(3))
    crop = Volume(ct.voxels[box], window(CT, box, (0, 0, 0)))
    found = registration_quality(pet, crop)
    assert found.body_dice is None
    assert NO_CONTOUR in found.notes


def test_a_few_slices_give_no_shift(ct: Volume, pet: Volume) -> None:
    box = (slice(28, 32), slice(0, 60), slice(0, 60))
    found = registration_quality(pet, Volume(ct.voxels[box], window(CT, box, (0, 0, 0))))
    assert found.shift is None
    assert TOO_SHORT in found.notes


def test_information_is_one_for_strangers_and_two_for_twins() -> None:
    assert information(np.array([[4, 4], [4, 4]])) == pytest.approx(1.0)
    assert information(np.array([[8, 0], [0, 8]])) == pytest.approx(2.0)
    assert information(np.array([[8, 0], [0, 0]])) == 1.0
    # H(a) = H(b) = ln 2; H(a, b) of 3/8, 1/8, 1/8, 3/8, by hand
    joint = -(2 * 3 / 8 * np.log(3 / 8) + 2 * 1 / 8 * np.log(1 / 8))
    assert information(np.array([[3, 1], [1, 3]])) == pytest.approx(2 * np.log(2) / joint)


def test_coarse_voxels_are_means_at_the_middle_of_their_blocks() -> None:
    z, y, x = world(CT)
    ramp = (0.5 * x - 2 * y + 3 * z).astype(np.float32)
    small = coarse(Volume(ramp, CT), 11.0)
    assert small.grid.shape == (20, 20, 20)
    z, y, x = world(small.grid)
    np.testing.assert_allclose(small.voxels, 0.5 * x - 2 * y + 3 * z, atol=1e-3)


@pytest.mark.skipif(not STS.is_dir(), reason="needs ../shared/data/sts")
@pytest.mark.parametrize("patient", ["STS_002", "STS_008", "STS_040"])
def test_twelve_millimetres_are_found_on_real_scans(patient: str) -> None:
    ct, pet = (read_volume(STS / patient / f"{what}.nii.gz", patient_id="", what=what) for what in ("CT", "PET"))
    at_first = registration_quality(pet, ct).shift
    assert at_first is not None
    for off in np.vstack([12 * np.eye(3), -12 * np.eye(3)]):
        x, y, z = off
        found = registration_quality(moved(pet, (x, y, z)), ct).shift
        assert found is not None
        error = np.subtract(found.best_mm, at_first.best_mm) + off
        assert np.linalg.norm(error) < 3
