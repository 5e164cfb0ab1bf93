"""The workbook of tuning holds what was saved, as numbers, and has no date in it."""

from __future__ import annotations

import io
import time
import zipfile

import pytest
from openpyxl import load_workbook

from engram.evaluation.results import StudyResults
from engram.report.spreadsheet import tuning_workbook


def sheets(results: StudyResults) -> dict[str, list[tuple[object, ...]]]:
    book = load_workbook(io.BytesIO(tuning_workbook(results)))
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}


def test_ranges_and_best_values_are_numbers(whole_study: StudyResults) -> None:
    found = sheets(whole_study)
    assert list(found) == ["ranges", "best values", "rows"]
    assert found["ranges"][1:4] == [
        ("averaging, DeepSurv, image", "nested", "hidden_layers", 0, 2, False, None),
        ("averaging, DeepSurv, image", "nested", "learning_rate", 0.0001, 0.01, True, None),
        ("averaging, DeepSurv, image", "nested", "norm", None, None, False, "none, layer, batch"),
    ]
    head, first, *rest = found["best values"]
    assert dict(zip(head, first, strict=True)) == {
        "search": "averaging, DeepSurv, image", "protocol": "nested", "made_on": "PET, spine_dilated", "fold": 1,
        "trial": 3, "c_index": 0.6543, "epochs": 41, "hidden_layers": 1, "learning_rate": 0.00123456,
        "norm": "batch",
    }  # fmt: skip
    assert [line[3] for line in rest[4:6]] == ["all", 1]
    assert len(found["rows"]) == 1 + 8 + 8 + 1


def test_equal_results_give_equal_bytes_at_any_time(
    whole_study: StudyResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tuning_workbook(whole_study)
    later = time.localtime(time.time() + 1e8)
    monkeypatch.setattr(time, "localtime", lambda *_: later)
    assert tuning_workbook(whole_study) == first


def test_no_date_and_nobody_is_named(whole_study: StudyResults) -> None:
    with zipfile.ZipFile(io.BytesIO(tuning_workbook(whole_study))) as file:
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = file.read("docProps/core.xml").decode()
    assert core.count("1980-01-01T00:00:00Z") == core.count("dcterms:W3CDTF")
    assert "20" not in core.partition("<dcterms:created")[2]


def test_a_name_that_looks_like_a_formula_is_a_name(whole_study: StudyResults) -> None:
    evil = '=HYPERLINK("x")'
    searches = [one.model_copy(update={"group": evil}) for one in whole_study.searches]
    content = tuning_workbook(whole_study.model_copy(update={"searches": searches}))
    book = load_workbook(io.BytesIO(content))
    assert book["ranges"]["A2"].value == evil
    assert book["ranges"]["A2"].data_type == "s"
