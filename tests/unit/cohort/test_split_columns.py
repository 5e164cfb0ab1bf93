"""Site and date of diagnosis: read where the splits need them, refused where they cannot be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engram.cohort.cells import parse_when
from engram.cohort.flow import exclusion_flow
from engram.cohort.manifest import Cohort, read_manifest
from engram.config import StudyConfig
from engram.errors import ClinicalError, ManifestError
from engram.pipeline.study_table import study_table

GROUPED = {"splits": "grouped", "group": "site"}
TEMPORAL = {"splits": "temporal", "order": "seen"}


def read(folder: Path, evaluation: dict[str, Any], *cells: tuple[str, str]) -> tuple[StudyConfig, Cohort]:
    """Patients of an age, with the site and the date given."""
    lines = [f"P{number},60,12,1,{site},{seen}" for number, (site, seen) in enumerate(cells)]
    (folder / "cohort.csv").write_text("\n".join(["patient_id,age,t,e,site,seen", *lines]))
    config = StudyConfig.model_validate(
        {
            "name": "test",
            "manifest": "cohort.csv",
            "output": "out",
            "outcome": {"time": "t", "event": "e", "unit": "months"},
            "covariates": {"age": {"kind": "continuous", "unit": "years"}},
            "evaluation": evaluation,
            "folder": folder,
        }
    )
    return config, read_manifest(config)


def test_the_columns_reach_the_table_and_no_model(tmp_path: Path) -> None:
    config, cohort = read(tmp_path, GROUPED, ("Graz", "2019"), ("Wien", "2020"))
    table = study_table(config, cohort.records, None).table
    assert (table.groups, table.order) == (("Graz", "Wien"), None)
    assert list(table.features.covariates) == ["age"]
    config, cohort = read(tmp_path, TEMPORAL, ("Graz", "2019"), ("Wien", "2020.5"))
    table = study_table(config, cohort.records, None).table
    assert (table.groups, table.order) == (None, (2019.0, 2020.5))
    config, cohort = read(tmp_path, {}, ("", ""), ("Wien", "soon"))
    table = study_table(config, cohort.records, None).table
    assert (table.groups, table.order) == (None, None)


@pytest.mark.parametrize(
    ("evaluation", "cell", "reason"),
    [
        (GROUPED, ("", "2019"), "site of the splits missing"),
        (TEMPORAL, ("Graz", "NA"), "year or date of the splits missing"),
        (TEMPORAL, ("Graz", "2019-02-30"), "year or date of the splits is neither"),
        (TEMPORAL, ("Graz", "31.3.2019"), "year or date of the splits is neither"),
    ],
)
def test_a_patient_without_a_place_in_the_folds_is_left_out(
    tmp_path: Path, evaluation: dict[str, Any], cell: tuple[str, str], reason: str
) -> None:
    _, cohort = read(tmp_path, evaluation, ("Graz", "2018"), cell)
    (error,) = cohort.excluded
    assert type(error) is ClinicalError
    assert (error.patient_id, error.reason, error.row) == ("P1", reason, 3)
    assert exclusion_flow(cohort.pool, cohort.excluded).steps[1].reasons == {reason: 1}


@pytest.mark.parametrize(
    ("evaluation", "cells", "what"),
    [
        (GROUPED, [("Graz", ""), ("graz", "")], r"sites that differ in case only.*Graz, graz"),
        (TEMPORAL, [("", "2019"), ("", "2019-03-31")], r"dates and numbers.*2019-03-31, 2019"),
        ({"splits": "grouped", "group": "centre"}, [("Graz", "")], r"evaluation.group names it"),
        ({"splits": "grouped", "group": "age"}, [("Graz", "")], r"covariates.age and evaluation.group are one"),
    ],
)
def test_columns_that_cannot_make_folds_stop_the_study(
    tmp_path: Path, evaluation: dict[str, Any], cells: list[tuple[str, str]], what: str
) -> None:
    with pytest.raises(ManifestError, match=what):
        read(tmp_path, evaluation, *cells)


def test_dates_are_years_and_keep_their_order() -> None:
    texts = ["2019-12-31", "2020-01-01", "2020-02-29", "2020-12-31", "2021-01-01"]
    found = [parse_when(text) for text in texts]
    assert found == sorted(found)
    assert (found[1], found[2]) == (2020.0, pytest.approx(2020 + 59 / 366))
    assert parse_when("2019") == 2019
    assert parse_when("2019-13-01") is None


def test_a_column_of_another_form_is_one_problem_with_examples(tmp_path: Path) -> None:
    cells = [("Graz", f"{day}.03.2019") for day in range(10, 20)]
    with pytest.raises(ManifestError) as refused:
        read(tmp_path, TEMPORAL, *cells, ("Graz", "2019-03-31"))
    (problem,) = refused.value.problems
    assert (problem.column, problem.value) == ("seen", "10.03.2019, 11.03.2019, 12.03.2019")
    assert "10 of 11 cells" in problem.what
    assert "2019-03-31" in problem.mend


def test_months_are_not_taken_for_decimal_numbers(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"has months.*12\.2019, 01\.2020"):
        read(tmp_path, TEMPORAL, ("Graz", "12.2019"), ("Graz", "01.2020"))
    _, cohort = read(tmp_path, TEMPORAL, ("Graz", "2019.5"), ("Graz", "2020.25"))
    assert not cohort.excluded
