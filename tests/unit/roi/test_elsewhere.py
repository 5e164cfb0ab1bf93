"""Slices of a region in the air: the same shape, no body in them, the nearest place; or none."""

import numpy as np
import pytest

from engram.imaging.volume import Grid, Volume
from engram.roi.elsewhere import Shift, air_shifts, moved

SPACING = (5.0, 4.0, 4.0)


def scan(tissue, air=-1000.0, inside=40.0):
    voxels = np.where(tissue, inside, air).astype(np.float32)
    return Volume(voxels, Grid(tissue.shape, SPACING))


def body_and_region():
    """A body of 20 x 20 pixels with lungs in it, in an image of 61 x 47, and a region at its left."""
    tissue = np.zeros((6, 61, 47), dtype=bool)
    tissue[:, 20:40, 14:34] = True
    tissue[:, 25:30, 17:22] = False
    region = np.zeros_like(tissue)
    region[1:5, 28:33, 28:32] = True
    region[2, 28, 28] = False
    return tissue, region


def test_slices_lie_in_air_as_near_as_they_may() -> None:
    tissue, region = body_and_region()
    shifts = air_shifts(region, scan(tissue), is_ct=True)
    assert shifts is not None
    there = moved(region, shifts)
    assert there.sum(axis=(1, 2)).tolist() == region.sum(axis=(1, 2)).tolist()
    near = np.zeros_like(tissue)
    near[:, 18:42, 12:36] = True  # 10 mm around the body, and what it encloses
    assert not (there & near).any()
    assert set(shifts.values()) == {(0, 9)}  # the first place past the margin, at its own height


def test_lungs_are_no_air_to_be_taken() -> None:
    tissue, region = body_and_region()
    small = np.zeros_like(region)
    small[1:5, 26:28, 30:32] = True
    shifts = air_shifts(small, scan(tissue), is_ct=True)
    assert shifts is not None
    assert not (moved(small, shifts)[:, 20:40, 14:34]).any()


def test_an_arm_is_no_air_and_moves_its_slices_and_those_below_alone() -> None:
    """From the most superior slice (the last) down, each stays where the one before it was moved to, if it can."""
    tissue, region = body_and_region()
    tissue[2, 29:32, 37:47] = True
    shifts = air_shifts(region, scan(tissue), is_ct=True)
    assert shifts is not None
    assert not (moved(region, shifts) & tissue).any()
    assert shifts[4] == shifts[3] == (0, 9)
    assert shifts[2] != (0, 9)
    assert shifts[1] == shifts[2]


@pytest.mark.parametrize("wide", [True, False])
def test_there_may_be_no_place(wide: bool) -> None:
    tissue, region = body_and_region()
    if wide:
        region[3, 21:39, 3:44] = True
        tissue[:, 10:52] = True
    else:
        tissue[:] = True
    assert air_shifts(region, scan(tissue), is_ct=True) is None


def test_a_pet_alone_shows_air_too() -> None:
    tissue, region = body_and_region()
    shifts = air_shifts(region, scan(tissue, air=0.01, inside=1.0), is_ct=False)
    assert shifts is not None
    assert not (moved(region, shifts) & tissue).any()


def test_what_is_moved_comes_from_nowhere_else() -> None:
    voxels = np.arange(1, 25).reshape(2, 3, 4)
    found = moved(voxels, {0: Shift(1, -1)})
    assert found[0].tolist() == [[0, 0, 0, 0], [2, 3, 4, 0], [6, 7, 8, 0]]
    assert not found[1].any()
