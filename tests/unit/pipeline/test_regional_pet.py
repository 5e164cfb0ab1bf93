import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engram.cohort.records import PatientFiles
from engram.config import StudyConfig
from engram.errors import CohortError, StorageError
from engram.pipeline import regional_pet
from engram.pipeline.folders import RunFolder
from engram.pipeline.measures import Measures
from engram.pipeline.regional_pet import baseline_vectors, load_regional_pet, save_regional_pet
from engram.roi.pet_numbers import PetNumbers

NUMBERS = PetNumbers("spine", 900.0, 1.5, 0.5, 8.0, 6.0, 4.0, 12.0, 60.0)


def config(folder: Path, **sections) -> StudyConfig:
    body = {
        "name": "s",
        "manifest": "cohort.csv",
        "outcome": {"time": "t", "unit": "months", "event": "e"},
        "images": {},
        "rois": {"spine": {"mask": "m"}},
        "output": "out",
        "folder": folder,
    }
    return StudyConfig.model_validate(body | sections)


def measures(*roi_pet: PetNumbers, part_pet: tuple[PetNumbers, ...] = ()) -> Measures:
    return Measures(
        digests={"pet": "d"}, alignment=None, liver=None, bones=None, bone_contrast=None, rois=(), roi_in_pet={},
        roi_pet=roi_pet, part_pet=part_pet,
    )  # fmt: skip


def patient(row: int, name: str) -> PatientFiles:
    return PatientFiles(name, row, None, None, {}, {})


@pytest.fixture
def study(tmp_path: Path) -> StudyConfig:
    empty = PetNumbers("skull", 0.0, *[float("nan")] * 7)
    found = [
        (patient(2, "A"), measures(NUMBERS, part_pet=(empty,))),
        (patient(3, "B"), measures(replace(NUMBERS, suv_mean=-0.01, mtv_ml=float("nan"), tlg_g=float("nan")))),
    ]
    study = config(tmp_path)
    save_regional_pet(found, study, "digest")
    return study


def test_the_table_has_a_line_a_patient_and_region_and_blanks_where_there_is_no_number(study):
    with RunFolder.of(study).regional_pet.open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["row"], line["patient_id"], line["kind"], line["region"]) for line in lines] == [
        ("2", "A", "roi", "spine"),
        ("2", "A", "part", "skull"),
        ("3", "B", "roi", "spine"),
    ]
    assert (lines[0]["suv_max"], lines[0]["tlg_g"], lines[1]["suv_max"], lines[2]["mtv_ml"]) == (
        "8.0000",
        "60.0000",
        "",
        "",
    )


def test_the_baseline_reads_five_numbers_on_a_logarithm(study):
    found = load_regional_pet(study, "digest")
    numbers = found.numbers
    assert found.digests == {"A": {"pet": "d"}, "B": {"pet": "d"}}
    assert numbers["A"]["spine"] == NUMBERS
    vectors = baseline_vectors(numbers, ("B", "A"), "spine")
    np.testing.assert_allclose(vectors[1], np.log([2.5, 9.0, 7.0, 13.0, 61.0]), rtol=1e-6)
    np.testing.assert_allclose(vectors[0, :3], np.log([1.0, 9.0, 7.0]), rtol=1e-6)
    assert np.isnan(vectors[0, 3:]).all()
    assert vectors.dtype == np.float32


def test_a_patient_who_was_not_measured_is_named(study):
    with pytest.raises(CohortError, match="patient C: the PET was not measured in spine"):
        baseline_vectors(load_regional_pet(study, "digest").numbers, ("A", "C"), "spine")


def test_numbers_of_another_study_are_refused(study, tmp_path):
    other = config(tmp_path, pet_numbers={"threshold": "share_of_max"})
    for asked, manifest in ((study, "other"), (other, "digest")):
        with pytest.raises(CohortError, match="has changed since"):
            load_regional_pet(asked, manifest)


def test_numbers_of_label_maps_in_another_order_are_refused(tmp_path):
    """Where two maps claim a voxel, the one that is named first has it."""
    maps = {"moose-3/clin_ct_vertebrae": "a", "moose-3/clin_ct_ribs": "b"}
    rois = {"spine": {"region": "spine_dilated"}}
    save_regional_pet([], config(tmp_path, images={"labels": maps}, rois=rois), "digest")
    other = config(tmp_path, images={"labels": dict(reversed(maps.items()))}, rois=rois)
    with pytest.raises(CohortError, match="has changed since"):
        load_regional_pet(other, "digest")


def test_numbers_of_an_older_check_are_refused(study, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(regional_pet, "CHECK_VERSION", regional_pet.CHECK_VERSION + 1)
    with pytest.raises(CohortError, match="Run 'engram check' again"):
        load_regional_pet(study, "digest")


def test_missing_and_damaged_files_are_named(study):
    kept = RunFolder.of(study).regional_pet.with_suffix(".json")
    whole = kept.read_text()
    for content in (whole[:-20], whole.replace('"digests"', '"other"'), "[1]"):
        kept.write_text(content)
        with pytest.raises(StorageError, match="damaged"):
            load_regional_pet(study, "digest")
    kept.unlink()
    with pytest.raises(CohortError, match="Run 'engram check'"):
        load_regional_pet(study, "digest")
