"""Analyses beside the main one are printed as saved, hidden where absent, and refused where they contradict it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_reader import Page
from whole_grid import whole_audit

from engram.errors import StorageError
from engram.evaluation.audit_records import NOT_AUDITED, Audit
from engram.evaluation.results import StudyResults
from engram.report.audit_section import ANOTHER
from engram.report.beside import Beside
from engram.report.consistency import check_results
from engram.report.labels import REVERSE, REVERSE_MEANING
from engram.report.methods import methods
from engram.report.page import write_report
from engram.report.tables import all_tables

PARTS = ("repeated", "repeated_comparisons", "permutation_null", "missingness", "missing_variables")


def page_of(results: StudyResults, folder: Path, audit: Audit | None = None) -> Page:
    return Page(write_report(results, folder, beside=Beside(audit=audit)).read_text(encoding="utf-8"))


def test_each_analysis_is_a_table_as_saved(whole_study: StudyResults, tmp_path: Path) -> None:
    section = page_of(whole_study, tmp_path).sections["sensitivity"]
    repeated, compared, null, missingness, variables = section.tables
    assert compared[1][:2] == ["PET + clinical, spine_dilated", "Clinical, DeepSurv"]
    assert compared[1][2:] == ["+0.013", "0.016", "-0.002 to +0.030", "0.020", "0.530", "0.530"]
    main = {row.name: row.mean for row in whole_study.rows}
    assert [line[0] for line in repeated[1:]] == ["Clinical, DeepSurv", "Clinical, ridge Cox", "R-ISS alone"]
    assert repeated[1][1:3] == ["3", f"{main['Clinical, DeepSurv']:.3f}"]
    assert null[1] == [
        "Clinical, ridge Cox",
        f"{main['Clinical, ridge Cox']:.3f}",
        "200",
        "0.501",
        "0.441 to 0.560",
        "0.005",
    ]
    assert missingness[2] == [
        "Clinical, ridge Cox",
        "multiple imputation",
        "227",
        "160",
        "20",
        "0.650",
        "0.653",
        "-0.003",
        "0.004",
    ]
    assert missingness[0][6] == "Main, same patients"
    assert missingness[1][5:8] == ["0.650", "0.650", "\u2013"]
    assert missingness[4][-1] == "not run: fold 2 has no event left"
    assert variables[1:] == [["iss", "58", "25.6 %", "78.0 %", "68.0 %"]]
    assert "it is no standard error of the c-index" in section.text
    assert all((tmp_path / "tables" / f"{name}.csv").is_file() for name in PARTS)


def test_fewer_repeats_than_asked_for_say_so(whole_study: StudyResults, tmp_path: Path) -> None:
    fewer = splits_of(whole_study, repeats=10)
    assert "10 repeats were asked for, and there are fewer (3, the main" in " ".join(methods(fewer))
    once = [
        one.model_copy(update={"means": one.means[:1], "c_index": one.c_index[:1], "mean": one.means[0]})
        for one in fewer.repeated
    ]
    text = " ".join(methods(fewer.model_copy(update={"repeated": once})))
    assert "there are fewer (the main analysis alone)" in text
    assert "1 times" not in text
    assert "were asked for" in page_of(fewer, tmp_path).sections["sensitivity"].text
    same = splits_of(whole_study, repeats=3)
    assert "were asked for" not in " ".join(methods(same))


def test_the_smallest_p_of_permutations_is_told(whole_study: StudyResults) -> None:
    notes = " ".join(all_tables(whole_study)["permutation_null"].notes)
    assert "200 permutations allow is 1 / 201 = 0.005" in notes
    assert "coarse" not in notes
    few = [one.model_copy(update={"permutations": 20}) for one in whole_study.permutation_null]
    notes = " ".join(all_tables(whole_study.model_copy(update={"permutation_null": few}))["permutation_null"].notes)
    assert "1 / 21 = 0.048" in notes
    assert "p is coarse" in notes


def test_few_who_lack_a_covariate_say_nothing_of_why(whole_study: StudyResults) -> None:
    def notes(missing: int) -> str:
        one = whole_study.missing_variables[0].model_copy(update={"missing": missing})
        results = whole_study.model_copy(update={"missing_variables": [one]})
        return " ".join(all_tables(results)["missing_variables"].notes)

    assert "may not be missing completely at random" in notes(11)
    assert "completely at random" not in notes(10)
    assert "10 patients or fewer" in notes(10)


def test_the_section_is_named_after_what_is_there(whole_study: StudyResults, tmp_path: Path) -> None:
    section = page_of(whole_study, tmp_path).sections["sensitivity"]
    assert section.headings[0] == "Other splits, no signal, missing values"
    nothing: dict[str, Any] = {"repeated": [], "repeated_comparisons": [], "permutation_null": []}
    section = page_of(whole_study.model_copy(update=nothing), tmp_path).sections["sensitivity"]
    assert section.headings[0] == "Missing values"


def test_results_without_them_have_no_section(
    whole_study: StudyResults, synthetic_demo: StudyResults, tmp_path: Path
) -> None:
    write_report(whole_study, tmp_path, beside=Beside(audit=whole_audit(whole_study)))
    page = page_of(synthetic_demo, tmp_path)
    assert not {"sensitivity", "audit", "tuning", "ablations"} & page.sections.keys()
    assert not {f"{name}.csv" for name in (*PARTS, "audit")} & {
        path.name for path in (tmp_path / "tables").iterdir()
    }
    assert not (tmp_path / "tables" / "tuning.xlsx").exists()


def test_the_stage_is_a_benchmark_of_its_own(whole_study: StudyResults, tmp_path: Path) -> None:
    section = page_of(whole_study, tmp_path).sections["clinical-model"]
    assert "What images add to the stage alone (iss)" in section.text
    assert section.tables[1][1] == ["PET, spine_dilated", "9.10", "0.003", "0.020", "41.0 %"]
    assert "a Cox model of iss alone" in section.text


def test_a_risk_in_reverse_is_no_new_information(whole_study: StudyResults, tmp_path: Path) -> None:
    first, *others = whole_study.incremental_value
    turned = first.model_copy(update={"coefficient": -0.4, "p": None, "p_adjusted": None, "new_information": None})
    page = page_of(whole_study.model_copy(update={"incremental_value": [turned, *others]}), tmp_path)
    lines = page.sections["clinical-model"].tables[0]
    assert lines[1] == [first.row, "4.50", REVERSE]
    assert REVERSE_MEANING in page.sections["clinical-model"].text
    assert REVERSE_MEANING not in page_of(whole_study, tmp_path).sections["clinical-model"].text


def test_the_table_of_the_stage_needs_no_other_beside_it(whole_study: StudyResults, tmp_path: Path) -> None:
    alone = whole_study.model_copy(update={"incremental_value": []})
    text = page_of(alone, tmp_path).sections["clinical-model"].text
    assert "as above" not in text
    assert "a Cox model of iss alone, which is fitted on these very patients" in text


def splits_of(results: StudyResults, **changes: Any) -> StudyResults:
    assert results.splits is not None
    return results.model_copy(update={"splits": results.splits.model_copy(update=changes)})


def test_folds_by_site_are_told(whole_study: StudyResults, tmp_path: Path) -> None:
    section = page_of(whole_study, tmp_path).sections["folds"]
    assert "no 'site' both trains and tests" in section.text
    lines = {line[0]: line[1:] for line in section.tables[0]}
    assert lines["Held out"] == ["sites A, C", "site B", "site D", "sites E, F", "site G"]
    assert lines["Training patients"] == ["181", "181", "182", "182", "182"]
    assert "stratified by event and time" not in " ".join(methods(whole_study))


def test_patients_are_described_site_by_site(whole_study: StudyResults, tmp_path: Path) -> None:
    section = page_of(whole_study, tmp_path).sections["cohort"]
    assert "The same patients by site" in section.text
    by_site = section.tables[1]
    assert by_site[0] == ["Characteristic", "Level", "A", "B"]
    assert by_site[1:3] == [["Patients", "", "120", "107"], ["PFS", "event", "90 (75.0 %)", "70 (65.4 %)"]]
    assert len(by_site) == 3 + len(whole_study.cohort.characteristics)


def test_windows_of_time_say_who_never_tests(whole_study: StudyResults) -> None:
    cohort = whole_study.cohort.model_copy(update={"n": 300})
    results = splits_of(whole_study, kind="temporal", column="year").model_copy(update={"cohort": cohort})
    text = " ".join(methods(results))
    assert "The 73 patients of the first window never test; 227 do" in text
    assert "the corrected p is approximate" in text


def test_stratified_folds_are_told_as_before(whole_study: StudyResults, synthetic_demo: StudyResults) -> None:
    results = splits_of(whole_study, kind="stratified", column=None, test=[])
    said = "Every row was measured on the same 5 test folds, stratified by event and time (seed 7)."
    assert said in " ".join(methods(results))
    assert said in " ".join(methods(synthetic_demo))
    assert "Held out" not in {line[0] for line in all_tables(results)["folds"].rows}


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("repeated", {"row": "nobody"}, "repeated: no such row as 'nobody'"),
        ("repeated", {"mean": 0.9}, "a mean of 0.9 that is not that of its repeats"),
        ("permutation_null", {"row": "nobody"}, "permutation null: no such row"),
        ("missingness", {"row": "nobody"}, "missingness: no such row"),
        ("incremental_over_stage", {"row": "nobody"}, "over the stage: no such row"),
    ],
)
def test_contradictions_are_refused(
    whole_study: StudyResults, part: str, change: dict[str, Any], said: str
) -> None:
    first, *others = getattr(whole_study, part)
    with pytest.raises(StorageError, match=said):
        check_results(whole_study.model_copy(update={part: [first.model_copy(update=change), *others]}))


def test_splits_that_are_not_those_of_the_folds_are_refused(whole_study: StudyResults) -> None:
    with pytest.raises(StorageError, match="200 patients test, but the folds hold 227"):
        check_results(splits_of(whole_study, tested=200))
    with pytest.raises(StorageError, match="1 names of what is held out"):
        check_results(splits_of(whole_study, test=["site A"]))


def test_an_audit_is_shown_check_by_check(whole_study: StudyResults, tmp_path: Path) -> None:
    section = page_of(whole_study, tmp_path, whole_audit(whole_study)).sections["audit"]
    assert "No leak found after the study table was made: 2 of 2 checks passed." in section.text
    assert NOT_AUDITED in section.text
    assert "is no proof that there is none" in section.text
    checks, permuted = section.tables
    assert [line[2] for line in checks[1:]] == ["passed", "passed", "to know"]
    assert permuted[1] == ["Clinical, ridge Cox", "3", "0.503", "0.450 to 0.550"]
    assert (tmp_path / "tables" / "audit.csv").is_file()


def test_a_leak_is_said_in_plain_words(whole_study: StudyResults, tmp_path: Path) -> None:
    section = page_of(whole_study, tmp_path, whole_audit(whole_study, leaks=True)).sections["audit"]
    assert "1 of 2 checks failed: do not believe these results." in section.text
    assert section.tables[0][1][2] == "FAILED"


@pytest.mark.parametrize("what", ["study", "manifest", "weights", "data", "code"])
def test_an_audit_of_other_data_vouches_for_nothing(whole_study: StudyResults, tmp_path: Path, what: str) -> None:
    audit = whole_audit(whole_study)
    other = audit.model_copy(update={"hashes": audit.hashes.model_copy(update={what: "0" * 64})})
    section = page_of(whole_study, tmp_path, other).sections["audit"]
    assert ANOTHER in section.text
    assert "passed" not in section.text
    assert section.tables == []


def test_how_gates_mix_is_shown_with_its_caution(
    whole_study: StudyResults, synthetic_demo: StudyResults, tmp_path: Path
) -> None:
    page = page_of(whole_study, tmp_path)
    lines = page.sections["table1"].tables[1]
    gated = [row.name for row in whole_study.rows if row.fusion == "gate"]
    assert [line[0] for line in lines[1:]] == gated
    assert lines[1][1:] == ["PET", "227", "0.58", "0.60 (0.41 to 0.74)", "0.30 to 0.86", *["–"] * 4]
    assert "how the two images are mixed, not which of them knows" in page.sections["table1"].text
    assert (tmp_path / "tables" / "gates.csv").is_file()
    assert "gates" not in all_tables(synthetic_demo)
    alone = whole_study.model_copy(update={"rows": [row for row in whole_study.rows if row.family != "image"]})
    kept = {row.name for row in alone.rows}
    nothing: dict[str, Any] = {
        "comparisons": [],
        "incremental_value": [],
        "incremental_over_stage": [],
        "searches": [],
    }
    gates = [one for one in alone.gates if one.row in kept]
    alone = alone.model_copy(update=nothing | {"gates": gates, "performance": None, "risk_groups": None})
    page = page_of(alone, tmp_path / "alone")
    assert [line[0] for line in page.sections["table2"].tables[1][1:]] == [one.row for one in gates]


def test_gates_that_are_no_shares_are_refused(whole_study: StudyResults) -> None:
    first, *others = whole_study.gates
    for wrong in ({"mean": 1.2}, {"quartiles": [0.1, 0.2]}, {"fold_means": []}, {"row": "nobody"}):
        gates = [first.model_copy(update=wrong), *others]
        with pytest.raises(StorageError, match=r"gate"):
            check_results(whole_study.model_copy(update={"gates": gates}))
