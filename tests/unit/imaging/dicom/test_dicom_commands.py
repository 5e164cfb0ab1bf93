"""`engram dicom` as it is typed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_files import uid, write_ct, write_pet
from mask_files import SHARED, write_structures
from typer.testing import CliRunner

from engram.commands import app
from engram.errors import ConfigError, ImagingError
from engram.imaging.dicom.corrections import series_id
from engram.imaging.dicom.dump import walk
from engram.pipeline import dicom_masks

AUTOMATIC = ("--made-by", "automatic", "--algorithm", "TotalSegmentator 2.4.0")


def _call(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(a) for a in ("dicom", *arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def _image(array, *, spacing=(2.5, 2.0, 3.0), origin=(-10.0, -20.0, -30.0)) -> sitk.Image:
    image = sitk.GetImageFromArray(np.asarray(array, dtype=np.uint8))
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    return image


def _write(image: sitk.Image, path: Path) -> Path:
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture(autouse=True)
def _here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers are read in this process, which is faster for a few files, but where a test asks for workers."""
    if "workers" not in request.node.name:
        monkeypatch.setattr(
            dicom_masks, "walk", lambda folder, workers, progress: walk(folder, workers=0, progress=progress)
        )


@pytest.fixture
def masks(tmp_path: Path) -> dict[str, np.ndarray]:
    """A CT, and two overlapping masks of it as NIfTI files, one of them stored in another order of axes."""
    write_ct(tmp_path / "ct")
    chance = np.random.default_rng(0)
    made = {name: chance.random((5, 4, 5)) > 0.5 for name in ("spine", "lesion")}
    _write(_image(made["spine"]), tmp_path / "spine.nii.gz")
    _write(sitk.DICOMOrient(_image(made["lesion"]), "SRA"), tmp_path / "other.nii")
    return made


def test_masks_go_to_a_segmentation_and_come_back_with_workers(tmp_path, masks):
    files = (tmp_path / "spine.nii.gz", f"lesion={tmp_path / 'other.nii'}")
    seg = tmp_path / "seg.dcm"
    said = _call("export-seg", *files, "--series", tmp_path / "ct", "--out", seg, *AUTOMATIC, "-w", 1)
    assert f"DICOM Segmentation of 2 segments: {seg}" in said
    assert [str(one.SegmentLabel) for one in pydicom.dcmread(seg).SegmentSequence] == ["spine", "lesion"]
    said = _call("masks", seg, "--series", tmp_path / "ct", "--out", tmp_path / "back", "-w", 1)
    for name, mask in masks.items():
        image = sitk.ReadImage(str(tmp_path / "back" / f"{name}.nii.gz"))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), mask.astype(np.uint8))
        np.testing.assert_allclose(image.GetOrigin(), (-10.0, -20.0, -30.0))
        np.testing.assert_allclose(image.GetSpacing(), (2.5, 2.0, 3.0))
        assert f"{name}: {mask.sum()} voxels, {mask.sum() * 0.015:.2f} ml" in said


def test_a_series_stored_feet_first_gives_masks_in_body_order(tmp_path, masks):
    write_ct(tmp_path / "turned", orientation=(1, 0, 0, 0, -1, 0), origin_mm=(-10.0, -14.0, -18.0))
    _call("export-seg", tmp_path / "spine.nii.gz", "--series", tmp_path / "turned", "--out", tmp_path / "s.dcm",
          *AUTOMATIC, "-w", 1)  # fmt: skip
    _call("masks", tmp_path / "s.dcm", "--series", tmp_path / "turned", "--out", tmp_path / "back", "-w", 1)
    image = sitk.ReadImage(str(tmp_path / "back" / "spine.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), masks["spine"].astype(np.uint8))
    assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_a_mask_on_another_grid_is_refused_with_how_far(tmp_path, masks):
    moved = _write(_image(masks["spine"], origin=(-9.0, -20.0, -30.0)), tmp_path / "moved.nii.gz")
    with pytest.raises(ImagingError, match=r"on another grid.*corners are up to 1\.00 mm apart"):
        _call("export-seg", moved, "--series", tmp_path / "ct", "--out", tmp_path / "s.dcm", *AUTOMATIC, "-w", 1)
    cropped = _write(_image(masks["spine"][1:]), tmp_path / "cropped.nii.gz")
    with pytest.raises(ImagingError, match=r"5 x 4 x 4 voxels .*; the series has 5 x 4 x 5 voxels"):
        _call("export-seg", cropped, "--series", tmp_path / "ct", "--out", tmp_path / "s.dcm", *AUTOMATIC, "-w", 1)
    assert not (tmp_path / "s.dcm").exists()


def test_a_label_map_is_no_mask(tmp_path, masks):
    labels = _write(_image(np.arange(100).reshape(5, 4, 5) % 3), tmp_path / "labels.nii.gz")
    with pytest.raises(ImagingError, match=r"mask of 'labels' is no mask \(value: 0, 1, 2\)"):
        _call("export-seg", labels, "--series", tmp_path / "ct", "--out", tmp_path / "s.dcm", *AUTOMATIC, "-w", 1)


def test_two_masks_of_one_name_are_refused(tmp_path, masks):
    twice = (tmp_path / "spine.nii.gz", f"spine={tmp_path / 'other.nii'}")
    with pytest.raises(ConfigError, match="two masks are called 'spine'"):
        _call("export-seg", *twice, "--series", tmp_path / "ct", "--out", tmp_path / "s.dcm", *AUTOMATIC, "-w", 1)


@pytest.mark.parametrize("said", [(), ("--made-by", "automatic"), ("--made-by", "manual", "--algorithm", "a")])
def test_how_masks_were_made_must_be_said(tmp_path, masks, said):
    done = CliRunner().invoke(app, ["dicom", "export-seg", str(tmp_path / "spine.nii.gz"), "--series",
                                    str(tmp_path / "ct"), "--out", str(tmp_path / "s.dcm"), *said])  # fmt: skip
    assert done.exit_code == 2
    assert "--made-by" in done.output


def test_of_several_series_the_one_that_the_file_names_is_taken(tmp_path, masks):
    _call("export-seg", tmp_path / "spine.nii.gz", "--series", tmp_path / "ct", "--out", tmp_path / "s.dcm",
          *AUTOMATIC, "-w", 1)  # fmt: skip
    write_pet(tmp_path / "ct" / "pet")
    both = ("--series", tmp_path / "ct", "-w", 1)
    _call("masks", tmp_path / "s.dcm", *both, "--out", tmp_path / "back")
    assert (tmp_path / "back" / "spine.nii.gz").is_file()
    with pytest.raises(ConfigError, match=r"2 CT and PET series. Name one with --series-id:\n  \w{10}  (CT|PT)"):
        _call("export-seg", tmp_path / "spine.nii.gz", *both, "--out", tmp_path / "t.dcm", *AUTOMATIC)
    with pytest.raises(ConfigError, match="none is 'x'"):
        _call("masks", tmp_path / "s.dcm", *both, "--series-id", "x", "--out", tmp_path / "back")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty: no CT or PET series\. Give the folder"):
        _call("masks", tmp_path / "s.dcm", "--series", tmp_path / "empty", "--out", tmp_path / "back", "-w", 1)


def test_a_series_by_its_short_id(tmp_path, masks):
    write_pet(tmp_path / "ct" / "pet")
    ct = pydicom.dcmread(tmp_path / "ct" / "0001.dcm").SeriesInstanceUID
    _call("export-seg", tmp_path / "spine.nii.gz", "--series", tmp_path / "ct", "--series-id", series_id(ct),
          "--out", tmp_path / "s.dcm", *AUTOMATIC, "-w", 1)  # fmt: skip
    made = pydicom.dcmread(tmp_path / "s.dcm")
    assert made.ReferencedSeriesSequence[0].SeriesInstanceUID == ct


def test_a_series_with_a_missing_slice_is_refused(tmp_path, masks):
    (tmp_path / "ct" / "0003.dcm").unlink()
    with pytest.raises(ImagingError, match="P01"):
        _call("export-seg", tmp_path / "spine.nii.gz", "--series", tmp_path / "ct", "--out", tmp_path / "s.dcm",
              *AUTOMATIC, "-w", 1)  # fmt: skip


def test_structures_are_written_and_what_is_left_is_said(tmp_path, masks):
    frame = uid("frame", "P01", "20200102")
    loop = [(-6, -19, -27), (1, -19, -27), (1, -15, -27), (-6, -15, -27)]
    rois = {"PTV 60/2": [loop], "PTV 60_2": [loop], "iso": []}
    path = write_structures(tmp_path / "rs.dcm", rois, frame=frame)
    out = tmp_path / "back"
    said = _call("masks", path, "--series", tmp_path / "ct", "--out", out, "-w", 1)
    assert f"PTV 60/2: 6 voxels, 0.09 ml: {out / 'PTV_60_2.nii.gz'}" in said
    assert f"PTV 60_2: 6 voxels, 0.09 ml: {out / 'PTV_60_2-2.nii.gz'}" in said
    assert "left out: patient P01: structure has no contours (value: iso: nothing drawn)" in said
    said = _call("masks", path, "--series", tmp_path / "ct", "--out", out, "--roi", "PTV 60_2", "-w", 1)
    assert "iso" not in said
    with pytest.raises(ImagingError, match="structure has no contours"):
        _call("masks", path, "--series", tmp_path / "ct", "--out", out, "--roi", "iso", "-w", 1)


@pytest.mark.filterwarnings("ignore:The value length")
@pytest.mark.skipif(not (SHARED / "sts_dicom").is_dir(), reason="needs ../shared/data/sts_dicom")
@pytest.mark.parametrize("what", ["CT", "PET"])
def test_real_contours_become_the_nifti_masks_of_the_same_patient(tmp_path, what):
    folder = SHARED / "sts_dicom" / "STS_002"
    _call("masks", folder / f"{what}_RTSTRUCT" / "RS.dcm", "--series", folder, "--out", tmp_path)
    found = sitk.ReadImage(str(tmp_path / f"GTV_Mass_{what}.nii.gz"))
    known = sitk.DICOMOrient(sitk.ReadImage(str(SHARED / "sts" / "STS_002" / f"{what}_mask.nii.gz")), "LPS")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(known))
    np.testing.assert_allclose(found.GetOrigin(), known.GetOrigin(), atol=0.01)
    np.testing.assert_allclose(found.GetSpacing(), known.GetSpacing(), atol=1e-3)
