import io

import numpy as np
import pytest
from PIL import Image

from engram.imaging.align import AlignedPet
from engram.imaging.projection import REGION_RGB, patient_sheet
from engram.imaging.study import ImagePair
from engram.imaging.volume import Grid, Volume

GRID = Grid((40, 30, 50), (5.0, 2.0, 2.0))
HIGH, DEEP, WIDE = 200, 60, 100  # mm
WINDOWS = {"pet_window_suv": (0.0, 10.0), "ct_window_hu": (-500.0, 1300.0)}


def pair(voxels: np.ndarray, grid: Grid = GRID) -> ImagePair:
    return ImagePair(None, AlignedPet(Volume(voxels.astype(np.float32), grid), 1.0))


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def views(sheet: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Front and side, each resized to one pixel a millimetre."""
    scale = sheet.shape[0] / HIGH
    sheet[:20] = 255  # the letters
    front, side = sheet[:, : round(WIDE * scale)], sheet[:, -round(DEEP * scale) :]
    return front[:: round(scale), :: round(scale)], side[:: round(scale), :: round(scale)]


def test_a_hot_spot_is_dark_at_its_place_seen_from_the_front_and_from_the_side():
    voxels = np.zeros(GRID.shape)
    voxels[10:13, 20:24, 5:10] = 10.0  # inferior, posterior, on the patient's right
    front, side = views(pixels(patient_sheet(pair(voxels), {}, **WINDOWS)))
    dark = np.argwhere(front[..., 0] < 60).mean(axis=0)
    np.testing.assert_allclose(dark, [(40 - 11.5) * 5, 7.5 * 2], atol=1.5)
    dark = np.argwhere(side[..., 0] < 60).mean(axis=0)
    np.testing.assert_allclose(dark, [(40 - 11.5) * 5, 22 * 2], atol=1.5)


def test_the_window_is_that_of_the_study_and_its_low_is_white():
    voxels = np.zeros(GRID.shape)
    voxels[:20] = 5.0
    front, _ = views(pixels(patient_sheet(pair(voxels), {}, **WINDOWS)))
    assert abs(front[150, 50, 0] - 127) <= 2
    assert front[70, 50, 0] == 255


def test_millimetres_are_square_whatever_the_voxels():
    sheet = pixels(patient_sheet(pair(np.zeros(GRID.shape)), {}, **WINDOWS))
    height, width = sheet.shape[:2]
    assert height <= 800
    assert (width - 14) / height == pytest.approx((WIDE + DEEP) / HIGH, abs=0.01)


def test_regions_are_outlined_in_their_colours_with_the_sides_of_their_boxes():
    mask = np.zeros(GRID.shape, bool)
    mask[10:20, 10:20, 20:30] = True
    mask[14, 10, 40] = True  # a speck, which widens the box of one slice alone
    sheet = pixels(patient_sheet(pair(np.zeros(GRID.shape)), {"a": mask}, **WINDOWS))
    scale = sheet.shape[0] / HIGH
    outline = np.argwhere((sheet == REGION_RGB[0]).all(axis=2)) / scale
    front = outline[outline[:, 1] < WIDE]
    assert (front[:, 0].min(), front[:, 0].max()) == (pytest.approx(100, abs=1), pytest.approx(150, abs=1))
    assert (front[:, 1].min(), front[:, 1].max()) == (pytest.approx(40, abs=1), pytest.approx(82, abs=1))
    pale = tuple(round(255 - 0.45 * (255 - channel)) for channel in REGION_RGB[0])
    box = np.argwhere((sheet == pale).all(axis=2)) / scale
    beyond = box[(box[:, 1] > 75) & (box[:, 1] < WIDE)]
    assert (beyond[:, 0].min(), beyond[:, 0].max()) == (pytest.approx(125, abs=1), pytest.approx(130, abs=1))


def test_without_a_pet_the_ct_is_shown():
    voxels = np.full(GRID.shape, -1000.0, np.float32)
    voxels[:20] = 1300.0
    front, _ = views(pixels(patient_sheet(ImagePair(Volume(voxels, GRID), None), {}, **WINDOWS)))
    assert (front[150, 50, 0], front[70, 50, 0]) == (0, 255)


def test_it_is_small_and_the_same_each_time():
    grid = Grid((300, 128, 128), (3.0, 4.0, 4.0))
    voxels = np.random.default_rng(0).gamma(1.0, 1.0, grid.shape)
    mask = np.zeros(grid.shape, bool)
    mask[50:250, 50:80, 50:80] = True
    made = [patient_sheet(pair(voxels, grid), {"spine": mask}, **WINDOWS) for _ in range(2)]
    assert made[0] == made[1]
    assert pixels(made[0]).shape[0] <= 800


def test_what_does_not_fit_is_refused():
    voxels = np.zeros(GRID.shape)
    with pytest.raises(ValueError, match="not on a grid"):
        patient_sheet(pair(voxels), {"a": np.zeros((2, 2, 2), bool)}, **WINDOWS)
    with pytest.raises(ValueError, match="from low to high"):
        patient_sheet(pair(voxels), {}, pet_window_suv=(5.0, 5.0), ct_window_hu=(0.0, 1.0))


@pytest.mark.parametrize("order", [("spine", "skeleton"), ("skeleton", "spine")])
def test_a_region_within_another_is_drawn_over_it(order):
    masks = {"spine": np.zeros(GRID.shape, bool), "skeleton": np.zeros(GRID.shape, bool)}
    masks["spine"][5:35, 10:20, 20:30] = masks["skeleton"][5:35, 10:20, 20:30] = True
    masks["skeleton"][5:8] = True
    sheet = pixels(patient_sheet(pair(np.zeros(GRID.shape)), {name: masks[name] for name in order}, **WINDOWS))
    sides = sheet[sheet.shape[0] // 2, : sheet.shape[1] // 2]
    assert (sides == REGION_RGB[order.index("spine")]).all(axis=1).sum() == 2
    assert not (sides == REGION_RGB[order.index("skeleton")]).all(axis=1).any()
