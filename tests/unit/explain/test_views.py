"""Views stand as radiologists expect them, in millimetres, and show what lies in the region."""

from __future__ import annotations

import numpy as np
import pytest

from engram.explain.views import largest_area, views
from engram.imaging.align import AlignedPet
from engram.imaging.study import ImagePair
from engram.imaging.volume import Grid, Volume

GRID = Grid((20, 30, 40), (20.0, 10.0, 5.0))


def pair(ct: np.ndarray | None = None, pet: np.ndarray | None = None) -> ImagePair:
    return ImagePair(
        None if ct is None else Volume(ct, GRID), None if pet is None else AlignedPet(Volume(pet, GRID), 1.0)
    )


def scan(value: float = 0.0) -> np.ndarray:
    return np.full(GRID.shape, value, np.float32)


def nothing() -> np.ndarray:
    return np.full(GRID.shape, np.nan, np.float32)


@pytest.fixture
def region() -> np.ndarray:
    """Largest at x = 30 and y = 12; z 5 to 9."""
    mask = np.zeros(GRID.shape, bool)
    mask[5:10, 10:20, 30] = True
    mask[5:10, 12, 25:36] = True
    return mask


def test_slices_go_through_the_largest_area(region: np.ndarray) -> None:
    assert largest_area(region, 2) == 30
    assert largest_area(region, 1) == 12


def test_slices_are_cropped_around_the_region_with_superior_above(region: np.ndarray) -> None:
    ct, change = scan(), nothing()
    ct[9, 10, 30] = 700  # the top of the region, in front
    change[9, 10, 30] = -2
    change[9, 9, 30] = -5  # beside the region
    sagittal, _, _ = views(pair(ct, scan()), region, change)
    # 40 mm around: 2 voxels in z, 4 in y, 8 in x
    assert sagittal.region.shape == (5 + 4, 10 + 8)
    assert np.argwhere(sagittal.scan == 700).tolist() == [[2, 4]]
    assert np.argwhere(~np.isnan(sagittal.change)).tolist() == [[2, 4]]
    assert sagittal.change[2, 4] == -2
    assert (sagittal.ends, sagittal.size_mm) == (("A", "P"), (9 * 20.0, 18 * 10.0))
    assert (sagittal.modality, sagittal.inverted) == ("CT", False)


def test_the_coronal_slice_has_the_patients_right_on_its_left(region: np.ndarray) -> None:
    ct = scan()
    ct[5, 12, 25] = 700  # the lower end of the region, on the right
    _, coronal, _ = views(pair(ct, scan()), region, nothing())
    assert coronal.region.shape == (9, 11 + 4 + 8)  # the volume ends 4 voxels to the left of the region
    assert np.argwhere(coronal.scan == 700).tolist() == [[6, 8]]
    assert (coronal.ends, coronal.size_mm) == (("R", "L"), (9 * 20.0, 23 * 5.0))


def test_the_projection_shows_all_of_the_pet_and_the_change_of_the_largest_size(region: np.ndarray) -> None:
    pet, change = scan(), nothing()
    pet[19, 3, 0] = 9
    change[5, 10:13, 30] = [1, -3, 2]
    change[5, 0, 30] = 50  # in front of the region
    _, _, front = views(pair(scan(), pet), region, change)
    assert front.region.shape == (20, 40)
    assert np.argwhere(front.scan == 9).tolist() == [[0, 0]]
    assert front.change[14, 30] == -3
    assert np.isnan(front.change).sum() == 20 * 40 - 1
    assert front.region.sum() == 5 * 11
    assert (front.modality, front.inverted, front.ends) == ("PET", True, ("R", "L"))


def test_one_scan_alone_is_shown_in_every_view(region: np.ndarray) -> None:
    for given in ({"pet": scan()}, {"ct": scan()}):
        shown = views(pair(**given), region, nothing())
        assert {view.modality for view in shown} == {next(iter(given)).upper()}
    assert [view.inverted for view in shown] == [False, False, True]


def test_what_is_not_on_the_grid_is_refused(region: np.ndarray) -> None:
    with pytest.raises(ValueError, match="region"):
        views(pair(scan()), region[1:], nothing())
    with pytest.raises(ValueError, match="change"):
        views(pair(scan()), region, nothing()[1:])
    with pytest.raises(ValueError, match="empty"):
        views(pair(scan()), np.zeros_like(region), nothing())
