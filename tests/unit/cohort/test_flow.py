"""The exclusion flow adds up, and counts each patient once (paper Fig. 1)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.cohort.flow import STAGES, exclusion_flow, study_stages
from engram.cohort.manifest import read_manifest
from engram.config import StudyConfig
from engram.errors import ClinicalError, ImagingError, OutcomeError, PatientError
from engram.evaluation.results import Flow

KINDS = (ImagingError, ClinicalError, OutcomeError)


def error(kind: type[PatientError], row: int | None, reason: str = "why", patient_id: str = "P") -> PatientError:
    return kind(patient_id, reason, mend="Mend it.", row=row)


def study(folder: Path, **changes: Any) -> StudyConfig:
    fields: dict[str, Any] = {
        "name": "paper",
        "manifest": folder / "cohort.csv",
        "output": folder,
        "outcome": {"time": "pfs", "event": "event", "unit": "months"},
        "covariates": {"age": {"kind": "continuous", "unit": "years"}},
        "images": {"ct": None},
        "rois": {"skeleton": {"mask": "mask"}},
    }
    return StudyConfig.model_validate({**fields, **changes, "folder": folder})


def test_the_flow_of_the_paper(tmp_path: Path) -> None:
    """349 patients, 4 without segmentation, 83 without annotation, 35 without PFS: 227 (paper 2.1, Fig. 1)."""
    lines = ["patient_id,pet,mask,age,pfs,event"]
    for number in range(349):
        name = f"P{number:03d}"
        for part in ("pet", "mask"):
            (tmp_path / f"{name}_{part}").touch()
        mask = "" if number < 4 else f"{name}_mask"
        age = "" if 2 <= number < 87 else "60"  # two of them have no segmentation either: counted there
        pfs = "" if 85 <= number < 122 else "30"  # two of them have no annotation either
        lines.append(f"{name},{name}_pet,{mask},{age},{pfs},1")
    (tmp_path / "cohort.csv").write_text("\n".join(lines))
    cohort = read_manifest(study(tmp_path))
    flow = exclusion_flow(cohort.pool, cohort.excluded)
    assert [flow.pool, *(step.remaining for step in flow.steps)] == [349, 345, 262, 227]
    assert [step.reasons for step in flow.steps] == [
        {"mask of skeleton missing": 4},
        {"clinical annotation missing": 83},
        {"PFS missing": 35},
    ]
    assert flow.analysed == len(cohort.records) == 227


def test_a_patient_counts_once_at_the_first_stage_by_the_first_reason() -> None:
    errors = [
        error(OutcomeError, 2, "PFS missing"),
        error(ClinicalError, 2, "age is not a number"),
        error(ClinicalError, 2, "sex is none of its levels"),
        error(OutcomeError, 3, "PFS missing"),
    ]
    imaging, clinical, outcome = exclusion_flow(10, errors).steps
    assert (imaging.excluded, imaging.reasons, imaging.remaining) == (0, {}, 10)
    assert (clinical.excluded, clinical.reasons, clinical.remaining) == (1, {"age is not a number": 1}, 9)
    assert (outcome.excluded, outcome.reasons, outcome.remaining) == (1, {"PFS missing": 1}, 8)


def test_blank_and_duplicated_ids_are_clinical_and_counted_by_row(tmp_path: Path) -> None:
    text = "patient_id,age,pfs,event\n,60,5,1\n,61,5,1\na,60,5,1\na,60,5,1\nb,60,5,1\n"
    (tmp_path / "cohort.csv").write_text(text)
    cohort = read_manifest(study(tmp_path, images=None, rois={}))
    clinical = exclusion_flow(cohort.pool, cohort.excluded).steps[1]
    assert clinical.reasons == {"patient id missing": 2, "duplicated patient id": 2}
    assert clinical.remaining == 1


def test_stages_that_the_study_does_not_have_are_left_out(tmp_path: Path) -> None:
    clinical_only = study(tmp_path, images=None, rois={})
    assert study_stages(clinical_only) == ("clinical", "outcome")
    assert study_stages(study(tmp_path, covariates={})) == ("imaging", "outcome")
    steps = exclusion_flow(5, [error(OutcomeError, 2)], study_stages(clinical_only)).steps
    assert [(step.stage, step.excluded) for step in steps] == [("clinical", 0), ("outcome", 1)]


def test_a_stage_with_exclusions_is_never_left_out() -> None:
    flow = exclusion_flow(5, [error(ClinicalError, 2, "duplicated patient id")], ("outcome",))
    assert [step.stage for step in flow.steps] == ["clinical", "outcome"]
    assert flow.analysed == 4


def test_more_exclusions_than_patients_are_refused() -> None:
    with pytest.raises(ValueError, match="2 patients are excluded, but the pool has 1"):
        exclusion_flow(1, [error(OutcomeError, 2), error(ImagingError, 3)])


ERRORS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(2, 30), st.sampled_from("abc")), max_size=60)


@given(found=ERRORS, stages=st.sets(st.sampled_from(STAGES)), rows=st.booleans())
def test_counts_always_add_up(
    found: list[tuple[type[PatientError], int, str]], stages: set[Any], rows: bool
) -> None:
    errors = [error(kind, row if rows else None, why, f"P{row}") for kind, row, why in found]
    flow = exclusion_flow(29, errors, stages)
    patients = {row for _, row, _ in found}
    assert flow.pool - sum(step.excluded for step in flow.steps) == flow.analysed == 29 - len(patients)
    before = flow.pool
    for step in flow.steps:
        assert step.excluded == sum(step.reasons.values()) == before - step.remaining
        before = step.remaining
    assert Flow.model_validate(asdict(flow)).analysed == flow.analysed
