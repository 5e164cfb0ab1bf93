"""nnU-Net and BIDS names: channels are read or said, never guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engram.cohort.bids_folders import import_bids
from engram.cohort.imported import Imported
from engram.cohort.nnunet_folders import import_nnunet
from engram.errors import ImagingError

CASE = ("imagesTr/P1_0000.nii.gz", "imagesTr/P1_0001.nii.gz")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def describe(folder: Path, **fields: Any) -> None:
    (folder / "dataset.json").write_text(json.dumps(fields))


def reasons(found: Imported) -> dict[str, str]:
    return {lost.path.name: lost.reason for lost in found.left}


@pytest.mark.parametrize(
    "fields",
    [
        {"channel_names": {"0": "CT", "1": "PET"}, "labels": {"background": 0, "tumor": 1}},
        {"modality": {"0": "CT", "1": "FDG-PET"}, "labels": {"0": "background", "1": "tumor"}},
    ],
)
def test_a_data_set_of_either_version(tmp_path: Path, fields: dict[str, Any]) -> None:
    touch(tmp_path, *CASE, "imagesTs/P2_0001.nii.gz", "labelsTr/P1.nii.gz")
    describe(tmp_path, **fields)
    first, second = import_nnunet(tmp_path).patients
    assert first.ct == tmp_path / "imagesTr/P1_0000.nii.gz"
    assert first.pet == tmp_path / "imagesTr/P1_0001.nii.gz"
    assert first.masks == {"tumor": tmp_path / "labelsTr/P1.nii.gz"}
    assert (second.patient_id, second.ct, second.masks) == ("P2", None, {})
    assert second.pet is not None


def test_the_user_says_the_channels(tmp_path: Path) -> None:
    touch(tmp_path, "P1_0000.nii.gz", "P1_0001.nii.gz")
    with pytest.raises(ImagingError, match=r"channels not named.*no dataset\.json.*--channels"):
        import_nnunet(tmp_path)
    (patient,) = import_nnunet(tmp_path, channels={0: "PET", 1: "CT"}).patients
    assert patient.pet == tmp_path / "P1_0000.nii.gz"


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({"0": "CT", "1": "zscore"}, "channel is neither CT nor PET.*channel 1 is 'zscore'"),
        ({"0": "CT", "1": "CT"}, "two channels of one modality"),
        ({"0": "CT"}, "channels not named.*0001; known: 0=CT"),
    ],
)
def test_channels_are_never_guessed(tmp_path: Path, names: dict[str, str], reason: str) -> None:
    touch(tmp_path, *CASE)
    describe(tmp_path, channel_names=names)
    with pytest.raises(ImagingError, match=reason):
        import_nnunet(tmp_path)


def test_a_damaged_description_is_named(tmp_path: Path) -> None:
    touch(tmp_path, *CASE)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(ImagingError, match=r"dataset\.json unreadable"):
        import_nnunet(tmp_path)
    (tmp_path / "dataset.json").write_text("[]")
    with pytest.raises(ImagingError, match="no object"):
        import_nnunet(tmp_path)


def test_what_is_left_has_a_reason(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *CASE,
        "imagesTs/P1_0000.nii.gz",
        "imagesTr/P3_0000.nii.gz",
        "imagesTr/P4.nii.gz",
        "labelsTr/P3.nii.gz",
        "labelsTr/P9.nii.gz",
        "labelsTr/P3.txt",
        "README.txt",
    )
    describe(tmp_path, channel_names={"0": "CT", "1": "PET"}, labels={"background": 0, "a": 1, "b": 2})
    found = import_nnunet(tmp_path)
    assert [patient.patient_id for patient in found.patients] == ["P3"]
    said = reasons(found)
    assert "case 'P1' has two files of one channel" in said["P1_0001.nii.gz"]
    assert sum(lost.path.name == "P1_0000.nii.gz" for lost in found.left) == 2
    assert "its name is not case_0000" in said["P4.nii.gz"]
    assert "2 labels" in said["P3.nii.gz"]
    assert "without images" in said["P9.nii.gz"]
    assert "not a NIfTI" in said["P3.txt"]
    assert "README.txt" in said


def test_two_label_files_of_a_case_are_left(tmp_path: Path) -> None:
    touch(tmp_path, *CASE, "labelsTr/P1.nii", "labelsTr/P1.nii.gz")
    describe(tmp_path, channel_names={"0": "CT", "1": "PET"}, labels={"background": 0, "tumor": 1})
    found = import_nnunet(tmp_path)
    assert found.patients[0].masks == {}
    assert all("two label files" in lost.reason for lost in found.left)


def test_no_image_says_what_was_found(tmp_path: Path) -> None:
    touch(tmp_path, "scan.nii.gz")
    with pytest.raises(ImagingError, match=r"no image with an nnU-Net name.*scan\.nii\.gz"):
        import_nnunet(tmp_path)


def test_bids_subjects(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "sub-01/ct/sub-01_acq-low_ct.nii.gz",
        "sub-01/pet/sub-01_trc-FDG_pet.nii.gz",
        "sub-02/ses-1/pet/sub-02_ses-1_pet.nii.gz",
        "sub-02/ses-2/pet/sub-02_ses-2_pet.nii.gz",
        "sub-02/ses-1/ct/sub-02_ses-1_ct.nii.gz",
        "sub-03/pet/sub-03_pet.json",
        "sub-03/anat/sub-03_T1w.nii.gz",
        "derivatives/sub-01_pet.nii.gz",
    )
    found = import_bids(tmp_path)
    assert [patient.patient_id for patient in found.patients] == ["sub-01", "sub-02"]
    assert found.patients[0].pet == tmp_path / "sub-01/pet/sub-01_trc-FDG_pet.nii.gz"
    assert found.patients[1].pet is None
    assert found.patients[1].ct is not None
    said = reasons(found)
    assert "one of 2 files *_pet" in said["sub-02_ses-1_pet.nii.gz"]
    assert "in the folder of its own subject" in said["sub-01_pet.nii.gz"]
    assert "neither sub-" in said["sub-03_T1w.nii.gz"]


def test_bids_without_anybody(tmp_path: Path) -> None:
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    with pytest.raises(ImagingError, match="no BIDS subject with a scan"):
        import_bids(tmp_path)
