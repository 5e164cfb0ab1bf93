"""The manifest that `engram init` writes, and what it keeps of the user's."""

from pathlib import Path

import pytest

from engram.cohort.imported import ImportedPatient
from engram.errors import ManifestError
from engram.pipeline.init_dicom import folder_name
from engram.pipeline.init_tables import column_name, image_columns, merged_manifest, write_rows


def patients(folder: Path) -> list[ImportedPatient]:
    one = folder / "images" / "A" / "ct.nii.gz"
    return [
        ImportedPatient("A", ct=one, masks={"GTV Mass": folder / "images" / "A" / "m.nii.gz"}),
        ImportedPatient(
            "B", pet=Path("/elsewhere/b_pet.nii.gz"), labels={"totalsegmentator-2/total": folder / "l.nii.gz"}
        ),
    ]


def test_columns_are_of_all_that_anybody_has(tmp_path: Path) -> None:
    assert image_columns(patients(tmp_path)) == ["ct", "pet", "labels_totalsegmentator-2_total", "mask_GTV_Mass"]


def test_a_new_manifest_has_relative_paths_and_empty_outcomes(tmp_path: Path) -> None:
    made = merged_manifest(tmp_path / "manifest.csv", patients(tmp_path), None, "patient_id", tmp_path / "dump")
    columns, rows = made.columns, made.rows
    assert columns[0] == "patient_id"
    assert columns[-2:] == ["time_months", "event"]
    assert rows[0]["ct"] == "images/A/ct.nii.gz"
    assert rows[1]["pet"] == "/elsewhere/b_pet.nii.gz"
    assert rows[1]["ct"] == ""


def test_a_clinical_table_is_joined_and_nobody_is_dropped(tmp_path: Path) -> None:
    clinical = tmp_path / "clinical.csv"
    clinical.write_text("case,age,pfs\nC,70,3\nA,61,12\n")
    made = merged_manifest(tmp_path / "manifest.csv", patients(tmp_path), clinical, "case", tmp_path / "dump")
    columns, rows = made.columns, made.rows
    assert made.notes == (
        "1 of 2 patients with scans are in the clinical table",
        "1 of its 2 patients have no scan, 'C' for example",
    )
    assert columns == ["case", "ct", "pet", "labels_totalsegmentator-2_total", "mask_GTV_Mass", "age", "pfs"]
    found = {row["case"]: row for row in rows}
    assert set(found) == {"A", "B", "C"}
    assert found["A"]["age"] == "61"
    assert found["A"]["ct"]
    assert "ct" not in found["C"]


def test_what_the_user_wrote_into_the_manifest_stays(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    made = merged_manifest(manifest, patients(tmp_path), None, "patient_id", tmp_path / "dump")
    columns, rows = made.columns, made.rows
    rows[0] |= {"time_months": "7.5", "event": "1", "note": "said 'hello', twice"}
    write_rows(manifest, [*columns, "note"], rows)
    again = merged_manifest(manifest, patients(tmp_path)[:1], None, "patient_id", tmp_path / "dump")
    kept = again.rows
    assert "note" in again.columns
    assert kept[0]["time_months"] == "7.5"
    assert kept[0]["note"] == "said 'hello', twice"
    assert [row["patient_id"] for row in kept] == ["A", "B"]


@pytest.mark.parametrize("text", ["patient_id,age\nA,1\nA,2\n", "patient_id,age\n,1\n", "name,age\nA,1\n"])
def test_ids_that_are_missing_or_there_twice_are_refused(tmp_path: Path, text: str) -> None:
    clinical = tmp_path / "clinical.csv"
    clinical.write_text(text)
    with pytest.raises(ManifestError):
        merged_manifest(tmp_path / "manifest.csv", patients(tmp_path), clinical, "patient_id", tmp_path)


def test_names_become_columns_and_folders(tmp_path: Path) -> None:
    assert column_name("GTV / Mass (CT)") == "GTV_Mass_CT"
    assert folder_name("STS_001") == "STS_001"
    odd = folder_name("../a b")
    assert "/" not in odd
    assert not odd.startswith(".")
    assert folder_name("a b") != folder_name("a_b")
    assert folder_name("..") not in (".", "..", "")


def test_a_manifest_wins_over_the_clinical_table_and_it_is_said(tmp_path: Path) -> None:
    manifest, clinical = tmp_path / "manifest.csv", tmp_path / "clinical.csv"
    clinical.write_text("patient_id,time,event\nA,10,0\nB,20,1\n")
    manifest.write_text("patient_id,ct,pet,time,event\nA,,,14.5,1\nB,,,20,1\n")
    made = merged_manifest(manifest, patients(tmp_path), clinical, "patient_id", tmp_path / "dump")
    assert [(row["time"], row["event"]) for row in made.rows] == [("14.5", "1"), ("20", "1")]
    assert (
        made.notes[-1] == "2 cells of manifest.csv differ from the clinical table: those of manifest.csv were kept"
    )


def test_files_of_an_earlier_run_do_not_stay_and_those_of_the_user_do(tmp_path: Path) -> None:
    manifest, dump = tmp_path / "manifest.csv", tmp_path / "dump"
    manifest.write_text(
        "patient_id,ct,pet,mask_old,mask_mine,labels_x\n"
        f"A,images/A/ct.nii.gz,images/A/pet.nii.gz,images/A/old.nii.gz,mine/a.nii.gz,{dump / 'l.nii.gz'}\n"
        "Z,images/Z/ct.nii.gz,,images/Z/old.nii.gz,,\n"
    )
    rows = {
        r["patient_id"]: r for r in merged_manifest(manifest, patients(tmp_path)[:1], None, "patient_id", dump).rows
    }
    assert rows["A"]["ct"] == "images/A/ct.nii.gz"
    assert rows["A"]["pet"] == ""
    assert "mask_old" not in rows["A"]
    assert "labels_x" not in rows["A"]
    assert rows["A"]["mask_mine"] == "mine/a.nii.gz"
    assert rows["Z"] == {"patient_id": "Z"}
