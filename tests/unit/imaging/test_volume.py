import dataclasses

import numpy as np
import pytest

from engram.errors import ImagingError
from engram.imaging.volume import Grid, Volume, read_volume

GRID = Grid((4, 5, 6), (5.0, 2.0, 1.0), (10.0, 20.0, -30.0))


def moved(**changes) -> Grid:
    return dataclasses.replace(GRID, **changes)


def test_volumes_in_ml():
    assert GRID.voxel_volume_ml == pytest.approx(0.010)
    assert GRID.volume_ml == pytest.approx(1.2)


def test_extent_reaches_the_voxel_edges():
    np.testing.assert_allclose(GRID.extent_mm, [[9.5, 15.5], [19.0, 29.0], [-32.5, -12.5]])


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (GRID, True),
        (moved(origin_mm=(10.05, 20.0, -30.0)), True),
        (moved(origin_mm=(10.0, 20.0, -29.8)), False),
        (moved(spacing_mm=(5.0, 2.001, 1.0)), True),
        (moved(spacing_mm=(5.1, 2.0, 1.0)), False),
        (moved(shape=(4, 5, 7)), False),
        (moved(direction=(-1, 0, 0, 0, 1, 0, 0, 0, 1)), False),
    ],
)
def test_matches_within_a_tenth_of_a_voxel(other, same):
    assert GRID.matches(other) is same


@pytest.mark.parametrize("wrong", [{"shape": (0, 5, 6)}, {"spacing_mm": (5, 0, 1)}, {"direction": (1, 0, 0)}])
def test_impossible_grids(wrong):
    with pytest.raises(ValueError):
        moved(**wrong)


def test_volume_is_read_only_and_on_its_grid():
    array = np.zeros(GRID.shape, np.float32)
    volume = Volume(array, GRID)
    with pytest.raises(ValueError):
        volume.voxels[0] = 1
    array[0] = 1  # the caller's own array stays his
    with pytest.raises(ValueError, match="grid"):
        Volume(array[1:], GRID)


def test_reads_float32_with_its_grid(write):
    array = np.random.default_rng(0).normal(size=GRID.shape)
    path = write(array, spacing=(1.0, 2.0, 5.0), origin=(10.0, 20.0, -30.0))
    volume = read_volume(path, patient_id="P1", what="PET")
    assert volume.voxels.dtype == np.float32
    assert volume.grid.matches(GRID)
    assert volume.source == str(path)
    np.testing.assert_allclose(volume.voxels, array, rtol=1e-6)


def refused(path) -> ImagingError:
    with pytest.raises(ImagingError) as caught:
        read_volume(path, patient_id="P1", what="PET")
    assert str(path) in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", ["pet.nii", "pet.nii.gz", "pet.nrrd", "pet.mha"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinite(write, bad, kind, name):
    """In NIfTI above all: there ITK reads them as 0."""
    array = np.ones(GRID.shape, kind)
    array[0, 0, :2] = bad
    error = refused(write(array, name))
    assert (error.reason, error.value) == ("PET has NaN or infinite voxels", "2 voxels")


def test_too_large_for_float32(write):
    array = np.ones(GRID.shape)
    array[0, 0, :2] = 1e300
    error = refused(write(array))
    assert (error.reason, error.value) == ("PET has NaN or infinite voxels", "2 voxels")


def test_constant(write):
    error = refused(write(np.full(GRID.shape, 3.0)))
    assert (error.reason, error.value) == ("PET is constant", "3 everywhere")
