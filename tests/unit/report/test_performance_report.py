"""The section beyond the c-index: numbers as saved, gaps with their reasons, curves, and contradictions refused."""

from __future__ import annotations

import pytest

from engram.errors import StorageError
from engram.evaluation.performance_records import FoldMeasure, Performance, RowPerformance, UtilityCurves
from engram.evaluation.results import StudyResults
from engram.evaluation.sensitivity_records import Splits
from engram.report.methods_evaluation import beyond_c_index
from engram.report.page import write_report
from engram.report.performance import performance_table

THRESHOLDS = [0.1, 0.3, 0.5]


def of(*values: float | None) -> FoldMeasure:
    known = [value for value in values if value is not None]
    return FoldMeasure(values=list(values), mean=sum(known) / len(known), se=0.011)


def row(name: str, **changes: object) -> RowPerformance:
    measured = {
        "row": name,
        "uno_c": of(0.7, 0.6, 0.65, 0.7, 0.6),
        "auc": [of(0.71, 0.61, 0.66, 0.71, 0.61), of(0.72, None, 0.67, 0.72, 0.62)],
        "mean_auc": of(0.7, None, 0.65, 0.7, 0.6),
        "ibs": of(0.2, 0.2, 0.2, 0.2, 0.2),
        "ipa": of(-0.05, -0.05, -0.05, -0.05, -0.05),
        "ici": 0.0431,
        "e50": 0.0391,
        "slope": 0.82,
        "slope_lower": 0.51,
        "slope_upper": 1.13,
        "d_calibration": [0.1] * 10,
        "d_calibration_p": 0.0312,
        "missing": ["AUC at 24 months, fold 2: no event by 24 months"],
    }
    return RowPerformance.model_validate(measured | changes)


def with_performance(results: StudyResults, **changes: object) -> StudyResults:
    names = [r.name for r in results.rows]
    rows = [row(name) for name in names[:-1]]
    rows.append(row(names[-1], ici=None, e50=None, slope=None, slope_lower=None, slope_upper=None))
    curves = [
        UtilityCurves(row=name, predicted=[0.1, 0.5, 0.9], observed=[0.2, 0.5, 0.8], net_benefit=[0.3, 0.1, None])
        for name in names[:2]
    ]
    found = {
        "tau_months": [41.5, 43.25, 42.0, 42.0, 42.0],
        "auc_months": [12.0, 24.0],
        "horizon_months": 24.0,
        "rows": rows,
        "thresholds": THRESHOLDS,
        "treat_all": [0.4, 0.2, -0.1],
        "curves": curves,
        "notes": ["No AUC at 36 months: fewer than a tenth of the training patients of a fold are at risk."],
    }
    performance = Performance.model_validate(found | changes)
    return results.model_copy(update={"performance": performance})


def test_the_table_prints_what_is_saved_and_says_what_is_missing(synthetic_demo):
    table = performance_table(with_performance(synthetic_demo))
    assert [c.title for c in table.columns] == [
        "Row", "Uno's c", "SE", "AUC 12", "AUC 24", "Mean AUC", "IBS", "IPA", "ICI (E50)", "Slope", "D-cal. p",
    ]  # fmt: skip
    lines = {line[0]: line[1:] for line in table.rows}
    assert lines[synthetic_demo.rows[0].name] == (
        "0.650", "0.011", "0.660", "0.683", "0.662", "0.200", "-0.050", "0.043 (0.039)", "0.82 (0.51 to 1.13)",
        "0.031",
    )  # fmt: skip
    assert lines[synthetic_demo.rows[-1].name][-3:-1] == ("–", "–")
    notes = " ".join(table.notes)
    assert "41.5 to 43.2 months" in notes
    assert "No AUC at 36 months" in notes
    many = len(synthetic_demo.rows) - 1
    assert f"fold 2: no event by 24 months (row '{synthetic_demo.rows[0].name}' and {many} more)" in notes


def test_the_page_has_the_section_folded_with_its_figure(synthetic_demo, tmp_path):
    page = write_report(with_performance(synthetic_demo), tmp_path).read_text()
    section = page.partition('<section id="beyond">')[2].partition("</section>")[0]
    assert "<details>" in section
    assert "Slope" in section
    assert "treat everybody" in section
    assert "no threshold is recommended" in section
    assert (tmp_path / "tables" / "beyond_c_index.csv").is_file()
    assert "treat nobody" in (tmp_path / "figures" / "utility.svg").read_text()


def test_results_of_before_have_no_such_section_and_no_stale_files(synthetic_demo, tmp_path):
    write_report(with_performance(synthetic_demo), tmp_path)
    page = write_report(synthetic_demo, tmp_path).read_text()
    assert 'id="beyond"' not in page
    assert not (tmp_path / "tables" / "beyond_c_index.csv").exists()
    assert not (tmp_path / "figures" / "utility.svg").exists()


def test_without_a_horizon_there_is_a_table_and_no_figure(synthetic_demo, tmp_path):
    results = with_performance(synthetic_demo, horizon_months=None)
    page = write_report(results, tmp_path).read_text()
    assert 'id="beyond"' in page
    assert not (tmp_path / "figures" / "utility.svg").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": []}, "rows that are not those of the study"),
        ({"tau_months": [40.0]}, "1 horizons for 5 folds"),
        ({"auc_months": [12.0]}, "2 AUC at 1 times"),
        ({"thresholds": [0.1]}, "net benefits"),
    ],
)
def test_contradictions_are_refused(synthetic_demo, tmp_path, changes, said):
    with pytest.raises(StorageError, match=said):
        write_report(with_performance(synthetic_demo, **changes), tmp_path)


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        (FoldMeasure(values=[0.7], mean=0.7, se=None), "1 values for 5 folds"),
        (FoldMeasure(values=[0.7] * 5, mean=0.6, se=0.0), "a mean of 0.6 that is not that of its folds"),
    ],
)
def test_a_measure_that_is_not_of_the_folds_is_refused(synthetic_demo, tmp_path, measure, said):
    names = [r.name for r in synthetic_demo.rows]
    rows = [row(names[0], uno_c=measure), *(row(name) for name in names[1:])]
    with pytest.raises(StorageError, match=said):
        write_report(with_performance(synthetic_demo, rows=rows), tmp_path)


def test_weights_of_censoring_are_doubted_where_time_splits_the_patients(synthetic_demo):
    stratified = with_performance(synthetic_demo)
    temporal = Splits(kind="temporal", column="year", tested=35, train_n=[30], train_events=[25], test=["2020"])
    doubt = "only as right as censoring was alike"
    assert doubt in beyond_c_index(stratified.model_copy(update={"splits": temporal}))
    assert doubt not in beyond_c_index(stratified)
