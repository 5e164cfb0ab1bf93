"""Which layout a folder has; ids that differ in case; refusals that say what was found."""

from __future__ import annotations

from pathlib import Path

import pytest

from engram.cohort.imported import ImportedPatient
from engram.cohort.importers import detect_layout, imported, scan_modality
from engram.errors import ImagingError


def touch(folder: Path, *names: str, content: bytes = b"x") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        (["S1/CT_S1.nii.gz", "S1/PT_S1.nii.gz"], "moose"),
        (["S1/moosez-2025-01-31-12-00-00/segmentations/x.nii.gz", "S1/AC-CT/1.dcm"], "moose"),
        (["imagesTr/P1_0000.nii.gz", "dataset.json"], "nnunet"),
        (["P1_0000.nii.gz", "P1_0001.nii.gz"], "nnunet"),
        (["sub-01/pet/sub-01_pet.nii.gz"], "bids"),
        (["sub-01/ses-1/anat/sub-01_ses-1_ct.nii"], "bids"),
        (["P1/study/series/1.dcm"], "dicom"),
        (["P1/CT_series/IM0001.IMA"], "dicom"),
    ],
)
def test_layouts_are_told_by_names(tmp_path: Path, names: list[str], layout: str) -> None:
    touch(tmp_path, *names, ".DS_Store")
    assert detect_layout(tmp_path) == layout


def test_dicom_without_a_suffix_is_told_by_its_preamble(tmp_path: Path) -> None:
    touch(tmp_path, "A/B/IM1", content=b"\0" * 128 + b"DICM")
    assert detect_layout(tmp_path) == "dicom"


def test_no_layout_says_what_was_found(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "a/2.png", "b/notes.txt", "b/scan.nii.gz")
    with pytest.raises(ImagingError, match=r"no known layout.*4 files \(2 \.png, 1 \.txt, 1 \.nii\.gz\).*a, b"):
        detect_layout(tmp_path)


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "S1").mkdir()
    with pytest.raises(ImagingError, match="no file in 1 folders"):
        detect_layout(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImagingError, match=r"unreadable.*nowhere"):
        detect_layout(tmp_path / "nowhere")


def test_two_layouts_at_once_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "S1/CT_S1.nii.gz", "imagesTr/P1_0000.nii.gz")
    with pytest.raises(ImagingError, match=r"two layouts at once.*nnunet, moose"):
        detect_layout(tmp_path)


@pytest.mark.parametrize(
    ("name", "modality"),
    [("CT_S1.nii", "CT"), ("PET_S1.nii.gz", "PET"), ("FDG_PT_1.nii.gz", "PET"), ("CTA.nii.gz", None),
     ("CT_S1.csv", None), ("S4_CT.nii", None)],
)  # fmt: skip
def test_moose_names(name: str, modality: str | None) -> None:
    assert scan_modality(name) == modality


def test_ids_that_differ_in_case_only_are_left_with_their_files() -> None:
    patients = [ImportedPatient(name, ct=Path(name, "ct.nii")) for name in ("s1", "P2", "S1")]
    found = imported(patients, [])
    assert [patient.patient_id for patient in found.patients] == ["P2"]
    assert [str(lost.path) for lost in found.left] == ["S1/ct.nii", "s1/ct.nii"]
    assert "in case only" in found.left[0].reason
