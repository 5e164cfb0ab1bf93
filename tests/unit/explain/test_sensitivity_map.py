"""A map is the mean over the patches that cover a voxel, in whatever order they come; its file says what it is."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from engram.explain.map_files import write_map
from engram.explain.patches import Patch, patch_grid
from engram.explain.sensitivity_map import SensitivityMap
from engram.imaging.volume import Grid, grid_of

SHAPE = (4, 5, 6)


def patch(number: int, z: tuple[int, int], y: tuple[int, int], x: tuple[int, int]) -> Patch:
    return Patch(number, (slice(*z), slice(*y), slice(*x)), (z[0], y[0], x[0]))


def two_overlapping() -> SensitivityMap:
    found = SensitivityMap(SHAPE)
    found.add(patch(0, (1, 3), (0, 2), (0, 2)), 3.0)
    found.add(patch(1, (2, 4), (1, 3), (1, 3)), -1.0)
    return found


def test_overlaps_are_averaged_and_the_rest_is_nan() -> None:
    found = two_overlapping()
    signed, absolute = found.signed(), found.absolute()
    assert signed.dtype == absolute.dtype == np.float32
    assert (signed[1, 0, 0], signed[3, 2, 2], signed[2, 1, 1]) == (3, -1, 1)
    assert (absolute[1, 0, 0], absolute[3, 2, 2], absolute[2, 1, 1]) == (3, 1, 2)
    covered = ~np.isnan(signed)
    assert covered.sum() == 8 + 8 - 1
    assert (covered == ~np.isnan(absolute)).all()
    assert [one.number for one in found.patches] == [0, 1]
    for values, whole in zip(found.covered(), (signed, absolute), strict=True):
        assert values.tobytes() == whole[covered].tobytes()


def test_the_order_of_the_patches_does_not_change_a_bit() -> None:
    patches = patch_grid(np.ones(SHAPE, bool), (1, 1, 1), patch_mm=(3, 3, 3), stride_mm=(1, 1, 1))
    deltas = np.resize([1e17, 1.0, -1e17], len(patches))  # of which a sum depends on the order
    there, back = SensitivityMap(SHAPE), SensitivityMap(SHAPE)
    for one, delta in zip(patches, deltas, strict=True):
        there.add(one, delta)
    for one, delta in zip(patches[::-1], deltas[::-1], strict=True):
        back.add(one, delta)
    assert there.signed().tobytes() == back.signed().tobytes()
    assert there.absolute().tobytes() == back.absolute().tobytes()


@pytest.mark.parametrize(
    ("wrong", "delta", "words"),
    [
        (patch(0, (0, 1), (0, 1), (0, 1)), 1.0, "already"),
        (patch(7, (0, 1), (0, 1), (0, 1)), float("nan"), "nan"),
        (patch(7, (3, 5), (0, 1), (0, 1)), 1.0, "outside"),
    ],
)
def test_what_is_no_change_of_this_map_is_refused(wrong: Patch, delta: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        two_overlapping().add(wrong, delta)


@pytest.mark.parametrize("untrained", [True, False])
def test_the_files_lie_on_the_grid_and_say_what_they_are(tmp_path: Path, untrained: bool) -> None:
    grid = Grid(SHAPE, (3.0, 2.0, 1.5), (-10.0, 5.0, 7.5))
    files = write_map(two_overlapping(), grid, tmp_path / "maps", "patient_0003", untrained=untrained)
    assert [files.signed.name, files.absolute.name] == [
        "patient_0003_signed.nii.gz",
        "patient_0003_absolute.nii.gz",
    ]
    read = sitk.ReadImage(str(files.signed))
    assert grid_of(read).matches(grid)
    on_disk = np.frombuffer(gzip.decompress(files.signed.read_bytes())[352:], np.float32).reshape(SHAPE)
    np.testing.assert_array_equal(on_disk, two_overlapping().signed())  # ITK would read NaN as 0
    said = read.GetMetaData("descrip")
    assert said.endswith("log-risk occluded minus baseline; < 0: patch raised the risk")
    assert ("UNTRAINED" in said) is untrained
    assert ("UNTRAINED" in sitk.ReadImage(str(files.absolute)).GetMetaData("descrip")) is untrained
    before = files.signed.read_bytes()
    write_map(two_overlapping(), grid, tmp_path / "maps", "patient_0003", untrained=untrained)
    assert files.signed.read_bytes() == before


def test_the_map_of_a_planted_lesion_has_its_maximum_in_it() -> None:
    """Risk is the sum of the lesion's voxels: what hides them changes it most, and nothing else changes it."""
    rng = np.random.default_rng(3)
    region = np.zeros((30, 20, 20), bool)
    region[2:28, 5:15, 5:15] = True
    lesion = np.zeros_like(region)
    lesion[18:22, 9:12, 10:13] = True
    voxels = rng.normal(1, 0.1, region.shape)
    voxels[lesion] = 8
    found = SensitivityMap(region.shape)
    for one in patch_grid(region, (4, 4, 4), patch_mm=(16, 16, 16), stride_mm=(8, 8, 8)):
        occluded = voxels.copy()
        occluded[one.box] = voxels.mean()
        found.add(one, float(occluded[lesion].sum() - voxels[lesion].sum()))
    absolute, signed = found.absolute(), found.signed()
    top = absolute == np.nanmax(absolute)
    assert (top & lesion).any()
    assert signed[lesion].max() < 0
    far = np.ones_like(region)
    far[14:26, 5:16, 6:17] = False
    assert np.nanmax(absolute[far]) == 0
