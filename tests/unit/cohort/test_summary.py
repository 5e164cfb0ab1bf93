"""The cohort table: numbers of the paper's kind, checked by hand."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.cohort.records import PatientRecord
from engram.cohort.summary import Characteristic, median_follow_up_months, summarise
from engram.config import StudyConfig
from engram.errors import CohortError
from engram.evaluation import results
from engram.outcome import SurvivalOutcome

RISS = ("I", "II", "III")


def study(unit: str = "months", **covariates: Any) -> StudyConfig:
    fields = {
        "name": "test",
        "manifest": "cohort.csv",
        "output": "out",
        "outcome": {"time": "t", "event": "e", "unit": unit},
        "covariates": covariates or {"age": {"kind": "continuous", "unit": "years"}},
    }
    return StudyConfig.model_validate(fields)


def record(
    number: int, *, event: bool = True, time: float = 1.0, **covariates: float | str | None
) -> PatientRecord:
    return PatientRecord(f"P{number}", number + 2, None, None, None, {}, covariates, event, time)


def lines(config: StudyConfig, *values: float | str | None) -> tuple[Characteristic, ...]:
    (name,) = config.covariates
    return summarise([record(i, **{name: value}) for i, value in enumerate(values)], config).characteristics


def test_times_and_counts_by_hand() -> None:
    """In reverse, G falls to 4/5 at 2 (5 at risk), to 8/15 at 4 (3 at risk) and to 0 at 6 (1 at risk)."""
    times, events = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), (True, False, True, False, True, False)
    records = [record(i, event=e, time=t, age=60.0) for i, (e, t) in enumerate(zip(events, times, strict=True))]
    summary = summarise(records, study())
    assert (summary.n, summary.events, summary.censored, summary.endpoint) == (6, 3, 3, "PFS")
    assert (summary.median_time, summary.median_time_events, summary.median_time_censored) == (3.5, 3.0, 4.0)
    assert summary.median_follow_up == 6.0


def test_times_are_months_whatever_the_unit() -> None:
    records = [record(i, time=t, event=e) for i, (t, e) in enumerate([(1.0, True), (2.0, False), (3.0, False)])]
    config = study("years", age={"kind": "continuous", "unit": "years"})
    summary = summarise([PatientRecord(**{**vars(r), "covariates": {"age": 1.0}}) for r in records], config)
    assert (summary.median_time, summary.median_time_events, summary.median_time_censored) == (24.0, 12.0, 30.0)
    assert summary.median_follow_up == 24.0


def test_follow_up_without_any_censoring_is_not_known() -> None:
    outcome = SurvivalOutcome(np.array([True, True]), np.array([1.0, 2.0]))
    assert median_follow_up_months(outcome) is None
    assert summarise([record(0, age=1.0)], study()).median_time_censored is None


def test_a_continuous_covariate() -> None:
    assert lines(study(), 50.0, 60.0, None, 70.0) == (Characteristic("age (years)", "", "60.0 (10.0)", 1),)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.01, 0.02, 0.03), "0.020 (0.010)"),
        ((100.0, 300.0), "200.0 (141.4)"),
        ((5.0, 5.0), "5.0 (0.0)"),
        ((5.0, None), "5.0 (-)"),
        ((None, None), "-"),
        ((1e12, -1e12), "0.0 (1414213562373.1)"),
    ],
)
def test_digits_follow_the_spread(values: tuple[float | None, ...], shown: str) -> None:
    (line,) = lines(study(x={"kind": "continuous", "unit": "1"}), *values)
    assert (line.variable, line.value) == ("x", shown)


def test_levels_in_their_declared_order_as_in_the_paper() -> None:
    """R-ISS of the paper: 49, 95, 25 and 58 not reported, of 227 (its 25.6 % is 58/227 = 25.55 %, rounded)."""
    config = study(riss={"kind": "ordinal", "levels": RISS, "missing": "level"})
    values = ["III"] * 25 + ["I"] * 49 + [None] * 58 + ["II"] * 95
    assert [(line.level, line.value, line.missing) for line in lines(config, *values)] == [
        ("I", "49 (21.6 %)", 58),
        ("II", "95 (41.9 %)", 58),
        ("III", "25 (11.0 %)", 58),
        ("missing", "58 (25.6 %)", 58),
    ]


def test_undeclared_levels_are_sorted_and_imputed_ones_have_no_line() -> None:
    config = study(isotype={"kind": "categorical"})
    found = [(line.level, line.value, line.missing) for line in lines(config, "IgG", None, "IgA", "IgG")]
    assert found == [("IgA", "1 (25.0 %)", 1), ("IgG", "2 (50.0 %)", 1)]


def test_a_declared_level_that_nobody_has_is_shown() -> None:
    config = study(sex={"kind": "categorical", "levels": ["F", "M"]})
    assert [line.value for line in lines(config, "F")] == ["1 (100.0 %)", "0 (0.0 %)"]


def test_nobody_cannot_be_described() -> None:
    with pytest.raises(CohortError, match="n = 0"):
        summarise([], study())


def test_the_saved_results_take_it_as_it_is(tmp_path: Path) -> None:
    config = study(age={"kind": "continuous", "unit": "years"}, sex={"kind": "categorical"})
    summary = summarise([record(0, age=60.0, sex="F"), record(1, event=False, age=None, sex=None)], config)
    saved = results.CohortSummary.model_validate(asdict(summary))
    assert [line.variable for line in saved.characteristics] == ["age (years)", "sex"]
