"""Every bad input of the cohort table is named with row, column, value and mend, and the others go on."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engram.cohort.manifest import Cohort, check_analysable, read_manifest
from engram.config import StudyConfig
from engram.errors import (
    ClinicalError,
    CohortError,
    EngramError,
    ImagingError,
    ManifestError,
    OutcomeError,
    PatientError,
    Problem,
)

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
SCHEME = "totalsegmentator-2/total"
HEADER = ["patient_id", "ct", "pet", "labels", "tumour", "age", "sex", "riss", "pfs", "relapse"]
BAD = "P02"
LINE_OF_BAD = 3


def study(folder: Path, **changes: Any) -> StudyConfig:
    """A study with every kind of column."""
    fields: dict[str, Any] = {
        "name": "test",
        "manifest": folder / "cohort.csv",
        "output": folder / "out",
        "outcome": {"time": "pfs", "event": "relapse", "unit": "months"},
        "covariates": {
            "age": {"kind": "continuous", "unit": "years"},
            "sex": {"kind": "categorical", "levels": ["F", "M"]},
            "riss": {"kind": "ordinal", "levels": ["I", "II", "III"], "missing": "level"},
        },
        "images": {"labels": "labels", "label_scheme": SCHEME},
        "rois": {"spine": {"region": "spine_dilated"}, "tumour": {"mask": "tumour"}},
    }
    return StudyConfig.model_validate({**fields, **changes, "folder": folder})


def patient(folder: Path, patient_id: str, **changes: str) -> dict[str, str]:
    """A usable row, whose image files exist."""
    row = {"patient_id": patient_id, "age": "62.5", "sex": "F", "riss": "II", "pfs": "30", "relapse": "1"}
    for column in ("ct", "pet", "labels", "tumour"):
        name = f"{patient_id.strip()}_{column}.nii.gz"
        (folder / name).touch()
        row[column] = name
    return {**row, **changes}


def write(folder: Path, rows: list[dict[str, str]], header: list[str] | None = None) -> None:
    with (folder / "cohort.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, header or HEADER, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def read_with_bad(folder: Path, **changes: str) -> Cohort:
    """Three patients; the second, on line 3, with `changes`."""
    write(folder, [patient(folder, "P01"), patient(folder, BAD, **changes), patient(folder, "P03")])
    return read_manifest(study(folder))


def ids(cohort: Cohort) -> list[str]:
    return [record.patient_id for record in cohort.records]


def study_problems(config: StudyConfig) -> tuple[Problem, ...]:
    with pytest.raises(ManifestError) as caught:
        read_manifest(config)
    assert all(str(problem) in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def test_good_patients_are_read_as_declared(tmp_path: Path) -> None:
    write(tmp_path, [patient(tmp_path, " P01 ", riss="", sex="M"), patient(tmp_path, "P02", relapse="false")])
    cohort = read_manifest(study(tmp_path))
    first, second = cohort.records
    assert (first.patient_id, first.row, second.row) == ("P01", 2, 3)
    assert dict(first.covariates) == {"age": 62.5, "sex": "M", "riss": None}
    assert (first.event, first.time, second.event) == (True, 30.0, False)
    assert first.ct == tmp_path / "P01_ct.nii.gz"
    assert dict(first.labels) == {SCHEME: tmp_path / "P01_labels.nii.gz"}
    assert dict(first.masks) == {"tumour": tmp_path / "P01_tumour.nii.gz"}
    assert (cohort.pool, cohort.events, cohort.excluded) == (2, 1, ())


@pytest.mark.parametrize(
    ("column", "value", "kind", "reason", "mend"),
    [
        ("pfs", "", OutcomeError, "PFS missing", "never imputed"),
        ("pfs", "N/A", OutcomeError, "PFS missing", "never imputed"),
        ("relapse", ".", OutcomeError, "PFS missing", "never imputed"),
        ("pfs", "0", OutcomeError, "PFS time is not positive", "greater than 0"),
        ("pfs", "-3", OutcomeError, "PFS time is not positive", "greater than 0"),
        ("pfs", "12,5", OutcomeError, "PFS time is not a number", "decimal point"),
        ("pfs", "1_0", OutcomeError, "PFS time is not a number", "decimal point"),
        ("pfs", "inf", OutcomeError, "PFS time is not a number", "decimal point"),
        ("pfs", "1201", OutcomeError, "PFS time is beyond 100 years", "check value and unit"),
        ("relapse", "2", OutcomeError, "PFS event is neither 0 nor 1", "0.0 and 1.0 are accepted"),
        ("relapse", "yes", OutcomeError, "PFS event is neither 0 nor 1", "0.0 and 1.0 are accepted"),
        ("age", "sixty", ClinicalError, "age is not a number", "decimal point"),
        ("age", "1e13", ClinicalError, "age is not a number", "decimal point"),
        ("sex", "f", ClinicalError, "sex is none of its levels", "one of F, M"),
        ("riss", "IV", ClinicalError, "riss is none of its levels", "one of I, II, III"),
        ("ct", "", ImagingError, "CT missing", "path"),
        ("pet", "gone.nii.gz", ImagingError, "PET file not found", "folder of the manifest"),
        ("pet", "x" * 5000, ImagingError, "PET file not found", "folder of the manifest"),
        ("labels", "folder", ImagingError, "label map is a folder", "DICOM"),
        ("tumour", "NA", ImagingError, "mask of tumour missing", "path"),
    ],
)
def test_a_bad_cell_excludes_one_patient(
    tmp_path: Path, column: str, value: str, kind: type[PatientError], reason: str, mend: str
) -> None:
    (tmp_path / "folder").mkdir()
    cohort = read_with_bad(tmp_path, **{column: value})
    (error,) = cohort.excluded
    assert type(error) is kind
    assert (error.patient_id, error.row, error.column, error.reason) == (BAD, LINE_OF_BAD, column, reason)
    shown = None if value in ("", "N/A", ".", "NA") else value
    assert error.value == shown
    (problem,) = cohort.problems()
    for text in (str(error), str(problem)):
        assert all(part in text for part in (BAD, f"row {LINE_OF_BAD}", f"'{column}'", shown or "", mend))
    assert ids(cohort) == ["P01", "P03"]


def test_all_problems_of_a_patient_come_at_once(tmp_path: Path) -> None:
    cohort = read_with_bad(tmp_path, ct="", age="old", sex="x", pfs="", relapse="maybe")
    assert [(p.row, p.column) for p in cohort.problems()] == [
        (LINE_OF_BAD, column) for column in ("ct", "age", "sex", "relapse", "pfs")
    ]
    assert ids(cohort) == ["P01", "P03"]


def test_no_clinical_annotation_at_all(tmp_path: Path) -> None:
    (error,) = read_with_bad(tmp_path, age="", sex="NA", riss="null").excluded
    assert isinstance(error, ClinicalError)
    assert error.reason == "clinical annotation missing"
    assert "age, sex, riss" in error.mend


def test_a_blank_id(tmp_path: Path) -> None:
    nameless = patient(tmp_path, BAD) | {"patient_id": " "}
    write(tmp_path, [patient(tmp_path, "P01"), nameless, patient(tmp_path, "P03")])
    cohort = read_manifest(study(tmp_path))
    (error,) = cohort.excluded
    assert "(blank id)" in str(error)
    assert f"row {LINE_OF_BAD}, column 'patient_id'" in str(error)
    assert ids(cohort) == ["P01", "P03"]


def test_all_rows_of_a_duplicated_id_go(tmp_path: Path) -> None:
    write(tmp_path, [patient(tmp_path, name) for name in ("P01", "P02")] + [patient(tmp_path, " P01", pfs="")])
    cohort = read_manifest(study(tmp_path))
    assert ids(cohort) == ["P02"]
    duplicates = [error for error in cohort.excluded if error.reason == "duplicated patient id"]
    assert [error.row for error in duplicates] == [2, 4]
    assert all("Rows 2, 4" in str(error) and "P01" in str(error) for error in duplicates)
    assert "PFS missing" in [error.reason for error in cohort.excluded]


def test_one_scan_in_two_rows_is_leakage(tmp_path: Path) -> None:
    (tmp_path / "link.nii.gz").symlink_to(tmp_path / "P01_pet.nii.gz")
    cohort = read_with_bad(tmp_path, pet="link.nii.gz", pfs="")
    assert ids(cohort) == ["P03"]
    shared = [error for error in cohort.excluded if error.reason == "image file of another patient"]
    assert [(error.row, error.column) for error in shared] == [(2, "pet"), (3, "pet")]
    assert all("P01_pet.nii.gz" in str(error) and "Rows 2, 3" in str(error) for error in shared)


def test_a_modality_that_no_row_uses_is_not_asked_for(tmp_path: Path) -> None:
    header = [column for column in HEADER if column != "ct"]
    write(tmp_path, [patient(tmp_path, "P01")], header)
    (record,) = read_manifest(
        study(tmp_path, images={"ct": None, "labels": "labels", "label_scheme": SCHEME})
    ).records
    assert record.ct is None
    assert record.pet == tmp_path / "P01_pet.nii.gz"


def test_the_ct_gives_the_grid_even_where_no_row_sees_it(tmp_path: Path) -> None:
    write(tmp_path, [patient(tmp_path, "P01")], HEADER)
    (record,) = read_manifest(study(tmp_path, models={"origins": ["PET"]})).records
    assert record.ct == tmp_path / "P01_ct.nii.gz"
    (record,) = read_manifest(study(tmp_path, models={"origins": ["CT"]})).records
    assert record.pet is None


def test_row_numbers_serve_as_ids(tmp_path: Path) -> None:
    write(tmp_path, [patient(tmp_path, "P01"), patient(tmp_path, "P02")], [c for c in HEADER if c != "patient_id"])
    assert ids(read_manifest(study(tmp_path, patient_id=None))) == ["row-2", "row-3"]


def test_rows_are_lines_of_the_file(tmp_path: Path) -> None:
    """A blank line, a row of commas and a line break inside quotes must not shift the numbers."""
    text = 'id,note,pfs,relapse,age\n\na,"two\nlines",5,1,60\n,,,,\nb,,x,1,60\n'
    (tmp_path / "cohort.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    cohort = read_manifest(clinical(tmp_path))
    assert [(record.patient_id, record.row) for record in cohort.records] == [("a", 3)]
    assert [error.row for error in cohort.excluded] == [6]
    assert cohort.pool == 2


def clinical(folder: Path, **changes: Any) -> StudyConfig:
    """The smallest study: one covariate and no image."""
    age = {"age": {"kind": "continuous", "unit": "years"}}
    return study(folder, **{"patient_id": "id", "covariates": age, "images": None, "rois": {}, **changes})


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (None, ["cannot be read", "manifest"]),
        (b"", ["empty"]),
        (b"\n\n", ["empty"]),
        (b"id,age,pfs,relapse\n", ["no patients"]),
        (b"id;age;pfs;relapse\n1;2;3;1\n", ["not separated by commas", "row 1", "comma delimited"]),
        (
            b"sep=,\nid,age,pfs,relapse\na,60,5,1\n",
            ["note to a spreadsheet", "'sep=,'", "row 1", "Remove this line"],
        ),
        (b"sep=;\nid;age;pfs;relapse\na;60;5;1\n", ["note to a spreadsheet", "'sep=;'"]),
        (b"id,age,pfs,relapse\n\xff\xfe,60,5,1\n", ["not UTF-8", "row 2", "CSV UTF-8"]),
        (b'id,age,pfs,relapse\na,"60,5,1\n', ["not well-formed CSV", "row 2", "quotes"]),
        (b"id,age,pfs,relapse,age\na,60,5,1,60\n", ["2 columns have this name", "row 1", "'age'", "Rename"]),
        (b"id,age,pfs,relapse\na,62,5,5,1\nb,60,5\n", ["row 2", "5 cells", "row 3", "3 cells", "quotes"]),
    ],
)
def test_a_broken_table_stops_the_study(tmp_path: Path, content: bytes | None, parts: list[str]) -> None:
    if content is not None:
        (tmp_path / "cohort.csv").write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        read_manifest(clinical(tmp_path))
    assert str(tmp_path / "cohort.csv") in str(caught.value)
    assert all(part in str(caught.value) for part in parts)


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").mkdir()
    assert "cannot be read" in study_problems(clinical(tmp_path))[0].what


def test_all_absent_columns_come_at_once_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text("id,Ages,PFS,relapsed\na,60,5,1\n")
    problems = {problem.column: problem for problem in study_problems(clinical(tmp_path))}
    assert set(problems) == {"age", "pfs", "relapse"}
    assert "Did you mean 'PFS'?" in problems["pfs"].mend
    assert "Did you mean 'Ages'?" in problems["age"].mend
    assert "outcome.event" in problems["relapse"].mend


def test_no_answer_is_offered_for_a_covariate_that_is_absent(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text("id,Pfs,relapse,t1,t2,true_total,ages\na,5,1,0.1,0.2,0.3,60\n")
    truth = {"clinical": "t1", "imaging": "t2", "total": "true_total"}
    number = {"kind": "continuous", "unit": "1"}
    covariates = {"pfs_": number, "true_totals": number, "relapsed": number, "id_": number, "age": number}
    outcome = {"time": "Pfs", "event": "relapse", "unit": "months"}
    config = clinical(tmp_path, covariates=covariates, truth=truth, outcome=outcome)
    problems = {problem.column: problem for problem in study_problems(config)}
    for name in ("pfs_", "true_totals", "relapsed", "id_"):
        assert problems[name].mend == f"Set covariates.{name}.column in the study file to one of: ages."
    assert problems["age"].mend.startswith("Did you mean 'ages'? Set covariates.age.column")
    (tmp_path / "cohort.csv").write_text("id,pfs,relapse\na,5,1\n")
    (problem,) = study_problems(clinical(tmp_path))
    assert problem.mend == "Add the column, or remove covariates.age from the study file."


@pytest.mark.parametrize("column", ["pfs", "relapse", "id", "true_total"])
def test_a_covariate_that_gives_the_answer_is_refused(tmp_path: Path, column: str) -> None:
    (tmp_path / "cohort.csv").write_text("id,pfs,relapse,t1,t2,true_total\na,5,1,0.1,0.2,0.3\n")
    leak = {"peek": {"kind": "continuous", "unit": "1", "column": column}}
    truth = {"clinical": "t1", "imaging": "t2", "total": "true_total"}
    (problem,) = study_problems(clinical(tmp_path, covariates=leak, truth=truth))
    assert "leakage" in problem.what
    assert problem.column == column
    assert "Remove covariates.peek" in problem.mend


def test_one_column_has_one_use(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text("id,pfs,age\na,5,60\n")
    outcome = {"time": "pfs", "event": "pfs", "unit": "months"}
    (problem,) = study_problems(clinical(tmp_path, outcome=outcome))
    assert "outcome.time and outcome.event are one column" in problem.what


def test_levels_that_cannot_be_told_apart(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text("id,pfs,relapse,sex,kind\na,5,1,Male,x\nb,5,1,male,y\n")
    covariates = {"sex": {"kind": "categorical"}, "kind": {"kind": "categorical", "levels": ["x", "NA"]}}
    marker, spelling = study_problems(clinical(tmp_path, covariates=covariates))
    assert (marker.column, marker.value) == ("kind", "NA")
    assert (spelling.column, spelling.value) == ("sex", "Male, male")
    assert "covariates.sex.levels" in spelling.mend


def test_the_true_hazard_of_a_synthetic_cohort(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text("id,pfs,relapse,age,c,i,t\na,5,1,60,0.25,-1,-0.75\nb,5,1,60,0.25,-1,\n")
    truth = {"clinical": "c", "imaging": "i", "total": "t"}
    cohort = read_manifest(clinical(tmp_path, truth=truth))
    hazard = cohort.records[0].truth
    assert hazard is not None
    assert (hazard.clinical, hazard.imaging, hazard.total) == (0.25, -1.0, -0.75)
    assert [(error.row, error.column) for error in cohort.excluded] == [(3, "t")]


@pytest.mark.parametrize(
    ("text", "event"),
    [("0", False), ("0.0", False), ("FALSE", False), ("1", True), ("1.0", True), ("True", True)],
)
def test_spellings_of_the_event(tmp_path: Path, text: str, event: bool) -> None:
    assert read_with_bad(tmp_path, relapse=text).records[1].event is event


def test_exclusion_after_the_voxels_were_read(tmp_path: Path) -> None:
    cohort = read_with_bad(tmp_path, pfs="")
    late = ImagingError("P03", "PET is empty", mend="Export it again.", file="P03_pet.nii.gz")
    after = cohort.exclude([late])
    assert ids(after) == ["P01"]
    assert [(p.row, p.what) for p in after.problems()] == [
        (3, "PFS missing"),
        (4, "PET is empty in P03_pet.nii.gz"),
    ]
    assert isinstance(after.excluded[-1], ImagingError)
    assert (after.pool, after.digest, ids(cohort)) == (3, cohort.digest, ["P01", "P03"])
    earlier = after.exclude([ImagingError("P01", "CT unreadable", mend="Export it again.")])
    assert [problem.row for problem in earlier.problems()] == [2, 3, 4]
    with pytest.raises(ValueError, match="P02"):
        after.exclude([ImagingError(BAD, "CT unreadable", mend="-")])


def test_the_digest_follows_the_content(tmp_path: Path) -> None:
    write(tmp_path, [patient(tmp_path, "P01")])
    digest = read_manifest(study(tmp_path)).digest
    assert read_manifest(study(tmp_path)).digest == digest
    write(tmp_path, [patient(tmp_path, "P01", age="63")])
    assert read_manifest(study(tmp_path)).digest != digest


@pytest.mark.parametrize(
    ("events", "n", "parts"),
    [
        (0, 0, ["nobody is left", "n = 0", "engram check"]),
        (0, 20, ["all 20 patients are censored", "outcome.event"]),
        (4, 20, ["4 event(s) for 5 folds", "evaluation.folds"]),
        (5, 9, ["9 patient(s) for 5 folds", "fewer than 2 a fold"]),
        (3, 9, ["3 event(s)", "9 patient(s)"]),
    ],
)
def test_cohorts_that_cannot_be_analysed(events: int, n: int, parts: list[str]) -> None:
    with pytest.raises(CohortError) as caught:
        check_analysable(events, n, folds=5)
    assert all(part in str(caught.value) for part in parts)


def test_the_smallest_cohort_that_can_be_analysed() -> None:
    check_analysable(events=5, n=10, folds=5)


CELLS = st.one_of(
    st.sampled_from(
        ["", "NA", ".", "0", "1", "1e999", "-0", "nan", "inf", "true", "II", "..", "/", "P01_ct.nii.gz"]
    ),
    st.text(st.characters(codec="utf-8"), max_size=8),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(CELLS, min_size=10, max_size=11), min_size=1, max_size=4), raw=st.booleans())
def test_random_cells_never_crash(tmp_path: Path, rows: list[list[str]], raw: bool) -> None:
    with (tmp_path / "cohort.csv").open("w", newline="", encoding="utf-8") as stream:
        if raw:
            stream.write("\n".join(",".join(row) for row in [HEADER, *rows]))
        else:
            csv.writer(stream).writerows([HEADER, *rows])
    try:
        cohort = read_manifest(study(tmp_path))
    except EngramError:
        return
    gone = {error.row for error in cohort.excluded}
    assert len(gone) + len(cohort.records) == cohort.pool
    assert gone.isdisjoint(record.row for record in cohort.records)


@pytest.mark.skipif(not (SHARED / "sts" / "cohort.csv").exists(), reason="needs ../shared/data/sts")
def test_a_real_cohort_with_images(tmp_path: Path) -> None:
    config = study(
        tmp_path,
        manifest=SHARED / "sts" / "cohort.csv",
        outcome={"time": "pfs_time_days", "event": "pfs_event", "unit": "days"},
        covariates={
            "age": {"kind": "continuous", "unit": "years"},
            "sex": {"kind": "categorical", "levels": ["Female", "Male"]},
            "grade": {"kind": "categorical", "levels": ["Low", "Intermediate", "High", "Unknown"]},
        },
        images={"ct": "ct_path", "pet": "pet_path"},
        rois={"tumour": {"mask": "ct_mask_path"}},
    )
    cohort = read_manifest(config)
    assert (cohort.pool, len(cohort.records), cohort.events, cohort.excluded) == (14, 14, 7, ())


@pytest.mark.skipif(not (SHARED / "myeloma_krall.csv").exists(), reason="needs ../shared/data")
def test_a_real_cohort_without_ids(tmp_path: Path) -> None:
    names = {
        "LogBUN": "1",
        "HGB": "g/dL",
        "Age": "years",
        "LogWBC": "1",
        "LogPBM": "1",
        "Protein": "1",
        "SCalc": "1",
    }
    covariates: dict[str, Any] = {name: {"kind": "continuous", "unit": unit} for name, unit in names.items()}
    config = clinical(
        tmp_path,
        manifest=SHARED / "myeloma_krall.csv",
        patient_id=None,
        outcome={"time": "Time", "event": "VStatus", "unit": "months", "name": "OS"},
        covariates={**covariates, "Platelet": {"kind": "categorical", "levels": ["0", "1"]}},
    )
    cohort = read_manifest(config)
    assert (cohort.pool, len(cohort.records), cohort.events) == (65, 65, 48)
    assert ids(cohort)[-1] == "row-66"
