"""What is done to a mask, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from engram.errors import ImagingError
from engram.explain.mask_changes import MaskChange, Place, changed
from engram.imaging.study import ImagePair
from engram.imaging.volume import Grid, Volume

SPACING = (4.0, 2.0, 2.0)


@pytest.fixture
def pair():
    """A body of 20 x 20 pixels in an image of 60 x 60."""
    voxels = np.full((8, 60, 60), -1000.0, np.float32)
    voxels[:, 20:40, 20:40] = 40
    return ImagePair(Volume(voxels, Grid(voxels.shape, SPACING)), None)


@pytest.fixture
def place():
    mask = np.zeros((8, 60, 60), dtype=bool)
    mask[1:7, 25:35, 25:35] = True
    return Place(mask, np.where(mask, 3, 0).astype(np.uint8))


def apply(change: MaskChange, place: Place, pair: ImagePair) -> Place:
    return changed(change, place, pair, patient_id="P7", roi="spine")


def sides(mask) -> list[int]:
    return [int(np.ptp(index)) + 1 for index in np.nonzero(mask)]


def test_erosion_and_dilation_are_in_millimetres(place, pair) -> None:
    assert sides(apply(MaskChange("erode", 2.0), place, pair).mask) == [6, 8, 8]
    assert sides(apply(MaskChange("erode", 4.0), place, pair).mask) == [4, 6, 6]
    assert sides(apply(MaskChange("dilate", 4.0), place, pair).mask) == [8, 14, 14]


def test_what_is_left_of_a_mask_must_be_readable(place, pair) -> None:
    with pytest.raises(ImagingError, match=r"P7.*'spine' is empty"):
        apply(MaskChange("erode", 30.0), place, pair)


def test_parts_stay_where_they_are_but_for_a_region_that_moves(place, pair) -> None:
    assert apply(MaskChange("dilate", 4.0), place, pair).parts is place.parts
    air = apply(MaskChange("air"), place, pair)
    assert not (air.mask & (pair.volume("CT").voxels > -500)).any()
    assert air.parts is not None
    assert ((air.parts == 3) == air.mask).all()


def test_noise_is_of_its_seed_and_of_the_mask(place, pair) -> None:
    noise = MaskChange("noise", 3.0, 8.0, seed=1)
    first, again = apply(noise, place, pair).mask, apply(noise, place, pair).mask
    assert (first == again).all()
    assert (first != place.mask).any()
    assert (apply(MaskChange("noise", 3.0, 8.0, seed=2), place, pair).mask != first).any()


def test_no_room_in_the_air_is_refused_with_sizes(place, pair) -> None:
    wide = np.zeros_like(place.mask)
    wide[2:5, 10:50, 5:55] = True
    with pytest.raises(ImagingError, match=r"P7: no room for 'spine' in the air.*80 x 100 mm.*120 x 120 mm"):
        apply(MaskChange("air"), Place(wide, None), pair)


def test_all_that_decides_a_mask_is_in_its_recipe() -> None:
    changes = [
        MaskChange("erode", 3.0), MaskChange("erode", 4.0), MaskChange("dilate", 3.0),
        MaskChange("noise", 3.0, 5.0), MaskChange("noise", 3.0, 6.0), MaskChange("noise", 3.0, 6.0, 1),
    ]  # fmt: skip
    assert len({str(one.recipe) for one in changes}) == len(changes)
