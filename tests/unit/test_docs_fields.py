"""The two schema pages name every field there is, with its true default, and their examples are valid."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engram import config
from engram.cohort.manifest import read_manifest
from engram.config import load_config
from engram.evaluation import (
    attribution_records,
    audit_records,
    explain_file,
    explanation_records,
    performance_records,
    reach_records,
    results,
    robustness_records,
)
from engram.evaluation.results import StudyResults

DOCS = Path(__file__).parents[2] / "docs"
STUDY_PAGE = (DOCS / "study-file.md").read_text(encoding="utf-8")
RESULTS_PAGE = (DOCS / "results.md").read_text(encoding="utf-8")
NOT_WRITTEN_BY_USERS = {"folder"}


def block(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found.group(1)


def table_rows(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:3] == "| `"
    ]


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section that a field holds: itself, optional, or by name in a mapping."""
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def leaves(section: type[BaseModel], prefix: str = "") -> dict[str, FieldInfo]:
    """Every field that is no section, by its place in the file."""
    found: dict[str, FieldInfo] = {}
    for name, info in section.model_fields.items():
        inner = section_of(info.annotation)
        if inner is None:
            found[prefix + name] = info
        else:
            named = "<name>." if getattr(info.annotation, "__origin__", None) is dict else ""
            found |= leaves(inner, f"{prefix}{name}.{named}")
    return {name: info for name, info in found.items() if name not in NOT_WRITTEN_BY_USERS}


def default_as_printed(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = list(info.default) if isinstance(info.default, tuple) else info.default
    return f"`{yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix('...' + chr(10)).strip()}`"


def test_every_field_of_the_study_file_is_documented_with_its_default() -> None:
    documented = {row[0].strip("`"): row[1] for row in table_rows(STUDY_PAGE)}
    assert documented == {name: default_as_printed(info) for name, info in leaves(config.StudyConfig).items()}


def test_every_documented_field_says_what_it_means() -> None:
    assert all(len(row) == 4 and row[3] for row in table_rows(STUDY_PAGE))
    assert all(len(row) == 3 and row[1] and row[2] for row in table_rows(RESULTS_PAGE))


@pytest.mark.parametrize(
    "record",
    [
        kind
        for module in (
            results,
            performance_records,
            audit_records,
            attribution_records,
            explain_file,
            explanation_records,
            reach_records,
            robustness_records,
        )
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind.model_fields
    ],
)
def test_every_field_of_the_results_is_documented_in_order(record: type[BaseModel]) -> None:
    _, _, after = RESULTS_PAGE.partition(f"\n## `{record.__name__}`: ")
    names = [row[0].strip("`") for row in table_rows(after.partition("\n## ")[0])]
    assert names == list(record.model_fields)


def test_the_example_of_the_study_file_runs(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(block(STUDY_PAGE, "yaml"))
    manifest = block(STUDY_PAGE, "csv")
    (tmp_path / "cohort.csv").write_text(manifest)
    for path in re.findall(r"[^,\n]+\.nii\.gz", manifest):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    cohort = read_manifest(load_config(tmp_path / "study.yaml"))
    assert [record.patient_id for record in cohort.records] == ["P001", "P002"]
    assert cohort.records[1].covariates["creatinine"] is None


def test_the_example_of_the_results_is_valid() -> None:
    example = StudyResults.model_validate_json(block(RESULTS_PAGE, "json"))
    assert example.flow.pool - sum(step.excluded for step in example.flow.steps) == example.flow.analysed
    assert example.cohort.n == example.flow.analysed
