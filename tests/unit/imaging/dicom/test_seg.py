"""DICOM Segmentations: what is written comes back; what is on other voxels is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_files import REMOVED, uid, write_ct, write_pet
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_files import SHARED, stack_at

from engram.errors import ImagingError, StorageError
from engram.imaging.dicom.dump import walk
from engram.imaging.dicom.seg import read_segments
from engram.imaging.dicom.seg_write import MadeBy, write_seg
from engram.imaging.dicom.series import Series
from engram.imaging.dicom.stack import Stack, build_stack

BY = MadeBy("automatic", "TotalSegmentator 2.4.0")
SHAPE = (5, 4, 5)


def _scan(folder) -> tuple[Series, Stack]:
    (series,) = walk(folder, workers=0).series
    return series, build_stack(series, patient_id="P01")


@pytest.fixture
def scan(tmp_path):
    write_ct(tmp_path / "ct")
    return _scan(tmp_path / "ct")


def _masks(shape=SHAPE, seed=0):
    """Two that overlap, with an empty slice, and one of a single voxel."""
    chance = np.random.default_rng(seed)
    masks = {"spine_dilated": chance.random(shape) > 0.4, "skeleton": chance.random(shape) > 0.4}
    masks["spine_dilated"][1] = False
    masks["Läsion 1"] = np.zeros(shape, dtype=bool)
    masks["Läsion 1"][2, 1, 3] = True
    return masks


def _write(masks, scan, path, **options):
    return write_seg(masks, *scan, path, **{"made_by": BY, "patient_id": "P01", **options})


def _assert_same(found, masks):
    assert list(found) == list(masks)
    for name, mask in masks.items():
        np.testing.assert_array_equal(found[name], mask)
        assert found[name].dtype == np.bool_


def _refusal(path, stack) -> str:
    with pytest.raises(ImagingError) as refused:
        read_segments(path, stack, patient_id="P01")
    assert str(path) in str(refused.value)
    assert "P01" in str(refused.value)
    return str(refused.value)


def test_masks_come_back_as_they_were(tmp_path, scan):
    masks = _masks()
    assert (masks["spine_dilated"] & masks["skeleton"]).any()
    path = _write(masks, scan, tmp_path / "new" / "seg.dcm")
    _assert_same(read_segments(path, scan[1], patient_id="P01"), masks)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
def test_masks_of_any_size_come_back(tmp_path_factory, seed, rows, columns, count):
    """Frames of one bit a pixel begin anywhere in a byte."""
    folder = tmp_path_factory.mktemp("seg")
    chance = np.random.default_rng(seed)
    write_ct(folder / "ct", 3, pixels=np.zeros((3, rows, columns), dtype=np.int16))
    scan = _scan(folder / "ct")
    masks = {f"m{n}": chance.random((3, rows, columns)) > 0.5 for n in range(count)}
    for mask in masks.values():
        mask[chance.integers(3), chance.integers(rows), chance.integers(columns)] = True
    _assert_same(read_segments(_write(masks, scan, folder / "seg.dcm"), scan[1], patient_id=""), masks)


def test_masks_come_back_in_every_orientation_and_order_of_files(tmp_path):
    masks = _masks()
    for n, (order, signs) in enumerate(product(permutations(range(3), 2), product([1, -1], repeat=2))):
        axes = np.zeros((2, 3))
        axes[range(2), order] = signs
        folder = tmp_path / str(n)
        write_ct(folder, orientation=tuple(axes.ravel()), each=lambda i: {"InstanceNumber": 5 - i})
        scan = _scan(folder)
        _assert_same(read_segments(_write(masks, scan, folder / "seg.dcm"), scan[1], patient_id=""), masks)


def test_masks_come_back_on_oblique_slices_with_unequal_gaps(tmp_path):
    turn = np.radians(12.0)
    row, column = (np.cos(turn), np.sin(turn), 0.0), (-np.sin(turn), np.cos(turn), 0.0)
    places = [0.0, 3.27, 6.54, 9.83, 13.02]
    write_pet(
        tmp_path / "pet",
        orientation=(*row, *column),
        each=lambda i: {"ImagePositionPatient": [1.5, -2.25, round(places[i], 2)]},
    )
    scan = _scan(tmp_path / "pet")
    assert len(set(np.round(scan[1].gaps_mm, 3))) > 1
    masks = _masks()
    _assert_same(read_segments(_write(masks, scan, tmp_path / "seg.dcm"), scan[1], patient_id=""), masks)


def test_the_same_masks_give_the_same_file_and_others_other_uids(tmp_path, scan):
    first = _write(_masks(), scan, tmp_path / "a.dcm").read_bytes()
    assert _write(_masks(), scan, tmp_path / "b.dcm").read_bytes() == first
    found = {
        str(pydicom.dcmread(path).SOPInstanceUID)
        for path in (
            tmp_path / "a.dcm",
            _write(_masks(seed=1), scan, tmp_path / "c.dcm"),
            _write(_masks(), scan, tmp_path / "d.dcm", made_by=MadeBy("manual")),
            _write(dict(reversed(_masks().items())), scan, tmp_path / "e.dcm"),
        )
    }
    assert len(found) == 4


def test_what_the_file_says_of_patient_dates_and_segments(tmp_path):
    write_ct(
        tmp_path / "ct", PatientName="Müller^Zoë", SpecificCharacterSet="ISO_IR 100", StudyID="longer than SH is"
    )
    scan = _scan(tmp_path / "ct")
    path = _write(_masks(), scan, tmp_path / "seg.dcm", description="Regions of the CT")
    made = pydicom.dcmread(path)
    source = pydicom.dcmread(scan[1].slices[0].path)
    for keyword in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "StudyDate"):
        assert made.get(keyword) == source.get(keyword)
    assert str(made.PatientName) == "Müller^Zoë"
    assert (made.ContentDate, made.ContentTime) == (source.SeriesDate, source.SeriesTime)
    assert (made.SeriesDescription, made.Manufacturer) == ("Regions of the CT", "Engram")
    assert "InstanceCreationDate" not in made
    assert made.SegmentsOverlap == "YES"
    spine, skeleton, unknown = made.SegmentSequence
    assert (spine.SegmentAlgorithmType, spine.SegmentAlgorithmName) == ("AUTOMATIC", BY.algorithm)
    types = [one.SegmentedPropertyTypeCodeSequence[0] for one in (spine, skeleton, unknown)]
    assert [(one.CodeValue, one.CodeMeaning) for one in types] == [
        ("421060004", "Spine"),
        ("3138006", "Bone"),
        ("85756007", "Tissue"),
    ]
    assert unknown.SegmentLabel == "Läsion 1"
    assert highdicom.seg.segread(path).number_of_segments == 3


def test_masks_that_do_not_overlap_are_said_not_to(tmp_path, scan):
    mask = _masks()["skeleton"]
    made = pydicom.dcmread(_write({"a": mask, "b": ~mask}, scan, tmp_path / "seg.dcm"))
    assert made.SegmentsOverlap == "NO"


def test_another_reader_finds_the_same_voxels(tmp_path, scan):
    masks = _masks()
    read = highdicom.seg.segread(_write(masks, scan, tmp_path / "seg.dcm"))
    images = [one.sop_instance_uid for one in scan[1].slices]
    found = read.get_pixels_by_source_instance(images, assert_missing_frames_are_empty=True)
    for n, mask in enumerate(masks.values()):
        np.testing.assert_array_equal(found[..., n] == 1, mask)


def test_manual_segments_name_no_algorithm(tmp_path, scan):
    made = pydicom.dcmread(_write(_masks(), scan, tmp_path / "seg.dcm", made_by=MadeBy("manual")))
    assert made.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"
    assert "SegmentAlgorithmName" not in made.SegmentSequence[0]
    for wrong in (("manual", "a tool"), ("automatic", " "), ("semiautomatic", "")):
        with pytest.raises(ValueError, match="name"):
            MadeBy(*wrong)


def test_headers_that_may_be_empty_may_be_absent(tmp_path):
    gone = ("PatientID", "PatientName", "StudyDate", "StudyTime", "SeriesDate", "SeriesTime")
    write_ct(tmp_path / "ct", **dict.fromkeys(gone, REMOVED))
    scan = _scan(tmp_path / "ct")
    path = _write(_masks(), scan, tmp_path / "seg.dcm")
    assert pydicom.dcmread(path).ContentDate == ""
    _assert_same(read_segments(path, scan[1], patient_id=""), _masks())


def test_what_cannot_be_written_is_refused(tmp_path, scan):
    empty = {"spine": np.zeros(SHAPE, dtype=bool)}
    with pytest.raises(ImagingError, match=r"mask is empty \(value: 'spine', 0 voxels\)"):
        _write(empty, scan, tmp_path / "seg.dcm")
    full = np.ones(SHAPE, dtype=bool)
    for name in ("", " a", "a\\b", "x" * 65):
        with pytest.raises(ImagingError, match="name of a mask is no label"):
            _write({name: full}, scan, tmp_path / "seg.dcm")
    with pytest.raises(ValueError, match="is not on a stack"):
        _write({"a": full[1:]}, scan, tmp_path / "seg.dcm")
    with pytest.raises(StorageError, match="could not be written"):
        _write({"a": full}, scan, scan[1].slices[0].path / "seg.dcm")
    assert not (tmp_path / "seg.dcm").exists()


def test_a_series_without_a_frame_of_reference_carries_none(tmp_path):
    write_ct(tmp_path / "ct", FrameOfReferenceUID=REMOVED)
    with pytest.raises(ImagingError, match="series cannot carry a segmentation"):
        _write(_masks(), _scan(tmp_path / "ct"), tmp_path / "seg.dcm")


@pytest.mark.parametrize(
    ("rows", "columns"), [((1, 0, 0), (0, -1, 0)), ((0, 1, 0), (1, 0, 0)), ((-1, 0, 0), (0, 1, 0))]
)
def test_frames_with_turned_axes_are_the_same_voxels(tmp_path, scan, rows, columns):
    """As programs write them that go through NIfTI."""
    mask = _masks()["skeleton"]
    path = _write({"skeleton": mask}, scan, tmp_path / "seg.dcm")
    made = pydicom.dcmread(path)
    spacing = {0: 2.5, 1: 2.0}  # of x and y, in mm
    axes = np.array([rows, columns])
    swapped = bool(axes[0][1])
    corner = [0.0 if -1 in axes[:, 0] else -10.0, -14.0 if -1 in axes[:, 1] else -20.0]
    pixels = []
    for item in made.PerFrameFunctionalGroupsSequence:
        z = float(item.PlanePositionSequence[0].ImagePositionPatient[2])
        plane = mask[round((z + 30.0) / 3.0)]
        plane = plane[:, ::-1] if -1 in axes[:, 0] else plane
        plane = plane[::-1] if -1 in axes[:, 1] else plane
        pixels.append(plane.T if swapped else plane)
        item.PlanePositionSequence[0].ImagePositionPatient = [*corner, z]
    shared = made.SharedFunctionalGroupsSequence[0]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [float(x) for x in axes.ravel()]
    if swapped:
        shared.PixelMeasuresSequence[0].PixelSpacing = [spacing[0], spacing[1]]
    made.Rows, made.Columns = pixels[0].shape
    made.PixelData = np.packbits(np.stack(pixels).ravel(), bitorder="little").tobytes() + b"\0"
    made.save_as(path)
    np.testing.assert_array_equal(read_segments(path, scan[1], patient_id="")["skeleton"], mask)


def _moved(path, change):
    made = pydicom.dcmread(path)
    change(made)
    made.save_as(path)
    return path


def _shift(axis, mm):
    def change(made):
        for item in made.PerFrameFunctionalGroupsSequence:
            place = item.PlanePositionSequence[0].ImagePositionPatient
            place[axis] = float(place[axis]) + mm

    return change


def _measures(made, *spacing):
    made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = list(spacing)


@pytest.mark.parametrize(
    ("change", "value"),
    [
        (_shift(0, 0.3), "0.30 mm off the voxels"),
        (_shift(2, 1.0), "1.00 mm off the voxels"),
        (_shift(2, 300.0), "mm off the voxels"),
        (_shift(0, 2.5), "pixels beyond the images"),
        (lambda made: _measures(made, 4.0, 5.0), "voxels of another size or plane"),
        (lambda made: _measures(made, 2.1, 2.5), "0.30 mm off the voxels"),
        (
            lambda made: (
                made.SharedFunctionalGroupsSequence[0]
                .PlaneOrientationSequence[0]
                .__setattr__("ImageOrientationPatient", [1, 0, 0, 0, 0, -1])
            ),
            "voxels of another size or plane",
        ),
    ],
)
def test_segments_on_other_voxels_are_refused_naming_both(tmp_path, scan, change, value):
    path = _moved(_write({"skeleton": np.ones(SHAPE, dtype=bool)}, scan, tmp_path / "seg.dcm"), change)
    said = _refusal(path, scan[1])
    assert f"segmentation on another grid (value: skeleton: {value}" in said or value in said
    assert "frames of 5 x 4 pixels of" in said
    assert "the series has 5 x 4 x 5 voxels of 2.5 x 2 x 3 mm" in said


def test_a_shift_within_a_tenth_of_a_voxel_is_none(tmp_path, scan):
    path = _moved(_write(_masks(), scan, tmp_path / "seg.dcm"), _shift(0, 0.1))
    _assert_same(read_segments(path, scan[1], patient_id=""), _masks())


def test_frames_that_begin_beside_the_slices_first_pixel_are_put_where_they_lie(tmp_path, scan):
    """As of cropped frames: what is set must be in the slices, what is empty need not be."""
    mask = _masks()["skeleton"]
    mask[:, :, -1] = False
    path = _moved(_write({"skeleton": mask}, scan, tmp_path / "seg.dcm"), _shift(0, 2.5))
    np.testing.assert_array_equal(read_segments(path, scan[1], patient_id="")["skeleton"], np.roll(mask, 1, axis=2))


def test_segments_of_another_series_stay_with_it(tmp_path, scan):
    path = _write(_masks(), scan, tmp_path / "seg.dcm")
    assert "another grid" in _refusal(path, stack_at([0.0, 3.0, 6.0], rows=4, columns=5, spacing_mm=(2.0, 2.5)))


def _source_images(scan):
    return [pydicom.dcmread(one.path) for one in scan[1].slices]


def _by_highdicom(path, scan, pixels, kind, **options):
    for image in (sources := _source_images(scan)):
        for keyword in ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
            setattr(image, keyword, "")
        image.SliceThickness, image.PatientName = 3.0, "P01^"
    code = pydicom.sr.codedict.codes.SCT.Tissue
    described = [
        highdicom.seg.SegmentDescription(n, label, code, code, "MANUAL")
        for n, label in enumerate(options.pop("labels", ["lesion"]), start=1)
    ]
    made = highdicom.seg.Segmentation(
        sources, pixels, kind, described, uid("s"), 1, uid("i"), 1, "M", "M", "1", "1", **options
    )
    made.save_as(path)
    return path


def test_fractions_are_read_where_they_are_all_or_nothing(tmp_path, scan):
    mask = _masks()["skeleton"]
    path = _by_highdicom(tmp_path / "seg.dcm", scan, mask.astype(np.float32), "FRACTIONAL")
    np.testing.assert_array_equal(read_segments(path, scan[1], patient_id="")["lesion"], mask)
    half = np.where(mask, 0.5, 0.0).astype(np.float32)
    said = _refusal(_by_highdicom(tmp_path / "seg.dcm", scan, half, "FRACTIONAL"), scan[1])
    assert "fractions: 128 of 255, threshold them first" in said


def test_label_maps_are_read_and_equal_labels_told_apart(tmp_path, scan):
    labels = np.random.default_rng(0).integers(0, 4, SHAPE).astype(np.uint8)
    path = _by_highdicom(tmp_path / "seg.dcm", scan, labels, "LABELMAP", labels=["spine", "lesion", "lesion"])
    expected = {"spine": labels == 1, "lesion #2": labels == 2, "lesion #3": labels == 3}
    _assert_same(read_segments(path, scan[1], patient_id=""), expected)


def test_compressed_segments_are_read(tmp_path, scan):
    mask = _masks()["skeleton"]
    syntax = pydicom.uid.RLELossless
    path = _by_highdicom(
        tmp_path / "seg.dcm", scan, mask.astype(np.float32), "FRACTIONAL", transfer_syntax_uid=syntax
    )
    np.testing.assert_array_equal(read_segments(path, scan[1], patient_id="")["lesion"], mask)


@pytest.mark.parametrize(
    ("spoil", "value"),
    [
        (lambda d: d.__setattr__("SOPClassUID", "1.2.3"), "SOP class 1.2.3 of type BINARY"),
        (lambda d: d.__setattr__("SegmentationType", "LABELMAP"), "of type LABELMAP"),
        (lambda d: d.__delattr__("SegmentSequence"), "SegmentSequence"),
        (lambda d: d.SegmentSequence[1].__setattr__("SegmentNumber", 1), "two segments of one number"),
        (lambda d: d.SegmentSequence[1].__setattr__("SegmentLabel", " "), "a segment without a label"),
        (lambda d: d.SegmentSequence[1].__setattr__("SegmentLabel", "a\0b"), "one that cannot be printed"),
        (lambda d: d.SegmentSequence.pop(), "segment 3 is not described"),
        (lambda d: d.__setattr__("NumberOfFrames", 3), "places for 3 frames"),
        (lambda d: d.__setattr__("Rows", 400), "bytes of pixels for"),
        (lambda d: d.__delattr__("PixelData"), "PixelData"),
        (
            lambda d: d.SharedFunctionalGroupsSequence[0].__delattr__("PixelMeasuresSequence"),
            "PixelMeasuresSequence",
        ),
        (
            lambda d: (
                d.PerFrameFunctionalGroupsSequence[1]
                .PlanePositionSequence[0]
                .__setattr__("ImagePositionPatient", [-10, -20, -30])
            ),
            "two frames of 'spine_dilated' on one slice",
        ),
        (
            lambda d: (
                d.PerFrameFunctionalGroupsSequence[1]
                .PlanePositionSequence[0]
                .__setattr__("ImagePositionPatient", [-10, -20])
            ),
            "2 numbers where 3 finite ones",
        ),
    ],
)
def test_malformed_segmentations_are_refused_by_name(tmp_path, scan, spoil, value):
    path = _moved(_write(_masks(), scan, tmp_path / "seg.dcm"), spoil)
    said = _refusal(path, scan[1])
    assert "segmentation unreadable" in said
    assert value in said


def test_a_file_cut_anywhere_is_refused(tmp_path, scan):
    path = _write(_masks(), scan, tmp_path / "seg.dcm")
    raw = path.read_bytes()
    for length in range(0, len(raw) - 2, 97):
        path.write_bytes(raw[:length])
        assert "segmentation unreadable" in _refusal(path, scan[1])
    assert "unreadable" in _refusal(tmp_path / "absent.dcm", scan[1])


@pytest.mark.skipif(not (SHARED / "sts_raw_pet_dicom").is_dir(), reason="needs ../shared/data/sts_raw_pet_dicom")
def test_masks_on_real_gappy_slices_come_back(tmp_path):
    series = next(one for one in walk(SHARED / "sts_raw_pet_dicom", workers=0).series if one.modality == "PT")
    scan = series, build_stack(series, patient_id="")
    masks = _masks(scan[1].grid.shape)
    for mask in masks.values():
        mask[40:220] = False  # the ends are where a uniform grid would be off
    masks["Läsion 1"][3, 100, 27] = True
    path = _write(masks, scan, tmp_path / "seg.dcm")
    _assert_same(read_segments(path, scan[1], patient_id=""), masks)
    assert replace(series, pet=None).uid == pydicom.dcmread(path).ReferencedSeriesSequence[0].SeriesInstanceUID
