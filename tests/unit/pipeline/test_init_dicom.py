"""`engram init` on a dump of DICOM files: manifest, tables, volumes, and going on where it was."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import REMOVED, write_ct, write_pet

from engram.config import load_config
from engram.errors import CohortError, ConfigError
from engram.pipeline.console import Silent
from engram.pipeline.init import InitOptions, init


class Heard(Silent):
    """A console that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def make_dump(folder: Path) -> Path:
    """Two patients: one whole, one whose PET has no weight."""
    dump = folder / "dump"
    for name, more in {"A": {}, "B": {"PatientWeight": REMOVED}}.items():
        write_ct(dump / name / "s1", PatientID=name)
        write_pet(dump / name / "s2", PatientID=name, **more)
    (dump / "readme.txt").write_text("notes")
    return dump


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_dump_becomes_a_study(tmp_path: Path) -> None:
    console = Heard()
    study = init(InitOptions(make_dump(tmp_path), tmp_path / "study"), workers=0, console=console)
    manifest = table(tmp_path / "study" / "manifest.csv")
    assert [row["patient_id"] for row in manifest] == ["A", "B"]
    assert manifest[0]["ct"] == "images/A/ct.nii.gz"
    assert manifest[0]["pet"] == "images/A/pet.nii.gz"
    assert manifest[1]["pet"] == ""
    (problem,) = table(tmp_path / "study" / "problems.csv")
    assert problem["patient_id"] == "B"
    assert "weight_kg" in problem["mend"]
    series = table(tmp_path / "study" / "series.csv")
    assert {(row["patient_id"], row["taken_as"]) for row in series} == {
        ("A", "CT"), ("A", "PET"), ("B", "CT"), ("B", "PET")
    }  # fmt: skip
    assert all(row["reason"] for row in series)
    assert [row["file"] for row in table(tmp_path / "study" / "left.csv")] == [
        str(tmp_path / "dump" / "readme.txt")
    ]
    assert "2 patients: 1 with PET and CT, 0 with PET alone, 1 with CT alone, 0 with neither" in console.lines
    config = load_config(study)
    assert config.images is not None
    assert list(config.rois) == ["bone_approximate"]


def test_suv_and_hu_are_those_of_the_headers(tmp_path: Path) -> None:
    init(InitOptions(make_dump(tmp_path), tmp_path / "study"), workers=0, console=Silent())
    images = tmp_path / "study" / "images" / "A"
    pet = sitk.GetArrayFromImage(sitk.ReadImage(str(images / "pet.nii.gz")))
    decayed_bq = 300e6 * 2 ** (-3600 / 6586.2)
    stored, slopes = np.arange(100).reshape(5, 4, 5), 2.0 + 0.1 * np.arange(5)
    np.testing.assert_allclose(pet, stored * slopes[:, None, None] * 70_000 / decayed_bq, rtol=1e-6)
    assert pet.dtype == np.float32
    ct = sitk.ReadImage(str(images / "ct.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(ct), stored - 1024)
    assert ct.GetSpacing() == pytest.approx((2.5, 2.0, 3.0))
    assert ct.GetOrigin() == pytest.approx((-10.0, -20.0, -30.0))


def test_no_uid_and_no_name_is_written(tmp_path: Path) -> None:
    init(InitOptions(make_dump(tmp_path), tmp_path / "study"), workers=0, console=Silent())
    for path in (tmp_path / "study").rglob("*"):
        if path.suffix in (".csv", ".json", ".yaml"):
            assert "1.2.826" not in path.read_text(), path


def test_run_again_it_makes_nothing_twice_and_keeps_what_was_written(tmp_path: Path) -> None:
    options = InitOptions(make_dump(tmp_path), tmp_path / "study")
    study = init(options, workers=0, console=Silent())
    scans = sorted((tmp_path / "study" / "images").rglob("*.nii.gz"))
    before = {path: path.stat().st_mtime_ns for path in scans}
    sheet = (tmp_path / "study" / "scans.csv").read_text()
    study.write_text(study.read_text() + "# mine\n")
    console = Heard()
    init(options, workers=0, console=console)
    assert f"{study} is yours and was not changed" in console.lines
    assert {path: path.stat().st_mtime_ns for path in scans} == before
    assert (tmp_path / "study" / "scans.csv").read_text() == sheet
    assert study.read_text().endswith("# mine\n")


def test_a_damaged_or_outdated_file_is_made_again(tmp_path: Path) -> None:
    dump = make_dump(tmp_path)
    options = InitOptions(dump, tmp_path / "study")
    init(options, workers=0, console=Silent())
    ct, pet = (tmp_path / "study" / "images" / "A" / name for name in ("ct.nii.gz", "pet.nii.gz"))
    whole, old = ct.read_bytes(), pet.read_bytes()
    ct.write_bytes(whole[:100])
    write_pet(dump / "A" / "s2", PatientID="A", PatientWeight=80.0)
    init(options, workers=0, console=Silent())
    assert ct.read_bytes() == whole
    assert pet.read_bytes() != old


def test_a_correction_mends_a_header_and_is_noted(tmp_path: Path) -> None:
    table_of_corrections = tmp_path / "corrections.csv"
    table_of_corrections.write_text(
        "patient_id,series,field,value,source\nB,,weight_kg,70,dose sheet\nX,,weight_kg,70,dose sheet\n"
    )
    console = Heard()
    options = InitOptions(make_dump(tmp_path), tmp_path / "study", corrections=table_of_corrections)
    init(options, workers=0, console=console)
    manifest = table(tmp_path / "study" / "manifest.csv")
    assert manifest[1]["pet"] == "images/B/pet.nii.gz"
    assert not table(tmp_path / "study" / "problems.csv")
    assert any("line 3" in line for line in console.lines)
    notes = {row["patient_id"]: row["notes"] for row in table(tmp_path / "study" / "scans.csv")}
    assert "Weight" in notes["B"]
    assert "Weight" not in notes["A"]


def test_workers_change_nothing(tmp_path: Path) -> None:
    dump = make_dump(tmp_path)
    for name, workers in {"one": 0, "two": 2}.items():
        init(InitOptions(dump, tmp_path / name), workers=workers, console=Silent())
    files = [
        {str(p.relative_to(tmp_path / name)): p.read_bytes() for p in (tmp_path / name).rglob("*.*") if p.is_file()}
        for name in ("one", "two")
    ]
    assert files[0] == files[1]


def test_ids_may_come_from_folders(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    write_ct(dump / "first" / "a", PatientID="ANON")
    write_ct(dump / "second" / "a", PatientID="ANON", StudyDate="20210101")
    init(InitOptions(dump, tmp_path / "study", patient_from="folder"), workers=0, console=Silent())
    assert [row["patient_id"] for row in table(tmp_path / "study" / "manifest.csv")] == ["first", "second"]


def test_a_folder_without_scans_says_what_it_holds(tmp_path: Path) -> None:
    write_ct(tmp_path / "dump", count=1)
    with pytest.raises(CohortError, match="no scan of any patient can be used"):
        init(InitOptions(tmp_path / "dump", tmp_path / "study"), workers=0, console=Silent())


def test_folders_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        init(InitOptions(tmp_path / "nothing", tmp_path / "study"), workers=0, console=Silent())
    with pytest.raises(ConfigError, match="lies inside"):
        init(InitOptions(tmp_path, tmp_path / "study"), workers=0, console=Silent())


def test_records_say_what_was_done(tmp_path: Path) -> None:
    init(InitOptions(make_dump(tmp_path), tmp_path / "study"), workers=0, console=Silent())
    record = json.loads((tmp_path / "study" / "images" / "A" / "pet.json").read_text())
    assert record["unit"] == "SUVbw, g/mL"
    assert record["facts"]["weight_kg"] == 70.0


def test_a_study_file_that_nobody_edited_follows_what_is_found(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    write_ct(dump / "ct")
    write_pet(dump / "pet", PatientWeight=REMOVED)
    options = InitOptions(dump, tmp_path / "study")
    study = init(options, workers=0, console=Silent())
    assert "pet: null" in study.read_text()
    table_of_corrections = tmp_path / "corrections.csv"
    table_of_corrections.write_text("patient_id,series,field,value,source\nP01,,weight_kg,70,dose sheet\n")
    mended = InitOptions(dump, tmp_path / "study", corrections=table_of_corrections)
    edited = study.read_text() + "# mine\n"
    init(mended, workers=0, console=Silent())
    assert "pet: pet" in study.read_text()
    study.write_text(edited)
    console = Heard()
    init(mended, workers=0, console=console)
    assert any("does not use these columns of the manifest: pet" in line for line in console.lines)
    assert study.read_text() == edited


def test_another_folder_is_no_rerun(tmp_path: Path) -> None:
    init(InitOptions(make_dump(tmp_path), tmp_path / "study"), workers=0, console=Silent())
    other = make_dump(tmp_path / "other")
    with pytest.raises(ConfigError, match="made from another folder"):
        init(InitOptions(other, tmp_path / "study"), workers=0, console=Silent())


def test_one_id_for_people_in_several_folders_is_asked_about(tmp_path: Path) -> None:
    for name, day in {"x": "20200102", "y": "20210304"}.items():
        write_pet(tmp_path / "dump" / name, PatientID="ANONYMOUS", StudyDate=day)
    with pytest.raises(ConfigError, match=r"bear one patient id.*--patient-from folder"):
        init(InitOptions(tmp_path / "dump", tmp_path / "study"), workers=0, console=Silent())
    init(InitOptions(tmp_path / "dump", tmp_path / "study", patient_from="header"), workers=0, console=Silent())
    assert len(table(tmp_path / "study" / "manifest.csv")) == 1


def test_an_integral_above_the_dose_is_no_suv(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    write_pet(dump, pixels=np.full((5, 40, 40), 30000, np.int16), PixelSpacing=[30.0, 30.0], gap_mm=30.0)
    with pytest.raises(CohortError, match=r"SUV of the PET is impossible.*times the injected dose"):
        init(InitOptions(dump, tmp_path / "study"), workers=0, console=Silent())
