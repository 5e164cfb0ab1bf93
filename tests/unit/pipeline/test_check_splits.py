"""Folds that cannot be made are told before hours of embedding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engram.config import StudyConfig
from engram.errors import CohortError
from engram.pipeline.check import check
from engram.pipeline.console import Silent


def config(folder: Path, evaluation: dict[str, Any], sites: list[str]) -> StudyConfig:
    lines = [f"P{number},60,{10 + number},1,{site},{2000 + number}" for number, site in enumerate(sites)]
    (folder / "cohort.csv").write_text("\n".join(["patient_id,age,t,e,site,seen", *lines]))
    body = {
        "name": "test",
        "manifest": "cohort.csv",
        "output": "out",
        "outcome": {"time": "t", "event": "e", "unit": "months"},
        "covariates": {"age": {"kind": "continuous", "unit": "years"}},
        "evaluation": evaluation,
        "folder": folder,
    }
    return StudyConfig.model_validate(body)


def test_a_site_that_cannot_be_tested_on_is_named_by_check(tmp_path: Path) -> None:
    grouped = {"splits": "grouped", "group": "site", "folds": 3}
    with pytest.raises(CohortError, match=r"tests on 1 patient.*\(site 'Wien'\): too few") as refused:
        check(config(tmp_path, grouped, ["Graz"] * 6 + ["Ulm"] * 5 + ["Wien"]), workers=0, console=Silent())
    assert "first_window" not in str(refused.value)
    assert "join small sites" in str(refused.value)
    with pytest.raises(CohortError, match="2 site"):
        check(config(tmp_path, grouped, ["Graz"] * 6 + ["Ulm"] * 6), workers=0, console=Silent())


@pytest.mark.parametrize(
    "evaluation",
    [
        {"folds": 3},
        {"splits": "grouped", "group": "site", "folds": 3},
        {"splits": "temporal", "order": "seen", "folds": 2},
    ],
)
def test_folds_that_can_be_made_pass(tmp_path: Path, evaluation: dict[str, Any]) -> None:
    found = check(config(tmp_path, evaluation, ["Graz", "Ulm", "Wien"] * 5), workers=0, console=Silent())
    assert len(found.cohort.records) == 15
