"""The picture of what the model is shown and draws."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from engram.memory.drawn import pack
from engram.memory.overlay import DRAWN_RGB, PROMPT_RGB, REGION_RGB, contact_sheet
from engram.memory.prompts import slice_prompts
from engram.memory.protocol import Protocol
from engram.memory.readouts import Region


def _region(n_slices: int, spacing_mm: tuple[float, float, float], **choices: object) -> Region:
    mask = np.zeros((n_slices, 40, 60), bool)
    mask[:, 10:30, 20:40] = True
    return Region(slice_prompts(mask, Protocol(stride=1, **choices), spacing_mm), mask, spacing_mm)


def _sheet(
    region: Region, quality: dict[str, np.ndarray] | None = None, protocol: Protocol | None = None
) -> Image.Image:
    png = contact_sheet(np.zeros(region.mask.shape, np.uint8), region, protocol or Protocol(), quality)
    return Image.open(io.BytesIO(png))


def _where(image: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero((np.asarray(image) == colour).all(axis=2))
    return int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())


def test_tiles_stand_in_rows_of_four_with_square_millimetres() -> None:
    assert _sheet(_region(20, (5, 1, 1))).size == (4 * 300, 2 * 200)
    assert _sheet(_region(20, (5, 2, 1))).size == (4 * 150, 2 * 200)
    assert _sheet(_region(3, (5, 1, 1))).size == (3 * 300, 200)


def test_box_region_and_drawn_mask_are_where_they_are() -> None:
    drawn = np.zeros((1, 20, 20), dtype=bool)
    drawn[0, 2:18, 2:18] = True  # a tenth of the frame is left on each side
    kept = {"drawn": pack(list(drawn)), "drawn_shape": np.array([20, 20])}
    image = _sheet(_region(1, (1, 1, 1)), kept)
    assert _where(image, PROMPT_RGB) == (50, 149, 100, 199)  # five pixels a voxel
    assert _where(image, DRAWN_RGB) == (20, 179, 30, 269)
    assert not (np.asarray(image)[:19] != 0).any()


def test_without_a_box_the_region_is_outlined() -> None:
    image = _sheet(_region(1, (1, 1, 1), prompt="mask"))
    assert _where(image, REGION_RGB) == (50, 149, 100, 199)
    assert not (np.asarray(image) == PROMPT_RGB).all(axis=2).any()


@pytest.mark.parametrize(("direction", "first"), [("down", True), ("up", False)])
def test_a_slice_that_is_tracked_shows_no_prompt(direction: str, first: bool) -> None:
    image = np.asarray(_sheet(_region(3, (5, 1, 1)), protocol=Protocol(prompting="first", direction=direction)))
    shown = [(tile == PROMPT_RGB).all(axis=2).any() for tile in np.split(image, 3, axis=1)]
    assert shown == [first, False, not first]


def test_pet_is_shown_in_inverse_grey_and_the_lines_keep_their_colours() -> None:
    region = _region(3, (5, 1, 1))
    frames = np.full(region.mask.shape, 30, np.uint8)
    plain, inverse = (
        np.asarray(Image.open(io.BytesIO(contact_sheet(frames, region, Protocol(), inverted=inverted))))
        for inverted in (False, True)
    )
    lines = np.ptp(plain, axis=2) > 0
    assert np.array_equal(plain[lines], inverse[lines])
    assert set(plain[~lines].ravel()) == {30}
    assert set(inverse[~lines].ravel()) == {225}


def test_points_are_dots_on_their_pixels() -> None:
    region = _region(1, (1, 1, 1), prompt="points", points=1)
    assert region.prompts.prompts[0].points is not None
    x, y = region.prompts.prompts[0].points[0]
    top, bottom, left, right = _where(_sheet(region), PROMPT_RGB)
    assert abs((left + right) / 2 - 5 * (x + 0.5)) <= 1
    assert abs((top + bottom) / 2 - 5 * (y + 0.5)) <= 1
