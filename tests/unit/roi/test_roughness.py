"""Noise of the surface: as large as it is asked to be, on average neither in nor out, the same for one seed."""

import numpy as np
import pytest
from scipy import ndimage

from engram.roi import distance
from engram.roi.roughness import _noise, roughened

SPACING = (2.0, 1.0, 1.0)


@pytest.fixture
def ball():
    z, y, x = np.ogrid[:30, :60, :60]
    return (2 * (z - 15)) ** 2 + (y - 30) ** 2 + (x - 30) ** 2 < 20**2


def rough(mask, sd_mm, seed=0):
    return roughened(mask, sd_mm, 8.0, SPACING, np.random.default_rng(seed))


def test_noise_has_its_standard_deviation_everywhere() -> None:
    lattice = np.random.default_rng(0).standard_normal((60, 40, 40))
    field = _noise(lattice, slice(0, 200), (200, 200, 200), (1.0, 1.0, 1.0), 5.5)
    assert field.shape == (200, 200, 200)
    phases = [field[i::11, i::11, i::11].std() for i in range(11)]
    assert np.allclose(phases, 1.0, atol=0.05)
    assert abs(field.mean()) < 0.02


def test_the_surface_moves_by_about_as_much_as_asked(ball) -> None:
    found = rough(ball, 3.0)
    changed = found != ball
    depth = np.where(ball, *(ndimage.distance_transform_edt(m, sampling=SPACING) for m in (ball, ~ball)))
    assert changed.any()
    assert depth[changed].max() <= 9.0  # three standard deviations
    assert depth[changed].max() > 3.0
    assert 0.8 < found.sum() / ball.sum() < 1.25


def test_no_noise_and_noise_below_a_voxel_change_nothing(ball) -> None:
    assert (rough(ball, 0.0) == ball).all()
    assert (rough(ball, 0.2) == ball).all()


def test_a_seed_is_a_mask_whatever_the_slabs(ball, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rough(ball, 3.0)
    assert (rough(ball, 3.0, seed=1) != whole).any()
    monkeypatch.setattr(distance, "_SLAB_VOXELS", 1)
    assert (rough(ball, 3.0) == whole).all()


def test_an_empty_mask_stays_empty() -> None:
    assert not rough(np.zeros((4, 5, 6), dtype=bool), 3.0).any()
