import numpy as np
import pytest

from engram.imaging.coverage import _interpolated, best_covered, bounding_box, half_covered
from engram.imaging.volume import Grid

FINE = Grid((24, 30, 36), (1.0, 1.0, 1.0))


def ball(grid: Grid, centre_mm: tuple[float, float, float], radius_mm: float) -> np.ndarray:
    places = np.moveaxis(np.indices(grid.shape), 0, -1) * grid.spacing_mm + grid.origin_mm[::-1]
    return np.linalg.norm(places - centre_mm, axis=-1) <= radius_mm


def test_a_mask_on_its_own_grid_is_itself():
    mask = ball(FINE, (12, 15, 18), 8)
    assert half_covered(mask, FINE, FINE) is mask


def test_half_of_a_voxel_is_counted_by_brute_force():
    coarse = Grid((8, 10, 12), (3.0, 3.0, 3.0), (1.0, 1.0, 1.0))  # its voxels hold 27 fine ones each
    mask = ball(FINE, (12, 15, 18), 8)
    shares = mask.reshape(8, 3, 10, 3, 12, 3).mean(axis=(1, 3, 5))
    np.testing.assert_array_equal(half_covered(mask, FINE, coarse), shares >= 0.5)


@pytest.mark.parametrize("shift_mm", [(0.0, 0.0, 0.0), (7.3, -4.2, 11.9)])
def test_world_position_decides(shift_mm):
    coarse = Grid((6, 8, 9), (4.0, 3.7, 4.1), tuple(np.add((1.5, 2.0, 1.0), shift_mm)))
    moved = Grid(FINE.shape, FINE.spacing_mm, shift_mm)
    mask = ball(FINE, (12, 15, 18), 8)
    truth = ball(coarse, tuple(np.add((12, 15, 18), shift_mm[::-1])), 8)
    found = half_covered(mask, moved, coarse)
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.93


def test_axes_that_are_turned_alike_are_parallel():
    turned = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    fine = Grid(FINE.shape, FINE.spacing_mm, direction=turned)
    # x of the grid runs along y of the world, and y against x.
    coarse = Grid((8, 10, 12), (3.0, 3.0, 3.0), (-1.0, 1.0, 1.0), turned)
    mask = ball(FINE, (12, 15, 18), 8)
    shares = mask.reshape(8, 3, 10, 3, 12, 3).mean(axis=(1, 3, 5))
    np.testing.assert_array_equal(half_covered(mask, fine, coarse), shares >= 0.5)


def test_oblique_grids_meet_by_interpolation():
    angle = np.deg2rad(10)
    direction = (np.cos(angle), -np.sin(angle), 0.0, np.sin(angle), np.cos(angle), 0.0, 0.0, 0.0, 1.0)
    coarse = Grid((8, 12, 14), (3.0, 3.0, 3.0), (2.0, -3.0, 1.0), direction)
    mask = ball(FINE, (12, 15, 18), 8)
    found = half_covered(mask, FINE, coarse)
    assert found.sum() * 27 == pytest.approx(mask.sum(), rel=0.03)


def test_exact_and_interpolated_shares_agree():
    coarse = Grid((8, 10, 12), (3.0, 3.0, 3.0), (1.0, 1.0, 1.0))
    mask = ball(FINE, (12, 15, 18), 8)
    one, other = half_covered(mask, FINE, coarse), _interpolated(mask, FINE, coarse) >= 0.5
    assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.95


def test_what_lies_outside_is_empty():
    away = Grid((4, 4, 4), (3.0, 3.0, 3.0), (500.0, 0.0, 0.0))
    assert not half_covered(np.ones(FINE.shape, bool), FINE, away).any()
    assert not half_covered(np.zeros(FINE.shape, bool), FINE, away).any()
    for grid in (away, Grid(away.shape, away.spacing_mm, away.origin_mm, OBLIQUE)):
        assert not best_covered(np.ones(FINE.shape, bool), FINE, grid).any()
        assert not best_covered(np.zeros(FINE.shape, bool), FINE, grid).any()
    with pytest.raises(ValueError, match="not on a grid"):
        half_covered(np.ones((3, 3, 3), bool), FINE, away)


OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
STRAIGHT = Grid((1, 1, 1), (1.0, 1.0, 1.0)).direction


def test_a_region_of_some_size_is_measured_where_it_covers_half():
    coarse = Grid((8, 10, 12), (3.0, 3.0, 3.0), (1.0, 1.0, 1.0))
    mask = ball(FINE, (12, 15, 18), 8)
    np.testing.assert_array_equal(best_covered(mask, FINE, coarse), half_covered(mask, FINE, coarse))


@pytest.mark.parametrize(
    ("voxels", "expected"),
    [
        (np.s_[7:8, 8:9, 9:10], np.s_[1, 1, 1]),  # one of its 125
        (np.s_[5:15, 6:8, 5:8], np.s_[1:3, 1, 1]),  # 30 of 125 in each of two
        (np.s_[5:10, 8:12, 6:8], np.s_[1, 1:3, 1]),  # 20 of 125 in each of two
        (np.s_[5:10, 8:13, 6:8], np.s_[1, 2, 1]),  # 20 in the one, 30 in the other
    ],
)
@pytest.mark.parametrize("direction", [STRAIGHT, OBLIQUE])
@pytest.mark.parametrize("side_mm", [1.0, 0.7, 1.37])
def test_a_small_region_is_measured_where_it_covers_most(voxels, expected, side_mm, direction):
    fine = Grid(FINE.shape, (side_mm,) * 3, (-31.7, 12.9, -803.3), direction)
    origin = np.add(fine.origin_mm, np.reshape(direction, (3, 3)) @ np.full(3, 2 * side_mm))
    coarse = Grid((4, 6, 7), (5 * side_mm,) * 3, tuple(origin + 3e-5), direction)  # as files round places
    mask, told = np.zeros(fine.shape, bool), np.zeros(coarse.shape, bool)
    mask[voxels] = told[expected] = True
    assert not half_covered(mask, fine, coarse).any()
    np.testing.assert_array_equal(best_covered(mask, fine, coarse), told)


def test_a_region_of_one_voxel_is_found_on_oblique_grids():
    """Each fine voxel lies in the coarse voxel whose centre is nearest, by world position; outside, in none."""
    coarse = Grid((4, 5, 5), (5.0, 5.0, 5.0), (6.0, -4.0, 3.0), OBLIQUE)
    centres = np.moveaxis(np.indices(coarse.shape), 0, -1).reshape(-1, 3)
    places = centres[:, ::-1] * 5.0 @ np.reshape(OBLIQUE, (3, 3)).T + coarse.origin_mm
    seen = 0
    for at in np.random.default_rng(1).integers((0, 0, 0), FINE.shape, (60, 3)):
        mask = np.zeros(FINE.shape, bool)
        mask[tuple(at)] = True
        away = (places - at[::-1]) @ np.reshape(OBLIQUE, (3, 3))
        holds = (np.abs(away) <= 2.5).all(axis=1)
        np.testing.assert_array_equal(np.argwhere(best_covered(mask, FINE, coarse)), centres[holds])
        seen += int(holds.any())
    assert 10 < seen < 60


def test_the_box_of_a_mask():
    mask = np.zeros((5, 6, 7), bool)
    assert bounding_box(mask) is None
    mask[1, 2, 6] = mask[3, 4, 0] = True
    assert bounding_box(mask) == (slice(1, 4), slice(2, 5), slice(0, 7))
