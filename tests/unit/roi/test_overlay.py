"""The picture of what the model is shown."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from engram.roi.boxes import slice_boxes
from engram.roi.overlay import contact_sheet

ORANGE, GREEN = (230, 159, 0), (0, 158, 115)


def _sheet(n_slices: int, spacing_mm: tuple[float, float, float]) -> Image.Image:
    mask = np.zeros((n_slices, 40, 60), bool)
    mask[:, 10:30, 20:40] = True
    png = contact_sheet(np.zeros(mask.shape, np.uint8), mask, slice_boxes(mask), spacing_mm)
    return Image.open(io.BytesIO(png))


def test_tiles_stand_in_rows_of_four_with_square_millimetres() -> None:
    assert _sheet(20, (5, 1, 1)).size == (4 * 300, 2 * 200)
    assert _sheet(20, (5, 2, 1)).size == (4 * 150, 2 * 200)
    assert _sheet(3, (5, 1, 1)).size == (3 * 300, 200)


def test_region_and_box_are_drawn_around_each_other() -> None:
    pixels = np.asarray(_sheet(1, (1, 1, 1)))
    box = (pixels == ORANGE).all(axis=2)
    rows, columns = np.nonzero(box)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (50, 149, 100, 199)  # five pixels a voxel
    assert not (pixels[:45] != 0).any()
