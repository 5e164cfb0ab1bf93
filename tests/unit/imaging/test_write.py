from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from engram.imaging.volume import Grid
from engram.imaging.write import write_nifti

GRID = Grid((2, 3, 4), (1.0, 1.0, 1.0))


def test_the_header_says_what_the_voxels_are(tmp_path: Path) -> None:
    path = write_nifti(np.ones(GRID.shape, np.float32), GRID, tmp_path / "map.nii.gz", description="x" * 79)
    assert sitk.ReadImage(str(path)).GetMetaData("descrip") == "x" * 79


@pytest.mark.parametrize("words", ["x" * 80, "Änderung"])
def test_a_description_that_does_not_fit_is_refused(tmp_path: Path, words: str) -> None:
    with pytest.raises(ValueError, match="79 ASCII"):
        write_nifti(np.ones(GRID.shape, np.float32), GRID, tmp_path / "map.nii.gz", description=words)
