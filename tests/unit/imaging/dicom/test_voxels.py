"""Voxels: the known numbers of real scans, every way to store a pixel, and scales applied once."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
import SimpleITK as sitk
from dicom_files import REMOVED, save, write_ct, write_pet
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from engram.errors import ImagingError
from engram.imaging.dicom.body_axes import body_axes
from engram.imaging.dicom.dump import walk
from engram.imaging.dicom.stack import Stack, build_stack
from engram.imaging.dicom.voxels import read_ct, read_pet
from engram.imaging.volume import Grid, Volume, read_volume

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"
RLE, JPEG_LS, JPEG_2000 = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
JPEG_LOSSLESS, DEFLATED, IMPLICIT = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2"
Integers = npt.NDArray[np.integer[Any]]


def stack_of(folder: Path) -> Stack:
    (series,) = walk(folder, workers=0).series
    return build_stack(series, patient_id="P01")


def ct_of(folder: Path) -> Volume:
    return read_ct(stack_of(folder), patient_id="P01")


def pet_of(folder: Path, factor: float = 1.0) -> Volume:
    stack = stack_of(folder)
    return read_pet(stack, np.full(len(stack.slices), factor), patient_id="P01")


def refusal_of(read: Callable[[], Volume]) -> ImagingError:
    with pytest.raises(ImagingError) as caught:
        read()
    assert (caught.value.patient_id, bool(caught.value.mend)) == ("P01", True)
    assert caught.value.file
    return caught.value


def random_pixels(low: int, high: int, kind: str) -> Integers:
    pixels = np.random.default_rng(0).integers(low, high, (3, 16, 24), endpoint=True).astype(kind)
    pixels[0, 0, :2] = low, high
    return pixels


def rewrite(path: Path, change: Callable[[Dataset], object]) -> None:
    image = pydicom.dcmread(path)
    change(image)
    image.save_as(path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_a_real_ct_is_the_nifti_of_others_to_the_last_bit() -> None:
    read = ct_of(SHARED / "sts_dicom" / "STS_002" / "CT")
    known = read_volume(SHARED / "sts" / "STS_002" / "CT.nii.gz", patient_id="P01", what="CT")
    assert read.grid.matches(known.grid)
    np.testing.assert_array_equal(read.voxels, known.voxels)
    assert read.voxels.dtype == np.float32


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_a_real_pet_is_the_nifti_of_others() -> None:
    read = pet_of(SHARED / "sts_dicom" / "STS_002" / "PET")
    known = read_volume(SHARED / "sts" / "STS_002" / "PET.nii.gz", patient_id="P01", what="PET")
    assert read.grid.matches(known.grid)
    np.testing.assert_allclose(read.voxels, known.voxels, rtol=0, atol=3e-6)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_a_real_whole_body_pet_with_a_slope_in_every_slice() -> None:
    read = pet_of(SHARED / "sts_raw_pet_dicom" / "STS_001" / "PET", 0.000242902977)
    known = read_volume(SHARED / "sts" / "STS_001" / "PET.nii.gz", patient_id="P01", what="PET").voxels
    z, y, x = known.shape
    np.testing.assert_allclose(read.voxels[:z, 45 : 45 + y, 59 : 59 + x], known, rtol=0, atol=0.0008)
    assert read.voxels.max() == pytest.approx(66.52, abs=0.005)


def test_every_slice_of_a_ct_has_its_own_scale(tmp_path: Path) -> None:
    pixels = random_pixels(-50, 3000, "int16")
    write_ct(tmp_path, 3, pixels=pixels, each=lambda i: {"RescaleSlope": 1 + i, "RescaleIntercept": -1000 - i})
    expected = [p * (1.0 + i) - 1000 - i for i, p in enumerate(pixels)]
    np.testing.assert_array_equal(ct_of(tmp_path).voxels, np.float32(expected))


def test_every_slice_of_a_pet_has_its_own_scale(tmp_path: Path) -> None:
    pixels = random_pixels(-50, 3000, "int16")
    write_pet(tmp_path, 3, pixels=pixels, each=lambda i: {"RescaleSlope": 0.1 + i})
    stack = stack_of(tmp_path)
    read = read_pet(stack, np.array([1.0, 2.0, 4.0]), patient_id="P01")
    expected = [factor * (p * (0.1 + i)) for i, (p, factor) in enumerate(zip(pixels, (1, 2, 4), strict=True))]
    np.testing.assert_array_equal(read.voxels, np.float32(expected))
    assert read.voxels.min() < 0  # negative values of a reconstruction stay


@pytest.mark.parametrize("factors", [np.ones(2), np.ones((3, 1)), np.array([1, 1, 0.0]), np.array([1, np.nan, 1])])
def test_a_factor_for_every_slice(tmp_path: Path, factors: npt.NDArray[np.float64]) -> None:
    write_pet(tmp_path, 3)
    with pytest.raises(ValueError, match="3 slices need as many positive factors"):
        read_pet(stack_of(tmp_path), factors, patient_id="P01")


@pytest.mark.parametrize(
    ("low", "high", "kind", "bits"),
    [
        (0, 4095, "uint16", 12),
        (-2000, 2047, "int16", 12),
        (-32768, 32767, "int16", 16),
        (0, 41000, "uint16", 16),
        (0, 255, "uint8", 8),
        (-5000, 30000, "int32", 32),
    ],
)
def test_every_way_to_store_a_number(tmp_path: Path, low: int, high: int, kind: str, bits: int) -> None:
    pixels = random_pixels(low, high, kind)
    write_ct(tmp_path, 3, pixels=pixels, BitsStored=bits, HighBit=bits - 1)
    np.testing.assert_array_equal(ct_of(tmp_path).voxels, pixels.astype(np.float32) - 1024)


def test_a_sign_that_is_not_carried_on_is_read(tmp_path: Path) -> None:
    signed = random_pixels(-2000, 2047, "int16")
    write_ct(tmp_path, 3, pixels=signed & 0x0FFF, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(ct_of(tmp_path).voxels, signed.astype(np.float32) - 1024)


def test_bits_beyond_those_stored_are_refused_unless_they_are_an_overlay(tmp_path: Path) -> None:
    pixels = random_pixels(0, 4095, "uint16") | 0x1000
    paths = write_ct(tmp_path, 3, pixels=pixels, BitsStored=12, HighBit=11)
    error = refusal_of(lambda: ct_of(tmp_path))
    assert error.reason == "CT has impossible pixel headers"
    assert "12 bits" in (error.value or "")
    for path in paths:
        rewrite(path, lambda image: image.add_new(0x60000102, "US", 12))
    np.testing.assert_array_equal(ct_of(tmp_path).voxels, (pixels & 0x0FFF).astype(np.float32) - 1024)


def compress(path: Path, syntax: str, pixels: Integers) -> None:
    """The pixels of a file again, compressed without loss, by pydicom, Pillow or GDCM."""
    image = pydicom.dcmread(path)
    if syntax in (RLE, JPEG_LS):
        image.compress(syntax, generate_instance_uid=False)
    elif syntax == JPEG_2000:
        stream = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint16)).save(stream, "JPEG2000", irreversible=False, no_jp2=True)
        image.PixelData = encapsulate([stream.getvalue()])
    elif syntax == JPEG_LOSSLESS:
        writer, written = sitk.ImageFileWriter(), path.with_suffix(".made")
        writer.SetFileName(f"{written}.dcm")
        writer.SetUseCompression(True)
        writer.SetCompressor("JPEG")
        writer.Execute(sitk.GetImageFromArray(pixels[None]))
        made = pydicom.dcmread(f"{written}.dcm")
        Path(f"{written}.dcm").unlink()
        image.PixelData, syntax = made.PixelData, made.file_meta.TransferSyntaxUID
    if syntax in (JPEG_2000, JPEG_LOSSLESS):
        image["PixelData"].is_undefined_length = True
    image.file_meta.TransferSyntaxUID = UID(syntax)
    image.save_as(path)


@pytest.mark.parametrize("syntax", [IMPLICIT, DEFLATED, RLE, JPEG_LS, JPEG_2000, JPEG_LOSSLESS])
@pytest.mark.parametrize(
    ("low", "high", "kind", "bits"),
    [(0, 4095, "uint16", 12), (-2000, 3000, "int16", 16), (0, 65535, "uint16", 16)],
)
def test_compressed_pixels_and_their_scale_once(
    tmp_path: Path, syntax: str, low: int, high: int, kind: str, bits: int
) -> None:
    pixels = random_pixels(low, high, kind)
    headers = {"RescaleSlope": 0.5, "BitsStored": bits, "HighBit": bits - 1}
    paths = write_ct(
        tmp_path, 3, pixels=pixels, syntax=IMPLICIT if syntax == IMPLICIT else UID("1.2.840.10008.1.2.1"), **headers
    )
    for path, plane in zip(paths, pixels, strict=True):
        if syntax != IMPLICIT:
            compress(path, syntax, plane)
        assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(ct_of(tmp_path).voxels, pixels.astype(np.float32) * 0.5 - 1024)


def test_big_endian_pixels(tmp_path: Path) -> None:
    pixels = random_pixels(-2000, 3000, "int16")
    for index, path in enumerate(write_ct(tmp_path, 3, pixels=pixels)):
        image = pydicom.dcmread(path)
        image.PixelData = pixels[index].astype(">i2").tobytes()
        image.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.2")
        pydicom.dcmwrite(path, image, implicit_vr=False, little_endian=False, force_encoding=True)
    np.testing.assert_array_equal(ct_of(tmp_path).voxels, pixels.astype(np.float32) - 1024)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"LossyImageCompression": "01"}, "CT is lossily compressed"),
        ({"SamplesPerPixel": 3}, "CT has impossible pixel headers"),
        ({"SamplesPerPixel": REMOVED}, "CT has impossible pixel headers"),
        ({"BitsStored": 17}, "CT has impossible pixel headers"),
        ({"BitsStored": REMOVED}, "CT has impossible pixel headers"),
        ({"HighBit": 11}, "CT has impossible pixel headers"),
        ({"BitsAllocated": 12}, "CT has impossible pixel headers"),
        ({"PixelRepresentation": REMOVED}, "CT has impossible pixel headers"),
        ({"BitsAllocated": 32}, "CT pixels and their size contradict"),
        ({"Rows": 5}, "CT pixels and their size contradict"),
        ({"Columns": 4}, "CT pixels and their size contradict"),
        ({"RescaleSlope": REMOVED}, "CT has no valid scale"),
        ({"RescaleIntercept": REMOVED}, "CT has no valid scale"),
        ({"RescaleSlope": 0}, "CT has no valid scale"),
        ({"RescaleSlope": -1}, "CT has no valid scale"),
        ({"RescaleSlope": "1e6"}, "CT has impossible values"),
        ({"RescaleType": "ED"}, "CT is not in HU"),
    ],
)
def test_what_cannot_be_a_ct_in_hu(tmp_path: Path, headers: dict[str, object], reason: str) -> None:
    write_ct(tmp_path, 4, **headers)
    assert refusal_of(lambda: ct_of(tmp_path)).reason == reason


@pytest.mark.parametrize("kind", ["US", "HU", REMOVED])
def test_hu_need_not_be_named(tmp_path: Path, kind: object) -> None:
    write_ct(tmp_path, 3, RescaleType=kind)
    assert ct_of(tmp_path).voxels.min() == -1024


@pytest.mark.parametrize(
    ("header", "value"), [("RescaleSlope", REMOVED), ("RescaleIntercept", REMOVED), ("RescaleIntercept", 0.5)]
)
def test_a_pet_without_scale_is_refused_by_the_slice(tmp_path: Path, header: str, value: object) -> None:
    write_pet(tmp_path, 4, each=lambda i: {header: value} if i == 2 else {})
    error = refusal_of(lambda: pet_of(tmp_path))
    assert (error.reason, Path(error.file or "").name) == ("PET has no valid scale", "0003.dcm")
    assert "(0028,105" in (error.value or "")


def test_a_blank_scan(tmp_path: Path) -> None:
    write_ct(tmp_path, 3, pixels=np.full((3, 4, 5), 24, dtype=np.int16))
    assert refusal_of(lambda: ct_of(tmp_path)).reason == "CT is constant"


@pytest.mark.parametrize("slope", ["1e38", "1e308"])
def test_values_beyond_float32(tmp_path: Path, slope: str) -> None:
    write_pet(tmp_path, 3, each=lambda _: {"RescaleSlope": slope})
    assert refusal_of(lambda: pet_of(tmp_path, 1e3)).reason == "PET has impossible values"


def test_an_unknown_compression(tmp_path: Path) -> None:
    for path in write_ct(tmp_path, 3):
        image = pydicom.dcmread(path)
        image.PixelData = encapsulate([b"\xff\xd8 a JPEG"])
        image.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.50")
        image.save_as(path)
    error = refusal_of(lambda: ct_of(tmp_path))
    assert error.reason == "CT is compressed in a way that is not read"
    assert "JPEG Baseline" in (error.value or "")


@pytest.mark.parametrize("syntax", [RLE, JPEG_LS, JPEG_2000])
def test_damaged_compressed_pixels(tmp_path: Path, syntax: str) -> None:
    pixels = random_pixels(0, 4000, "uint16")
    paths = write_ct(tmp_path, 3, pixels=pixels)
    for path, plane in zip(paths, pixels, strict=True):
        compress(path, syntax, plane)
    content = pydicom.dcmread(paths[1]).PixelData
    rewrite(paths[1], lambda image: setattr(image, "PixelData", encapsulate([content[20:60]])))
    error = refusal_of(lambda: ct_of(tmp_path))
    assert (error.reason, Path(error.file or "").name) == ("CT pixels unreadable", "0002.dcm")


def test_a_file_that_changed_since_its_header_was_read(tmp_path: Path) -> None:
    paths = write_ct(tmp_path, 3)
    stack = stack_of(tmp_path)
    rewrite(paths[1], lambda image: setattr(image, "SOPInstanceUID", UID("1.2.3")))
    assert refusal_of(lambda: read_ct(stack, patient_id="P01")).reason == "CT file has changed"
    paths[1].unlink()
    assert refusal_of(lambda: read_ct(stack, patient_id="P01")).reason == "CT pixels unreadable"


@pytest.mark.parametrize(
    ("padding", "limit", "expected"),
    [
        (-2000, REMOVED, [-1024, -2999, -924, 0]),  # far below air: nothing was measured there
        (63536, REMOVED, [-1024, -2999, -924, 0]),  # the same number, written as unsigned
        (-2000, -1975, [-1024, -1024, -924, 0]),
        (-1975, -2000, [-1024, -1024, -924, 0]),
        (100, REMOVED, [-3024, -2999, -924, 0]),  # lung, whatever the header calls it
        (1024, REMOVED, [-3024, -2999, -924, 0]),  # water
        (REMOVED, REMOVED, [-3024, -2999, -924, 0]),
    ],
)
def test_padding_becomes_air_and_tissue_never(
    tmp_path: Path, padding: object, limit: object, expected: list[float]
) -> None:
    pixels = np.tile(np.array([-2000, -1975, 100, 1024], dtype=np.int16), (3, 2, 1))
    ends = {"PixelPaddingValue": padding, "PixelPaddingRangeLimit": limit}
    odd = {keyword: value for keyword, value in ends.items() if value is not REMOVED}
    for path in write_ct(tmp_path, 3, pixels=pixels):
        rewrite(path, lambda image: image.update(_as_unsigned(odd)))
    assert ct_of(tmp_path).voxels[0, 0].tolist() == expected


def _as_unsigned(headers: dict[str, Any]) -> Dataset:
    tags = {"PixelPaddingValue": 0x00280120, "PixelPaddingRangeLimit": 0x00280121}
    made = Dataset()
    for keyword, value in headers.items():
        made.add_new(tags[keyword], "US" if value > 32767 else "SS", value)
    return made


def test_padding_of_a_pet_is_nothing(tmp_path: Path) -> None:
    pixels = np.tile(np.array([-32768, -3, 0, 5], dtype=np.int16), (3, 2, 1))
    write_pet(tmp_path, 3, pixels=pixels, PixelPaddingValue=-32768, each=lambda _: {"RescaleSlope": 1})
    assert pet_of(tmp_path).voxels[0, 0].tolist() == [0, -3, 0, 5]


COSINES = [
    (1, 0, 0, 0, 1, 0),
    (1, 0, 0, 0, -1, 0),
    (-1, 0, 0, 0, 1, 0),
    (0, 1, 0, 1, 0, 0),
    (1, 0, 0, 0, 0, -1),
    (0, 0, 1, 0, -1, 0),
    (0, 1, 0, 0, 0, -1),
    (0.96, 0.28, 0, -0.28, 0.96, 0),
]


@pytest.mark.parametrize("orientation", COSINES)
def test_axes_are_those_of_the_body_as_itk_turns_them(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    pixels = random_pixels(0, 3000, "int16")
    write_ct(tmp_path, 3, pixels=pixels, orientation=orientation, PixelSpacing=[2.0, 2.5])
    stack = stack_of(tmp_path)
    read = read_ct(stack, patient_id="P01")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(one.path) for one in stack.slices])
    known = sitk.DICOMOrient(reader.Execute(), "LPS")
    np.testing.assert_array_equal(read.voxels, sitk.GetArrayFromImage(known))
    assert read.grid.spacing_mm == pytest.approx(known.GetSpacing()[::-1])
    assert read.grid.origin_mm == pytest.approx(known.GetOrigin())
    assert read.grid.direction == pytest.approx(known.GetDirection())


def test_turned_and_back_is_the_same_memory() -> None:
    grid = Grid((2, 3, 4), (3.0, 1.0, 2.0), (5.0, 6.0, 7.0), (0, 0, -1, 1, 0, 0, 0, -1, 0))
    axes = body_axes(grid, patient_id="P01", what="CT", file="")
    stored = np.arange(24).reshape(2, 3, 4)
    turned = axes.turned(stored)
    assert turned.shape == axes.grid.shape
    np.testing.assert_array_equal(axes.as_stored(turned), stored)
    assert np.shares_memory(turned, stored)
    assert body_axes(axes.grid, patient_id="P01", what="CT", file="").order == (0, 1, 2)


def test_a_scan_far_off_the_axes_of_the_body_is_refused(tmp_path: Path) -> None:
    write_ct(tmp_path, 3, orientation=(1, 0, 0, 0, 0.8, 0.6))
    error = refusal_of(lambda: ct_of(tmp_path))
    assert (error.reason, error.value) == ("CT is tilted", "37 degrees off the body axes, at most 30")


def test_the_source_is_the_folder(tmp_path: Path) -> None:
    write_ct(tmp_path, 3)
    assert ct_of(tmp_path).source == str(tmp_path)


def test_a_file_without_sop_instance_uid_is_read(tmp_path: Path) -> None:
    for path in write_ct(tmp_path, 3):
        image = pydicom.dcmread(path)
        del image.SOPInstanceUID
        save(image, path)
    assert ct_of(tmp_path).grid.shape == (3, 4, 5)


def test_a_file_of_another_size_than_its_header_said_has_changed(tmp_path: Path) -> None:
    write_ct(tmp_path, 3)
    stack = stack_of(tmp_path)
    other = replace(stack, slices=(replace(stack.slices[0], rows=9), *stack.slices[1:]))
    assert refusal_of(lambda: read_ct(other, patient_id="P01")).reason == "CT file has changed"
