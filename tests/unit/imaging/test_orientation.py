"""The same anatomy must give the same frames, however it is stored; what is not stated must not be guessed."""

import gzip
import itertools
import struct

import numpy as np
import pytest
import SimpleITK as sitk

from engram.errors import ImagingError
from engram.imaging.frames import to_frames
from engram.imaging.orientation import read_lps
from engram.imaging.volume import read_volume

SPACING, ORIGIN = np.array([2.0, 3.0, 4.0]), np.array([-7.0, 11.0, -900.0])
SIZE = np.array([4, 5, 6])  # x, y, z
ORIENTATIONS = list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))


def anatomy() -> np.ndarray:
    """(z, y, x) in LPS; every voxel has a value of its own."""
    return np.arange(SIZE.prod(), dtype=np.int16).reshape(SIZE[::-1]) * 3 - 100


def stored(order, signs):
    """The anatomy with file axis a running along body axis order[a], forwards or backwards."""
    xyz = np.transpose(anatomy().transpose(2, 1, 0), order)
    xyz = xyz[tuple(slice(None, None, sign) for sign in signs)]
    direction = np.zeros((3, 3))
    origin = ORIGIN.copy()
    for axis, (body, sign) in enumerate(zip(order, signs, strict=True)):
        direction[body, axis] = sign
        if sign < 0:
            origin[body] += (SIZE[body] - 1) * SPACING[body]
    geometry = {"spacing": SPACING[list(order)].tolist(), "origin": origin.tolist()}
    return xyz.transpose(2, 1, 0), {**geometry, "direction": direction.ravel().tolist()}


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_every_axis_order_and_flip_gives_the_same_frames(write, order, signs):
    array, geometry = stored(order, signs)
    volume = read_volume(write(array, "ct.nii.gz", **geometry), patient_id="P1", what="CT")
    np.testing.assert_array_equal(volume.voxels, anatomy())
    np.testing.assert_array_equal(
        to_frames(volume, (-100, 300)),
        to_frames(read_volume(write(anatomy(), "plain.nrrd"), patient_id="P1", what="CT"), (-100, 300)),
    )
    np.testing.assert_allclose(volume.grid.spacing_mm, SPACING[::-1], rtol=1e-5)
    np.testing.assert_allclose(volume.grid.origin_mm, ORIGIN, atol=1e-3)
    np.testing.assert_allclose(volume.grid.direction, np.eye(3).ravel(), atol=1e-6)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_every_format(write, suffix):
    array, geometry = stored((2, 0, 1), (-1, 1, -1))
    volume = read_volume(write(array, f"ct{suffix}", **geometry), patient_id="P1", what="CT")
    np.testing.assert_array_equal(volume.voxels, anatomy())


def nifti(voxels_ijk: np.ndarray, *, sform=None, qform_code=0, quatern=(0.0, 0.0, 0.0), pixdim=(1, 2, 3, 4)):
    """A NIfTI-1 file by hand, so that no writer's habits stand between the test and the standard."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *voxels_ijk.shape, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, *pixdim, 0, 0, 0, 0)
    struct.pack_into("<3f", header, 108, 352, 1, 0)
    header[123] = 2
    struct.pack_into("<2h", header, 252, qform_code, 0 if sform is None else 1)
    struct.pack_into("<6f", header, 256, *quatern, 0, 0, 0)
    if sform is not None:
        struct.pack_into("<12f", header, 280, *np.asarray(sform, dtype=float)[:3].ravel())
    header[344:348] = b"n+1\0"
    return bytes(header) + voxels_ijk.astype("<i2").tobytes(order="F")


def marked() -> np.ndarray:
    voxels = np.zeros((4, 5, 6), dtype=np.int16)
    voxels[3, 4, 5] = 7  # the last of each axis
    return voxels


def test_nifti_ras_by_hand(tmp_path):
    """Positive RAS axes: the last voxel is the rightmost, most anterior, most superior one."""
    path = tmp_path / "ct.nii"
    path.write_bytes(nifti(marked(), sform=np.diag([2.0, 3, 4, 1])))
    volume = read_volume(path, patient_id="P1", what="CT")
    frames = to_frames(volume, (0, 7))
    assert frames.shape == (6, 5, 4)
    assert np.argwhere(frames).tolist() == [[0, 0, 0]]


def test_qform_alone_states_the_orientation(tmp_path):
    path = tmp_path / "ct.nii"
    path.write_bytes(nifti(marked(), qform_code=1, pixdim=(-1, 2, 3, 4)))  # qfac -1: k grows towards inferior
    frames = to_frames(read_volume(path, patient_id="P1", what="CT"), (0, 7))
    assert np.argwhere(frames).tolist() == [[5, 0, 0]]


def refused(path, what="CT") -> ImagingError:
    with pytest.raises(ImagingError) as caught:
        read_lps(path, patient_id="P1", what=what)
    error = caught.value
    assert error.patient_id == "P1"
    assert error.file == str(path)
    assert error.mend
    assert str(path) in str(error)
    return error


def test_missing(tmp_path):
    assert refused(tmp_path / "nothing.nii.gz", "PET").reason == "PET file missing"
    assert refused(tmp_path, "PET").reason == "PET file missing"


def test_neither_qform_nor_sform(tmp_path):
    path = tmp_path / "ct.nii"
    path.write_bytes(nifti(marked()))
    assert refused(path).reason == "CT has no orientation"


def test_nrrd_without_space(tmp_path):
    path = tmp_path / "ct.nrrd"
    header = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 4 5 6\nendian: little\nencoding: raw\n\n"
    path.write_bytes(header + marked().tobytes(order="F"))
    assert refused(path).reason == "CT has no orientation"


def test_metaimage_without_transform(tmp_path):
    path = tmp_path / "ct.mha"
    header = b"ObjectType = Image\nNDims = 3\nDimSize = 4 5 6\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    path.write_bytes(header + marked().tobytes(order="F"))
    assert refused(path).reason == "CT has no orientation"


@pytest.mark.parametrize(
    ("sform", "pixdim"),
    [
        (np.diag([2.0, 3, -4, 1]), (1, 2, 3, 4)),  # flipped head to feet
        (np.diag([2.0, 3, 4, 1]), (1, 2, 3, 0)),  # ITK would read a spacing of 1 mm
    ],
)
def test_contradicting_forms(tmp_path, sform, pixdim):
    path = tmp_path / "ct.nii"
    path.write_bytes(nifti(marked(), sform=sform, qform_code=1, pixdim=pixdim))
    error = refused(path)
    assert error.reason == "CT has contradicting orientations"
    assert "mm off" in error.value


@pytest.mark.parametrize("field", ["sform", "qform", "pixdim"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_of_a_form_that_are_not_finite(tmp_path, field, value):
    header = bytearray(nifti(marked(), sform=np.diag([2.0, 3, 4, 1]), qform_code=1))
    struct.pack_into("<f", header, {"sform": 292, "qform": 268, "pixdim": 80}[field], value)
    path = tmp_path / "ct.nii"
    path.write_bytes(header)
    error = refused(path)
    assert error.reason == "CT unreadable"
    assert field in error.value


def test_the_library_warns_nobody_of_what_is_told_in_words(tmp_path, capfd):
    path = tmp_path / "ct.nii"
    path.write_bytes(nifti(marked(), sform=np.diag([2.0, 3, 4, 1]) @ np.diag([1.0, 1, 1.7, 1]), qform_code=1))
    assert refused(path).reason == "CT has contradicting orientations"
    assert "WARNING" not in capfd.readouterr().err


def test_agreeing_forms(tmp_path):
    path = tmp_path / "ct.nii"
    path.write_bytes(nifti(marked(), sform=np.diag([2.0, 3, 4, 1]), qform_code=1))
    assert read_lps(path, patient_id="P1", what="CT").GetSpacing() == (2.0, 3.0, 4.0)


def test_rotated_quaternion_agrees_with_itk(write):
    angle = np.radians(20.0)
    tilt = (1, 0, 0, 0, np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle))
    path = write(anatomy(), spacing=(2.0, 3.0, 4.0), origin=(5.0, 6.0, 7.0), direction=tilt)
    image = read_lps(path, patient_id="P1", what="CT")
    np.testing.assert_allclose(image.GetDirection(), tilt, atol=1e-6)


def test_tilted(write):
    angle = np.radians(40.0)
    tilt = (1, 0, 0, 0, np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle))
    error = refused(write(anatomy(), direction=tilt))
    assert error.reason == "CT is tilted"
    assert "40 degrees" in error.value


@pytest.mark.parametrize("unit", [1, 3])
def test_spacing_in_other_units(tmp_path, unit):
    """A header that says metre (1) or micrometre (3) where it means mm."""
    whole = bytearray(nifti(marked(), sform=np.diag([2.0, 3, 4, 1])))
    whole[123] = unit
    path = tmp_path / "ct.nii"
    path.write_bytes(whole)
    assert refused(path).reason == "CT has an impossible voxel size"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_truncated_nifti_is_not_filled_with_zeros(tmp_path, suffix):
    whole = nifti(np.random.default_rng(0).integers(0, 999, (20, 20, 20)), sform=np.diag([2.0, 3, 4, 1]))
    whole = gzip.compress(whole) if suffix.endswith("gz") else whole
    path = tmp_path / f"ct{suffix}"
    path.write_bytes(whole[: len(whole) // 2])
    assert refused(path).reason == "CT unreadable"
    path.write_bytes(whole)
    read_lps(path, patient_id="P1", what="CT")


def test_damaged_gzip_checksum(tmp_path):
    whole = bytearray(gzip.compress(nifti(marked(), sform=np.diag([2.0, 3, 4, 1]))))
    whole[-6] ^= 0xFF
    path = tmp_path / "ct.nii.gz"
    path.write_bytes(whole)
    error = refused(path)
    assert error.reason == "CT unreadable"
    assert "damaged gzip" in error.value


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz", "ct.nrrd", "ct.mha"])
def test_not_an_image(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"patient;age\n")
    assert refused(path).reason == "CT unreadable"


def test_unknown_format(tmp_path):
    path = tmp_path / "ct.dcm"
    path.write_bytes(b"")
    error = refused(path)
    assert error.reason == "CT is of an unknown format"
    assert error.value == ".dcm"


def test_not_3d(tmp_path):
    path = tmp_path / "pet.nii"
    series = sitk.JoinSeries([sitk.GetImageFromArray(anatomy())] * 2)
    sitk.WriteImage(series, str(path))
    error = refused(path, "PET")
    assert error.reason == "PET is not a 3-D volume of single values"
    assert "4 x 5 x 6 x 2" in error.value


def test_colours(tmp_path):
    path = tmp_path / "ct.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 4, 5, 3), np.uint8), isVector=True), str(path))
    assert "3 value(s) a voxel" in refused(path).value


def test_a_path_that_the_system_refuses(tmp_path):
    refused(tmp_path / f"{'x' * 300}.nii.gz")


def test_damaged_headers_are_refused_or_read_never_crash(tmp_path):
    """Each two bytes of the header overwritten in turn: an ImagingError, or a volume of the right values."""
    whole = nifti(marked(), sform=np.diag([2.0, 3, 4, 1]), qform_code=1)
    path = tmp_path / "ct.nii"
    read = 0
    for at in [*range(40, 58, 2), 70, 72, *range(76, 112, 2), *range(252, 328, 2)]:
        path.write_bytes(whole[:at] + b"\xff\x7f" + whole[at + 2 :])
        try:
            image = read_lps(path, patient_id="P1", what="CT")
        except ImagingError:
            continue
        read += 1
        np.testing.assert_allclose(image.GetSpacing(), (2, 3, 4), atol=0.1)
        assert sitk.GetArrayViewFromImage(image).shape == (6, 5, 4)
    assert read > 0
