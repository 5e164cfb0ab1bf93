"""What the tool sees of a region."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from engram.imaging.volume import Grid, Volume
from engram.radiomics.staging import MARGIN_MM, stage


def test_image_and_mask_are_cut_around_the_region_with_a_margin(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grid = Grid((40, 60, 60), (5.0, 2.0, 2.0), (-50.0, 20.0, 900.0))
    mask = np.zeros(grid.shape, bool)
    mask[10:14, 2:20, 30:33] = True
    voxels = rng.normal(size=grid.shape).astype(np.float32)
    staged = stage(Volume(voxels, grid), mask, tmp_path, "region_0")
    image, inside = sitk.ReadImage(str(staged.image)), sitk.ReadImage(str(staged.mask))
    assert image.GetSpacing() == (2.0, 2.0, 5.0)
    assert image.GetOrigin() == inside.GetOrigin() == (0.0, 0.0, 0.0)
    seen, kept = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(inside)
    assert seen.shape == kept.shape == (4 + 2 * 3, 20 + 8, 3 + 2 * 8)  # the second axis starts at the edge
    np.testing.assert_array_equal(seen[kept > 0], voxels[mask])
    assert MARGIN_MM <= 3 * 5.0


def test_an_empty_mask_is_refused(tmp_path: Path) -> None:
    grid = Grid((3, 3, 3), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="empty"):
        stage(Volume(np.ones(grid.shape, np.float32), grid), np.zeros(grid.shape, bool), tmp_path, "r")
