"""Structure sets of a dump become masks on one grid, whichever scan they were drawn on."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import uid, write_ct, write_pet
from mask_files import SHARED, square, write_structures

from engram.pipeline.console import Silent
from engram.pipeline.init import InitOptions, init

FRAME = uid("frame", "P01", "20200102")
STUDY = uid("study", "P01", "20200102")


def make(folder: Path, **structures: list[float]) -> Path:
    """A CT of 5 slices, a PET of 5 slices at the same place, and a structure set on their third slice."""
    write_ct(
        folder / "dump" / "ct", PixelSpacing=[1.0, 1.0], pixels=np.arange(2000, dtype=np.int16).reshape(5, 20, 20)
    )
    write_pet(
        folder / "dump" / "pet", PixelSpacing=[2.0, 2.0], pixels=np.arange(500, dtype=np.int16).reshape(5, 10, 10)
    )
    rois = {
        name: [[(x - 10, y - 20, -24.0) for x, y, _ in square(low, high)]]
        for name, (low, high) in structures.items()
    }
    headers = {"PatientID": "P01", "StudyInstanceUID": STUDY, "StudyDate": "20200102"}
    write_structures(folder / "dump" / "rs.dcm", rois, frame=FRAME, **headers)
    return folder / "dump"


def mask_of(study: Path, name: str) -> sitk.Image:
    return sitk.ReadImage(str(study.parent / "images" / "P01" / f"mask_{name}.nii.gz"))


def test_a_structure_set_becomes_a_mask_on_the_ct(tmp_path: Path) -> None:
    dump = make(tmp_path, lesion=[4.5, 8.5])
    study = init(InitOptions(dump, tmp_path / "study"), workers=0, console=Silent())
    mask = sitk.GetArrayFromImage(mask_of(study, "lesion"))
    assert mask.shape == (5, 20, 20)
    assert mask.sum() == mask[2].sum() == 16
    assert (study.parent / "images" / "P01" / "masks.json").is_file()
    assert "mask: mask_lesion" in study.read_text()


def test_a_structure_that_is_no_mask_is_told_and_the_others_stay(tmp_path: Path) -> None:
    dump = make(tmp_path, lesion=[4.5, 8.5], outside=[500.0, 510.0])
    study = init(InitOptions(dump, tmp_path / "study"), workers=0, console=Silent())
    assert mask_of(study, "lesion").GetSize() == (20, 20, 5)
    problems = (study.parent / "problems.csv").read_text().splitlines()
    assert len(problems) == 2
    assert "outside" in problems[1]


@pytest.mark.skipif(not (SHARED / "sts_dicom").is_dir(), reason="needs ../shared/data/sts_dicom")
def test_masks_of_the_real_patient_are_those_of_its_nifti(tmp_path: Path) -> None:
    study = init(InitOptions(SHARED / "sts_dicom", tmp_path / "study"), workers=0, console=Silent())
    images = study.parent / "images" / "STS_002"
    ours = sitk.GetArrayFromImage(sitk.ReadImage(str(images / "mask_GTV_Mass_CT.nii.gz")))
    (theirs,) = (SHARED / "sts" / "STS_002").glob("CT_mask.nii*")
    np.testing.assert_array_equal(ours, sitk.GetArrayFromImage(sitk.ReadImage(str(theirs))))
    assert ours.sum() == 17090
    pet = sitk.GetArrayFromImage(sitk.ReadImage(str(images / "pet.nii.gz")))
    (given,) = (SHARED / "sts" / "STS_002").glob("PET.nii*")
    np.testing.assert_allclose(pet, sitk.GetArrayFromImage(sitk.ReadImage(str(given))), atol=1e-5)
