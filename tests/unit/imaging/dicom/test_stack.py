"""Slices to a grid: where ITK puts them too, or a refusal that names the defect and its size."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import REMOVED, write_ct, write_pet

from engram.errors import ImagingError
from engram.imaging.dicom.dump import walk
from engram.imaging.dicom.stack import Stack, build_stack

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"
COSINES = [
    (*row, *column)
    for row, column in permutations([tuple(sign * axis) for axis in np.eye(3) for sign in (1, -1)], 2)
    if not np.any(np.array(row) * np.array(column))
]


def stack_of(folder: Path) -> Stack:
    (series,) = walk(folder, workers=0).series
    return build_stack(series, patient_id="P01")


def refusal_of(folder: Path) -> ImagingError:
    with pytest.raises(ImagingError) as caught:
        stack_of(folder)
    assert (caught.value.patient_id, bool(caught.value.mend)) == ("P01", True)
    assert Path(caught.value.file or "").exists()
    return caught.value


def places(*along_mm: float, x: tuple[float, ...] = (), **more: Any) -> dict[str, Any]:
    """Slices at these places along z, and, where given, along x."""
    aside = x or (0.0,) * len(along_mm)
    positions = [[place, 0.0, along] for place, along in zip(aside, along_mm, strict=True)]
    each = {i: {"ImagePositionPatient": position} for i, position in enumerate(positions)}
    return {"count": len(along_mm), "each": each.__getitem__, **more}


def itk_of(stack: Stack) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(one.path) for one in stack.slices])
    return reader.Execute()


@pytest.mark.parametrize("orientation", [*COSINES, (0.8, 0.6, 0.0, -0.6, 0.8, 0.0), (1, 0, 0, 0, 0.96, -0.28)])
def test_the_grid_is_where_itk_has_it(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    write_ct(tmp_path, 4, orientation=orientation, gap_mm=1.5, each=lambda i: {"InstanceNumber": 9 - i})
    stack = stack_of(tmp_path)
    image = itk_of(stack)
    assert stack.grid.shape == image.GetSize()[::-1] == (4, 4, 5)
    assert stack.grid.spacing_mm == pytest.approx(image.GetSpacing()[::-1], abs=1e-9)
    assert stack.grid.origin_mm == pytest.approx(image.GetOrigin(), abs=1e-9)
    assert stack.grid.direction == pytest.approx(image.GetDirection(), abs=1e-9)
    assert "-0.0" not in str(stack.grid.direction)
    assert [one.path.name for one in stack.slices] == ["0001.dcm", "0002.dcm", "0003.dcm", "0004.dcm"]


def test_an_even_stack_has_nothing_to_note(tmp_path: Path) -> None:
    write_ct(tmp_path, 6, gap_mm=2.5)
    stack = stack_of(tmp_path)
    assert (stack.notes, stack.largest_shift_mm) == ((), pytest.approx(0.0, abs=1e-9))
    np.testing.assert_allclose(stack.gaps_mm, 2.5)


@pytest.mark.parametrize("header", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows"])
def test_a_slice_without_a_place(tmp_path: Path, header: str) -> None:
    write_ct(tmp_path, 4, each=lambda i: {header: REMOVED} if i == 2 else {})
    error = refusal_of(tmp_path)
    assert error.reason == "CT slice has no place"
    assert Path(error.file or "").name == "0003.dcm"
    assert "missing or unreadable" in (error.value or "")


@pytest.mark.parametrize(
    ("header", "other", "reason"),
    [
        ("PixelSpacing", [2.0, 2.51], "CT has mixed pixel spacings"),
        ("ImageOrientationPatient", [0, 1, 0, 0, 0, 1], "CT has mixed orientations"),
        ("ImageOrientationPatient", [1, 0, 0, 0, 0.9999, 0.0141], "CT has mixed orientations"),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "CT has an impossible orientation"),
        ("ImageOrientationPatient", [2, 0, 0, 0, 2, 0], "CT has an impossible orientation"),
        ("PixelSpacing", [0.002, 0.0025], "CT has an impossible voxel size"),
        ("PixelSpacing", [0, 0], "CT has an impossible voxel size"),
        ("PixelSpacing", [-2.0, 2.5], "CT has an impossible voxel size"),
        ("Rows", 3, "CT has mixed image sizes"),
    ],
)
def test_one_slice_unlike_the_others(tmp_path: Path, header: str, other: object, reason: str) -> None:
    write_ct(tmp_path, 4, each=lambda i: {header: other} if i == 1 else {})
    error = refusal_of(tmp_path)
    assert error.reason == reason
    assert Path(error.file or "").name == "0002.dcm"


def test_rounded_cosines_are_one_orientation(tmp_path: Path) -> None:
    write_ct(tmp_path, 4, each=lambda i: {"ImageOrientationPatient": [1, -0.0, 0, 0, 1, 1e-5 * i]})
    assert stack_of(tmp_path).grid.shape == (4, 4, 5)


def test_a_single_slice(tmp_path: Path) -> None:
    write_ct(tmp_path, 1)
    assert refusal_of(tmp_path).reason == "CT is a single slice"


def test_a_series_without_slices(tmp_path: Path) -> None:
    write_ct(tmp_path, 2, NumberOfFrames=2)
    assert refusal_of(tmp_path).reason == "CT is a single slice"


def test_several_time_frames(tmp_path: Path) -> None:
    write_pet(tmp_path, **places(*[0, 3, 6] * 4))
    error = refusal_of(tmp_path)
    assert error.reason == "PET has several images at one place"
    assert error.value == "4 images at each of 3 places"
    assert "dynamic" in error.mend


def test_all_at_one_place(tmp_path: Path) -> None:
    write_ct(tmp_path, **places(5, 5, 5))
    assert refusal_of(tmp_path).value == "3 images at each of 1 places"


def test_some_places_twice(tmp_path: Path) -> None:
    write_ct(tmp_path, **places(0, 3, 6, 6.004, 9, 9, 12))
    error = refusal_of(tmp_path)
    assert error.reason == "CT has several images at one place"
    assert error.value == "at 2 of 5 places, the first at 6.00 mm (along the normal)"


def test_missing_slices(tmp_path: Path) -> None:
    write_ct(tmp_path, **places(*[z for z in np.arange(-60.0, 60.0, 3.0) if z not in (-30, -27, 9)]))
    error = refusal_of(tmp_path)
    assert error.reason == "CT slices are missing"
    assert error.value == (
        "3 in 2 place(s), the first after the slice at -33.00 mm (along the normal): 9.00 mm to the next, "
        "usually 3.00 mm"
    )
    assert Path(error.file or "").name == "0010.dcm"


@pytest.mark.parametrize("index", [1, 2, 10, 18])
def test_one_missing_slice_is_seen_wherever_it_is(tmp_path: Path, index: int) -> None:
    write_ct(tmp_path, **places(*[3.27 * i for i in range(20) if i != index]))
    assert refusal_of(tmp_path).reason == "CT slices are missing"


def test_small_unequal_gaps_are_noted(tmp_path: Path) -> None:
    write_ct(tmp_path, **places(0, 3.27, 6.54, 9.83, 13.1, 16.29, 19.56))
    stack = stack_of(tmp_path)
    assert stack.grid.spacing_mm[0] == pytest.approx(3.26)
    assert stack.largest_shift_mm == pytest.approx(0.06)
    (note,) = stack.notes
    assert note == (
        "gaps of 3.27 mm (4), 3.29 mm (1), 3.19 mm (1); on a grid of their mean, 3.2600 mm, "
        "no slice is more than 0.06 mm from its place"
    )


@pytest.mark.parametrize("gaps", [[3.0] * 10 + [4.0] * 10, [6.0] * 10 + [6.4] * 10, [3, 3, 5.0, 3, 3]])
def test_unequal_gaps_that_no_grid_holds(tmp_path: Path, gaps: list[float]) -> None:
    write_ct(tmp_path, **places(*np.cumsum([0.0, *gaps])))
    error = refusal_of(tmp_path)
    assert error.reason == "CT slices are unequally spaced"
    assert "at most" in (error.value or "")
    assert "gaps of" in (error.value or "")


def test_the_limit_is_a_quarter_of_a_gap(tmp_path: Path) -> None:
    write_ct(tmp_path / "in", **places(0, 2, 4.49, 6, 8))
    assert stack_of(tmp_path / "in").largest_shift_mm == pytest.approx(0.49)
    write_ct(tmp_path / "out", **places(0, 2, 4.51, 6, 8))
    assert refusal_of(tmp_path / "out").reason == "CT slices are unequally spaced"


def test_the_limit_is_never_over_a_millimetre(tmp_path: Path) -> None:
    write_ct(tmp_path / "in", **places(0, 10, 20.99, 30, 40))
    assert stack_of(tmp_path / "in").largest_shift_mm == pytest.approx(0.99)
    write_ct(tmp_path / "out", **places(0, 10, 21.01, 30, 40))
    assert refusal_of(tmp_path / "out").reason == "CT slices are unequally spaced"


def test_overlapping_acquisitions(tmp_path: Path) -> None:
    write_ct(tmp_path, **places(*np.arange(0, 60, 3.0), *np.arange(40.0, 100, 3.0)))
    error = refusal_of(tmp_path)
    assert error.reason == "CT holds several acquisitions"
    assert "goes back 1 time(s)" in (error.value or "")


def test_any_order_of_instance_numbers_is_good(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).permutation(12)
    write_ct(tmp_path, 12, each=lambda i: {"InstanceNumber": int(numbers[i])})
    assert stack_of(tmp_path).notes == ()


def test_instance_numbers_that_lack_some_are_noted(tmp_path: Path) -> None:
    write_ct(tmp_path, 6, each=lambda i: {"InstanceNumber": 2 * i})
    assert stack_of(tmp_path).notes == ("5 instance numbers between the first and the last are not there",)


def test_gantry_tilt(tmp_path: Path) -> None:
    tilted = np.arange(10) * 3.0 * np.tan(np.radians(12.0))
    write_ct(tmp_path, **places(*np.arange(0, 30, 3.0), x=tuple(tilted)))
    error = refusal_of(tmp_path)
    assert error.reason == "CT slices are tilted against their stack (gantry tilt)"
    assert error.value == "12.00 degrees, 5.7 mm over the stack, at most 0.5 degrees"


def test_a_small_tilt_of_a_long_stack_is_too_much(tmp_path: Path) -> None:
    z = np.arange(0, 300, 3.0)
    write_ct(tmp_path, **places(*z, x=tuple(z * np.tan(np.radians(0.4)))))
    error = refusal_of(tmp_path)
    assert error.reason == "CT slices are shifted sideways"
    assert (error.value or "").startswith("2.07 mm off its place")


def test_one_slice_aside(tmp_path: Path) -> None:
    write_ct(tmp_path, **places(0, 3, 6, 9, 12, x=(0, 0, 1.5, 0, 0)))
    error = refusal_of(tmp_path)
    assert (error.reason, Path(error.file or "").name) == ("CT slices are shifted sideways", "0003.dcm")


@pytest.mark.parametrize("gap", [0.02, 80.0])
def test_an_impossible_gap(tmp_path: Path, gap: float) -> None:
    write_ct(tmp_path, 4, gap_mm=gap)
    assert refusal_of(tmp_path).reason == "CT has an impossible voxel size"


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_bed_positions_of_a_real_pet() -> None:
    stack = stack_of(SHARED / "sts_raw_pet_dicom" / "STS_001" / "PET")
    assert stack.grid.shape == (267, 128, 128)
    assert stack.grid.spacing_mm == pytest.approx((3.27, 4.6875, 4.6875), abs=1e-6)
    assert stack.grid.origin_mm == (-297.65625, -297.65625, -881.3)
    assert stack.largest_shift_mm < 0.05
    assert stack.notes[0].startswith("gaps of 3.27 mm (261), 3.29 mm (4), 3.19 mm (1); on a grid")


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize("modality", ["CT", "PET"])
def test_a_real_stack_is_where_itk_has_it(modality: str) -> None:
    stack = stack_of(SHARED / "sts_dicom" / "STS_002" / modality)
    image = itk_of(stack)
    assert stack.grid.spacing_mm == pytest.approx(image.GetSpacing()[::-1], abs=1e-9)
    assert (stack.grid.origin_mm, stack.grid.direction) == (image.GetOrigin(), image.GetDirection())
    assert stack.notes == ()


def test_all_orientations_are_there() -> None:
    assert len({tuple(cosines) for cosines in COSINES}) == 24 == len(list(product(range(6), range(4))))
