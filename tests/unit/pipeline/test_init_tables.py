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
    columns, rows = merged_manifest(tmp_path / "manifest.csv", patients(tmp_path), None, "patient_id")
    assert columns[0] == "patient_id"
    assert columns[-2:] == ["time_months", "event"]
    assert rows[0]["ct"] == "images/A/ct.nii.gz"
    assert rows[1]["pet"] == "/elsewhere/b_pet.nii.gz"
    assert rows[1]["ct"] == ""


def test_a_clinical_table_is_joined_and_nobody_is_dropped(tmp_path: Path) -> None:
    clinical = tmp_path / "clinical.csv"
    clinical.write_text("case,age,pfs\nC,70,3\nA,61,12\n")
    columns, rows = merged_manifest(tmp_path / "manifest.csv", patients(tmp_path), clinical, "case")
    assert columns == ["case", "ct", "pet", "labels_totalsegmentator-2_total", "mask_GTV_Mass", "age", "pfs"]
    found = {row["case"]: row for row in rows}
    assert set(found) == {"A", "B", "C"}
    assert found["A"]["age"] == "61"
    assert found["A"]["ct"]
    assert "ct" not in found["C"]


def test_what_the_user_wrote_into_the_manifest_stays(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    columns, rows = merged_manifest(manifest, patients(tmp_path), None, "patient_id")
    rows[0] |= {"time_months": "7.5", "event": "1", "note": "said 'hello', twice"}
    write_rows(manifest, [*columns, "note"], rows)
    again, kept = merged_manifest(manifest, patients(tmp_path)[:1], None, "patient_id")
    assert "note" in again
    assert kept[0]["time_months"] == "7.5"
    assert kept[0]["note"] == "said 'hello', twice"
    assert [row["patient_id"] for row in kept] == ["A", "B"]


@pytest.mark.parametrize("text", ["patient_id,age\nA,1\nA,2\n", "patient_id,age\n,1\n", "name,age\nA,1\n"])
def test_ids_that_are_missing_or_there_twice_are_refused(tmp_path: Path, text: str) -> None:
    clinical = tmp_path / "clinical.csv"
    clinical.write_text(text)
    with pytest.raises(ManifestError):
        merged_manifest(tmp_path / "manifest.csv", patients(tmp_path), clinical, "patient_id")


def test_names_become_columns_and_folders(tmp_path: Path) -> None:
    assert column_name("GTV / Mass (CT)") == "GTV_Mass_CT"
    assert folder_name("STS_001") == "STS_001"
    odd = folder_name("../a b")
    assert "/" not in odd
    assert not odd.startswith(".")
    assert folder_name("a b") != folder_name("a_b")
    assert folder_name("..") not in (".", "..", "")
