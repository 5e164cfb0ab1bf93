"""Subject folders of MOOSE 2.x and 3.x: scans, label maps by task and version, and all that is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engram.cohort.imported import Imported
from engram.cohort.moose_folders import TotalSegmentatorMaps, import_moose
from engram.errors import ConfigError, ImagingError

OLD = "moosez-clin_ct_ribs-2024-01-31-12-00-00"
NEW = "moosez-2025-01-31-12-00-00"
RIBS = "segmentations/clin_CT_ribs_segmentation_CT_S1.nii.gz"
SPINE = "segmentations/clin_CT_vertebrae_segmentation_CT_S1.nii.gz"


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0" * 128 + b"DICM" if path.suffix == ".dcm" else b"x")


def scheme_of(version: str, task: str) -> str:
    if task not in ("clin_ct_ribs", "clin_ct_vertebrae", "total"):
        raise ConfigError(f"no label table for task {task}")
    return f"{'totalsegmentator' if task == 'total' else 'moose'}-{version[0]}/{task}"


def structures_of(folder: Path, patient_id: str) -> dict[str, Path]:
    if folder.name == "overlapping":
        raise ImagingError(patient_id, "masks of structures overlap", mend="Keep one run.")
    return {"totalsegmentator-2/total": Path("made", patient_id)}


def read(folder: Path, version: str | None = None, totalsegmentator: str | None = None) -> Imported:
    other = TotalSegmentatorMaps(totalsegmentator, scheme_of, structures_of)
    return import_moose(folder, scheme_of=scheme_of, version=version, totalsegmentator=other)


def reasons(found: Imported) -> dict[str, str]:
    return {lost.path.name: lost.reason for lost in found.left}


def say_version(run: Path, version: object) -> None:
    run.mkdir(parents=True, exist_ok=True)
    (run / "MOOSE_information.json").write_text(json.dumps({"tool_name": "moosez", "tool_version": version}))


def test_maps_of_a_run_that_says_its_version(tmp_path: Path) -> None:
    touch(tmp_path, "S1/CT_S1.nii.gz", "S1/PT_S1.nii.gz", f"S1/{NEW}/{RIBS}", f"S1/{NEW}/{SPINE}")
    say_version(tmp_path / "S1" / NEW, "3.2.2")
    (patient,) = read(tmp_path).patients
    assert (patient.patient_id, patient.ct, patient.pet) == (
        "S1",
        tmp_path / "S1/CT_S1.nii.gz",
        tmp_path / "S1/PT_S1.nii.gz",
    )
    assert patient.labels == {
        "moose-3/clin_ct_ribs": tmp_path / "S1" / NEW / RIBS,
        "moose-3/clin_ct_vertebrae": tmp_path / "S1" / NEW / SPINE,
    }


def test_the_task_of_2x_is_in_the_folder_and_the_version_must_be_said(tmp_path: Path) -> None:
    touch(tmp_path, "S1/CT_S1.nii.gz", f"S1/{OLD}/segmentations/CT_Ribs_CT_S1.nii.gz")
    with pytest.raises(ImagingError, match=r"version of moose unknown.*1 that.*--moose-version"):
        read(tmp_path)
    (patient,) = read(tmp_path, "2.2.30").patients
    assert list(patient.labels) == ["moose-2/clin_ct_ribs"]


def test_what_a_run_says_is_stronger_than_what_the_user_says(tmp_path: Path) -> None:
    touch(tmp_path, "S1/CT_S1.nii.gz", f"S1/{NEW}/{RIBS}")
    say_version(tmp_path / "S1" / NEW, "3.0.3")
    assert list(read(tmp_path, "2.2.30").patients[0].labels) == ["moose-3/clin_ct_ribs"]


@pytest.mark.parametrize("version", ["0.0.0", None, 3])
def test_a_version_that_is_none_is_refused(tmp_path: Path, version: object) -> None:
    touch(tmp_path, "S1/CT_S1.nii.gz", f"S1/{NEW}/{RIBS}")
    say_version(tmp_path / "S1" / NEW, version)
    with pytest.raises(ImagingError, match="names no version"):
        read(tmp_path, "3.0.3")


def test_two_runs_of_one_task_are_both_left(tmp_path: Path) -> None:
    again = "moosez-2025-02-01-12-00-00"
    touch(tmp_path, "S1/CT_S1.nii.gz", f"S1/{NEW}/{RIBS}", f"S1/{again}/{RIBS}")
    found = read(tmp_path, "3.0.3")
    assert found.patients[0].labels == {}
    assert len(found.left) == 2
    assert "one of 2 maps of one task" in found.left[0].reason


def test_two_cts_are_both_left_and_the_pet_stays(tmp_path: Path) -> None:
    touch(tmp_path, "S1/CT_a.nii.gz", "S1/CT_b.nii.gz", "S1/PT_a.nii.gz")
    found = read(tmp_path)
    assert found.patients[0].ct is None
    assert found.patients[0].pet is not None
    assert "one of 2 scans of one modality" in reasons(found)["CT_a.nii.gz"]
    assert len(found.left) == 2


def test_dicom_beside_what_moose_made_of_it(tmp_path: Path) -> None:
    """The CT of MOOSE's maps is the NIfTI; a PET that MOOSE converted is in Bq/mL, and does not say so."""
    touch(tmp_path, "S1/CT_x.nii.gz", "S1/PT_x.nii.gz", "S1/AC-CT/1.dcm", "S1/PET_WB/1.dcm")
    found = read(tmp_path)
    assert found.patients[0].ct == tmp_path / "S1/CT_x.nii.gz"
    assert found.patients[0].pet == tmp_path / "S1/PET_WB"
    assert "on which MOOSE's maps lie" in reasons(found)["AC-CT"]
    assert "does not say that it is SUV" in reasons(found)["PT_x.nii.gz"]


def test_everything_else_is_listed_with_a_reason(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "moosez-v3.0.3.log",
        "S1/CT_S1.nii.gz",
        "S1/S1_dynamic.nii",
        "S1/PET_CT/1.dcm",
        "S1/moosez-2024-02-01-12-00-00/stats/a.csv",
        f"S1/{NEW}/segmentations/clin_CT_body_segmentation_CT_S1.nii.gz",
        "S1/moosez-2024-03-01-12-00-00/segmentations/mine.nii.gz",
        "empty/notes.txt",
    )
    found = reasons(read(tmp_path, "3.0.3"))
    assert "outside of the subject folders" in found["moosez-v3.0.3.log"]
    assert "neither CT_" in found["S1_dynamic.nii"]
    assert "neither CT nor PT, or both" in found["PET_CT"]
    assert "it failed, or was cleared" in found["moosez-2024-02-01-12-00-00"]
    assert "no label table for task clin_ct_body" in found["clin_CT_body_segmentation_CT_S1.nii.gz"]
    assert "does not say which MOOSE task" in found["mine.nii.gz"]
    assert "neither CT_" in found["notes.txt"]
    assert "without one CT or one PET" in found["empty"]


def test_no_subject_names_what_was_found(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.txt")
    with pytest.raises(ImagingError, match=r"no subject folder with a scan.*value: a"):
        read(tmp_path)


def test_maps_of_totalsegmentator(tmp_path: Path) -> None:
    touch(tmp_path, "S1/CT_S1.nii.gz", "S1/S1_TotalSegmentator.nii.gz", "S2/CT_S2.nii.gz", "S2/seg/hip_left.nii.gz")
    touch(tmp_path, "S3/CT_S3.nii.gz", "S3/overlapping/vertebrae_L5.nii.gz")
    with pytest.raises(ImagingError, match=r"version of totalsegmentator unknown.*--totalsegmentator-version"):
        read(tmp_path)
    found = read(tmp_path, totalsegmentator="2.4.0")
    first, second, third = found.patients
    assert first.labels == {"totalsegmentator-2/total": tmp_path / "S1/S1_TotalSegmentator.nii.gz"}
    assert second.labels == {"totalsegmentator-2/total": Path("made/S2")}
    assert third.labels == {}
    assert "masks of structures overlap" in reasons(found)["overlapping"]
