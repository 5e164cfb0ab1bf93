"""`engram init` on folders of NIfTI files, and on MOOSE subjects whose scans are DICOM series."""

import csv
import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from dicom_files import write_ct, write_pet

from engram.pipeline.console import Silent
from engram.pipeline.import_folders import FolderOptions
from engram.pipeline.init import InitOptions, init


def nifti(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 4, 5), np.int16)), str(path))
    return path


def manifest(study: Path) -> list[dict[str, str]]:
    with (study.parent / "manifest.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_nnunet_names_become_a_manifest_of_the_files_where_they_are(tmp_path: Path) -> None:
    scans = tmp_path / "scans" / "imagesTr"
    paths = [nifti(scans / f"case{i}_{channel:04}.nii.gz") for i in (1, 2) for channel in (0, 1)]
    options = InitOptions(tmp_path / "scans", tmp_path / "study", folders=FolderOptions({0: "CT", 1: "PET"}))
    rows = manifest(init(options, workers=0, console=Silent()))
    assert [(row["patient_id"], row["ct"], row["pet"]) for row in rows] == [
        ("case1", str(paths[0]), str(paths[1])),
        ("case2", str(paths[2]), str(paths[3])),
    ]


def test_series_of_moose_subjects_are_converted_and_files_stay(tmp_path: Path) -> None:
    subjects = tmp_path / "scans"
    write_ct(subjects / "S1" / "CT_1")
    write_pet(subjects / "S1" / "PT_1")
    ct = nifti(subjects / "S2" / "CT_2.nii.gz")
    study = init(InitOptions(subjects, tmp_path / "study", "moose"), workers=0, console=Silent())
    rows = {row["patient_id"]: row for row in manifest(study)}
    assert rows["S1"]["ct"] == "images/S1/ct.nii.gz"
    assert rows["S1"]["pet"] == "images/S1/pet.nii.gz"
    assert rows["S2"]["ct"] == str(ct)
    facts = json.loads((tmp_path / "study" / "images" / "S1" / "pet.json").read_text())["facts"]
    assert facts["units"] == "BQML"


def test_a_moose_series_that_is_no_volume_is_told(tmp_path: Path) -> None:
    subjects = tmp_path / "scans"
    write_ct(subjects / "S1" / "CT_1", count=1)
    nifti(subjects / "S2" / "CT_2.nii.gz")
    study = init(InitOptions(subjects, tmp_path / "study", "moose"), workers=0, console=Silent())
    assert [row["ct"] != "" for row in manifest(study)] == [False, True]
    with (study.parent / "problems.csv").open(newline="") as stream:
        (problem,) = csv.DictReader(stream)
    assert problem["patient_id"] == "S1"
    assert problem["reason"] == "no CT of the study can be used"
    assert problem["value"]


def test_each_series_of_a_moose_subject_is_told(tmp_path: Path) -> None:
    subjects, corrections = tmp_path / "scans", tmp_path / "corrections.csv"
    write_ct(subjects / "S1" / "CT_1", RescaleType="OD")
    write_pet(subjects / "S1" / "PT_1")
    (subjects / "S1" / "PT_1" / "0003.dcm").unlink()
    nifti(subjects / "S2" / "CT_2.nii.gz")
    corrections.write_text("patient_id,series,field,value,source\nS9,,weight_kg,70,sheet\n")
    told: list[str] = []
    console = Silent()
    console.say = told.append  # type: ignore[method-assign]
    options = InitOptions(subjects, tmp_path / "study", "moose", corrections=corrections)
    study = init(options, workers=0, console=console)
    with (study.parent / "problems.csv").open(newline="") as stream:
        problems = list(csv.DictReader(stream))
    assert len(problems) == 2
    assert "PET" in problems[0]["reason"] + problems[1]["reason"]
    assert any("line 2: speaks of no series" in line for line in told)
    assert (study.parent / "series.csv").read_text().count("S1") >= 2
