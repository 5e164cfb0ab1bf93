"""Contours: what is inside, on which slice, and what is refused."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_files import REMOVED, dataset, uid
from mask_files import FRAME, SHARED, square, stack_at, write_structures
from pydicom.sequence import Sequence

from engram.errors import ImagingError
from engram.imaging.dicom.contours import rasterise
from engram.imaging.dicom.rtstruct import read_structures
from engram.imaging.dicom.series import ImageSlice
from engram.imaging.dicom.stack import Stack
from engram.imaging.volume import Grid, read_oriented

STACK = stack_at([0.0, 3.0, 6.0, 9.0])


def _region(tmp_path, loops, stack=STACK, **options):
    path = write_structures(tmp_path / "rs.dcm", {"lesion": loops}, **options)
    (roi,) = read_structures(path, patient_id="P01")
    return rasterise(roi, stack, patient_id="P01")


def _refusal(tmp_path, loops, stack=STACK, **options) -> str:
    with pytest.raises(ImagingError) as refused:
        _region(tmp_path, loops, stack, **options)
    assert "lesion: " in str(refused.value)
    return str(refused.value)


def test_pixel_centres_count(tmp_path):
    region = _region(tmp_path, [square(1.6, 4.4)])
    expected = np.zeros(STACK.grid.shape, dtype=bool)
    expected[0, 2:5, 2:5] = True
    np.testing.assert_array_equal(region.mask, expected)
    assert region.notes == ()


def test_rows_and_columns_have_their_own_spacing(tmp_path):
    stack = stack_at([0.0, 3.0], spacing_mm=(2.0, 1.0), origin_mm=(1.0, 0.0, 0.0))
    expected = np.zeros((12, 10), dtype=bool)
    expected[1:3, 1:4] = True  # y of 2 and 4 mm, x of 2, 3 and 4 mm
    np.testing.assert_array_equal(_region(tmp_path, [square(1.6, 4.4)], stack).mask[0], expected)


def test_centres_on_the_line_belong_to_the_region_on_every_side(tmp_path):
    assert _region(tmp_path, [square(2, 4)]).mask[0, 2:5, 2:5].all()
    assert _region(tmp_path, [square(2, 4)]).mask.sum() == 9
    triangle = [(2, 2, 0), (6, 2, 0), (2, 6, 0)]  # the sloped side goes through pixel centres, too
    assert _region(tmp_path, [triangle]).mask.sum() == 15


def test_a_point_on_a_pixel_centre_but_for_its_decimals_is_on_it(tmp_path):
    assert _region(tmp_path, [square(2.0004, 3.9996)]).mask.sum() == 9
    assert _region(tmp_path, [square(2.01, 3.99)]).mask.sum() == 1


def test_a_mask_traced_through_its_outermost_pixels_comes_back(tmp_path):
    """As OpenCV traces, also structures one pixel wide and single pixels."""
    line = [(3, 2, 0), (7, 2, 0)]
    expected = np.zeros((12, 10), dtype=bool)
    expected[2, 3:8] = expected[5, 5] = True
    np.testing.assert_array_equal(_region(tmp_path, [line, [(5, 5, 0)]]).mask[0], expected)


def test_a_keyhole_leaves_its_hole(tmp_path):
    outer, inner = square(0.5, 8.5), square(3.5, 6.5)
    keyhole = [*outer, outer[0], *reversed(inner), inner[-1]]
    ring = _region(tmp_path, [keyhole]).mask[0]
    assert ring.sum() == 64 - 9
    assert not ring[4:7, 4:7].any()


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_contours_inside_contours_are_holes_and_islands(tmp_path, kind):
    loops = [square(0.5, 8.5), square(2.5, 6.5), square(3.5, 5.5)]
    region = _region(tmp_path, loops, kind=kind)
    assert region.mask.sum() == 64 - 16 + 4
    said = ("contours inside another, read as holes: 2",)
    assert region.notes == (said if kind == "CLOSED_PLANAR" else ())


def test_islands_that_touch_are_joined(tmp_path):
    left, right = square(1, 4), [(4, 1, 0), (7, 1, 0), (7, 4, 0), (4, 4, 0)]
    region = _region(tmp_path, [left, right])
    assert region.mask.sum() == 4 * 7
    assert region.notes == ()


@pytest.mark.parametrize("second", [square(3.5, 6.5), square(1.5, 4.5)])
def test_contours_that_overlap_in_part_or_twice_are_refused(tmp_path, second):
    assert "contours of a slice overlap" in _refusal(tmp_path, [square(1.5, 4.5), second])
    assert _region(tmp_path, [square(1.5, 4.5), square(3.5, 6.5)], kind="CLOSEDPLANAR_XOR").mask.sum() == 16


def test_each_contour_goes_to_its_nearest_true_slice(tmp_path):
    """The last gap is another: a uniform grid of the mean gap would have slices elsewhere."""
    stack = stack_at([0.0, 2.0, 4.0, 12.0, 14.0])
    region = _region(tmp_path, [square(2, 4, 2.0), square(2, 4, 12.4)], stack)
    assert np.flatnonzero(region.mask.any(axis=(1, 2))).tolist() == [1, 3]
    assert "contours lie up to 0.40 mm off their slices" in region.notes
    assert "slices without a contour between the first and the last: 1" in region.notes


@pytest.mark.parametrize(
    ("z", "reason"),
    [
        (-1.6, "contours outside the slices"),
        (10.6, "contours outside the slices"),
        (1.5, "contours between the slices"),
        (0.9, "contours between the slices"),
        (1000.0, "contours outside the slices"),
    ],
)
def test_contours_beside_the_slices_are_refused(tmp_path, z, reason):
    assert reason in _refusal(tmp_path, [square(2, 4), square(2, 4, z)])


def test_a_contour_where_a_slice_is_missing_is_refused(tmp_path):
    stack = stack_at([0.0, 3.0, 9.0, 12.0])
    assert "contours between the slices (value: lesion: 2.90 mm" in _refusal(tmp_path, [square(2, 4, 5.9)], stack)


def test_contours_of_thinner_slices_are_refused(tmp_path):
    assert "contours closer together" in _refusal(tmp_path, [square(2, 4, 0.0), square(2, 5, 0.7)])


def test_a_contour_drawn_on_another_plane_is_refused(tmp_path):
    coronal = [(2, 3, 0), (6, 3, 0), (6, 3, 6), (2, 3, 6)]
    assert "contours not parallel to the slices" in _refusal(tmp_path, [coronal])


def test_a_contour_must_lie_in_the_slice_that_it_names(tmp_path):
    loops, own = [square(2, 4, 3.0)], [uid("slice", 1)]
    assert _region(tmp_path, loops, images=own).mask[1].any()
    assert _region(tmp_path, loops, images=[uid("slice of a cropped series")]).mask[1].any()
    assert "contours off the slices they name (value: lesion: 3.00 mm away)" in _refusal(
        tmp_path, loops, images=[uid("slice", 2)]
    )


@pytest.mark.parametrize("kind", ["POINT", "OPEN_PLANAR", "OPEN_NONPLANAR", ""])
def test_what_is_not_closed_is_no_region(tmp_path, kind):
    assert f"1 of 1 contours are {kind or 'of no type'}" in _refusal(tmp_path, [square(2, 4)], kind=kind)


def test_nothing_drawn_or_nothing_covered_is_refused(tmp_path):
    assert "structure has no contours" in _refusal(tmp_path, [])
    assert "structure covers no voxel" in _refusal(tmp_path, [square(2.2, 2.8)])
    assert "structure covers no voxel" in _refusal(tmp_path, [square(102.2, 104.8)])


def test_what_leaves_the_images_is_cut_there_and_said(tmp_path):
    region = _region(tmp_path, [square(-3.2, 2.2), square(5.2, 5.8)])
    assert region.mask.sum() == 9
    assert "contours that reach beyond the images and are cut there: 1" in region.notes
    assert "contours without a pixel centre: 1" in region.notes
    assert _region(tmp_path, [[(-1e300, -1e300, 0), (1e300, -1e300, 0), (0, 1e300, 0)]]).mask.any()


def test_every_orientation_of_the_slices_gives_the_same_voxels(tmp_path):
    """Every axis order and flip in which slices are axial, contours through pixel centres among them."""
    loops = [square(2, 5, 3.0), square(3.3, 6.2, 6.0), [(2, 2, 9), (6, 2, 9), (2, 6, 9)]]
    seen = set()
    for order, signs in product(permutations(range(3)), product([1, -1], repeat=3)):
        frame = np.zeros((3, 3))
        frame[range(3), order] = signs  # rows: directions of columns, rows and slices
        if abs(frame[2, 2]) < 1:
            continue  # slices that are not axial cannot hold axial contours
        if np.linalg.det(frame) < 0:
            continue  # the order of slices follows the right hand: the other half are these, reversed
        corner = np.where(frame.sum(axis=0) < 0, [11.0, 11.0, 12.0], 0.0)
        stack = stack_at(
            [0.0, 3.0, 6.0, 9.0, 12.0], rows=12, columns=12, orientation=tuple(frame[:2].ravel()), origin_mm=corner
        )
        mask = _region(tmp_path, loops, stack).mask
        index = np.argwhere(mask)[:, ::-1] * [1, 1, 3]
        world = index @ frame + corner
        seen.add(tuple(sorted(map(tuple, np.rint(world).astype(int)))))
    assert len(seen) == 1


def test_what_the_file_says(tmp_path):
    path = write_structures(tmp_path / "rs.dcm", {"GTV 1": [square(2, 4)], "empty": []}, images=["1.2.9"])
    found = read_structures(path, patient_id="P01")
    assert [(roi.name, roi.number, len(roi.polygons)) for roi in found] == [("GTV 1", 1, 1), ("empty", 2, 0)]
    assert found[0].frame_of_reference_uid == FRAME
    assert found[0].polygons[0].image_uid == "1.2.9"
    assert found[0].polygons[0].points_mm.tolist() == [[2, 2, 0], [4, 2, 0], [4, 4, 0], [2, 4, 0]]


@pytest.mark.parametrize(
    ("spoil", "value"),
    [
        (lambda d: d.ROIContourSequence[0].ContourSequence[0].__setattr__("ContourData", [1, 2]), "2 numbers"),
        (lambda d: d.ROIContourSequence[0].ContourSequence[0].__delattr__("ContourData"), "without Contour Data"),
        (
            lambda d: d.ROIContourSequence[0].ContourSequence[0].__setattr__("NumberOfContourPoints", 5),
            "12 numbers, where 5 points are stated",
        ),
        (lambda d: d.StructureSetROISequence[0].__setattr__("ROIName", "a\0b"), "ROI Name 'a"),
        (lambda d: d.ROIContourSequence[0].__setattr__("ReferencedROINumber", 7), "Number 7, which has no name"),
        (lambda d: d.StructureSetROISequence[0].__setattr__("ROIName", " "), "has no name"),
        (lambda d: d.StructureSetROISequence[1].__setattr__("ROINumber", 1), "two regions of one ROI Number"),
        (lambda d: d.__delattr__("ROIContourSequence"), "no ROI Contour Sequence"),
        (lambda d: d.__delattr__("StructureSetROISequence"), "no Structure Set ROI Sequence"),
        (lambda d: d.__setattr__("SOPClassUID", "1.2.3"), "SOP class 1.2.3"),
    ],
)
def test_malformed_structure_sets_are_refused_by_name(tmp_path, spoil, value):
    path = write_structures(tmp_path / "rs.dcm", {"a": [square(2, 4)], "b": [square(2, 4)]})
    damaged = pydicom.dcmread(path)
    spoil(damaged)
    damaged.save_as(path)
    with pytest.raises(ImagingError, match="structure set unreadable") as refused:
        read_structures(path, patient_id="P01")
    assert value in str(refused.value)
    assert "P01" in str(refused.value)
    assert str(path) in str(refused.value)


def test_odd_coordinates_are_refused(tmp_path):
    path = write_structures(tmp_path / "rs.dcm", {"a": [square(2, 4)]})
    raw = path.read_bytes()
    for text in (b"2.0\\nan", b"2.0\\1e9", b"2.0\\x.y"):
        path.write_bytes(raw.replace(b"2.0\\2.0", text.ljust(7), 1))
        if text == b"2.0\\1e9":
            assert read_structures(path, patient_id="P01")
            continue
        with pytest.raises(ImagingError, match="structure set unreadable"):
            read_structures(path, patient_id="P01")


def test_a_file_cut_anywhere_is_refused_or_whole(tmp_path):
    path = write_structures(tmp_path / "rs.dcm", {"a": [square(2, 4), square(2, 4, 3.0)], "b": [square(1, 6)]})
    raw = path.read_bytes()
    for length in range(0, len(raw), 7):
        path.write_bytes(raw[:length])
        with pytest.raises(ImagingError, match="structure set unreadable"):
            read_structures(path, patient_id="P01")
    with pytest.raises(ImagingError, match="unreadable"):
        read_structures(tmp_path / "absent.dcm", patient_id="P01")


def test_a_structure_set_without_one_frame_of_reference_has_none(tmp_path):
    two = Sequence([dataset({"FrameOfReferenceUID": "1.2.3"}), dataset({"FrameOfReferenceUID": "1.2.4"})])
    path = write_structures(
        tmp_path / "rs.dcm", {"a": [square(2, 4)]}, frame=None, ReferencedFrameOfReferenceSequence=two
    )
    assert read_structures(path, patient_id="P01")[0].frame_of_reference_uid is None
    path = write_structures(
        tmp_path / "rs.dcm", {"a": []}, frame=None, FrameOfReferenceUID="1.2.3", Modality=REMOVED
    )
    assert read_structures(path, patient_id="P01")[0].frame_of_reference_uid == "1.2.3"


def _real_stack(folder: Path) -> Stack:
    headers = []
    for path in folder.iterdir():
        header = pydicom.dcmread(path, stop_before_pixels=True)
        place = tuple(float(x) for x in header.ImagePositionPatient)
        headers.append((place[2], place, path, header))
    headers.sort(key=lambda one: one[0])
    slices = tuple(
        ImageSlice(path, str(header.SOPInstanceUID), position_mm=place) for _, place, path, header in headers
    )
    spacing = tuple(float(x) for x in headers[0][3].PixelSpacing)
    gaps = np.diff([one[0] for one in headers])
    shape = (len(slices), headers[0][3].Rows, headers[0][3].Columns)
    return Stack(slices, Grid(shape, (float(gaps.mean()), *spacing), slices[0].position_mm), gaps, 0.0)


def _real(name: str, *, voxels: int, stack: Stack, reference: Path, corner=(0, 0, 0), path: Path) -> None:
    found = read_structures(path, patient_id="")
    (roi,) = [roi for roi in found if roi.name == name]
    mask = rasterise(roi, stack, patient_id="").mask
    assert mask.sum() == voxels
    expected = read_oriented(reference, patient_id="", what="mask").voxels > 0
    window = tuple(slice(low, low + size) for low, size in zip(corner, expected.shape, strict=True))
    np.testing.assert_array_equal(mask[window], expected)


@pytest.mark.filterwarnings("ignore:The value length")
@pytest.mark.skipif(not (SHARED / "sts_dicom").is_dir(), reason="needs ../shared/data/sts_dicom")
@pytest.mark.parametrize(("what", "voxels"), [("CT", 17090), ("PET", 555)])
def test_real_contours_are_the_masks_of_the_same_patient(what, voxels):
    folder = SHARED / "sts_dicom" / "STS_002"
    _real(
        f"GTV_Mass_{what}",
        voxels=voxels,
        stack=_real_stack(folder / what),
        path=folder / f"{what}_RTSTRUCT" / "RS.dcm",
        reference=SHARED / "sts" / "STS_002" / f"{what}_mask.nii.gz",
    )


@pytest.mark.skipif(not (SHARED / "sts_raw_pet_dicom").is_dir(), reason="needs ../shared/data/sts_raw_pet_dicom")
def test_real_contours_with_gappy_slices_are_the_mask_of_the_same_patient():
    folder = SHARED / "sts_raw_pet_dicom" / "STS_001"
    reference = SHARED / "sts" / "STS_001" / "PET_mask.nii.gz"
    voxels = int(sitk.GetArrayFromImage(sitk.ReadImage(str(reference))).sum())
    _real(
        "GTV_Mass",
        voxels=voxels,
        stack=_real_stack(folder / "PET"),
        path=folder / "PET_RTSTRUCT" / "RS.dcm",
        reference=reference,
        corner=(0, 45, 59),
    )
