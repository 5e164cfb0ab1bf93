"""The study file that `engram init` writes: what it found, and what only the user can say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from engram.cohort.imported import ImportedPatient
from engram.pipeline.init_tables import OUTCOME_COLUMNS, column_name

_HEAD = """\
# Written by 'engram init'. Fill in what it cannot know, then: engram check {name}
# 1. outcome: the columns of time and event in {manifest}, and the unit of time.
# 2. covariates: declare each clinical column, for example
#      age: {{kind: continuous, unit: years}}
#      r_iss: {{kind: ordinal, levels: ["I", "II", "III"], missing: level}}
# 3. embedding.weights: 'engram weights ls' lists what is published; untrained-mini only shows that all works.
"""
_NO_LABELS = """\
# No label map and no mask was found. {advice}
"""
_SEGMENT = (
    "'engram segment' runs TotalSegmentator or MOOSE where you have them; until then the\n"
    "# region below takes bone by its density in the CT: approximate, and said so on every page."
)
_NO_ROI = "There is no CT either: give each patient a mask, in a column that rois.<name>.mask names."


def study_text(
    patients: Sequence[ImportedPatient], *, title: str, file_name: str, manifest: str, id_column: str
) -> str:
    """The study file as YAML with comments. Modalities that nobody has are null."""
    head = _HEAD.format(name=file_name, manifest=manifest)
    rois = _rois(patients)
    if not any(patient.labels or patient.masks for patient in patients):
        head += _NO_LABELS.format(advice=_SEGMENT if rois else _NO_ROI)
    time, event = OUTCOME_COLUMNS
    study: dict[str, Any] = {
        "name": title,
        "manifest": manifest,
        "patient_id": id_column,
        "outcome": {"time": time, "unit": "months", "event": event, "name": "PFS"},
        "covariates": {},
        "images": _images(patients),
        "rois": rois or {"region": {"mask": "mask"}},
        "embedding": {"weights": "untrained-mini"},
        "output": "results",
    }
    return head + yaml.safe_dump(study, sort_keys=False, allow_unicode=True, width=100)


def _images(patients: Sequence[ImportedPatient]) -> dict[str, Any]:
    images: dict[str, Any] = {
        "ct": "ct" if any(patient.ct for patient in patients) else None,
        "pet": "pet" if any(patient.pet for patient in patients) else None,
    }
    schemes = sorted({scheme for patient in patients for scheme in patient.labels})
    if schemes:
        images["labels"] = {scheme: f"labels_{column_name(scheme)}" for scheme in schemes}
    return images


def _rois(patients: Sequence[ImportedPatient]) -> dict[str, Any]:
    """The paper's regions where there are label maps; else every ready mask; else bone by its density."""
    if any(patient.labels for patient in patients):
        return {"spine": {"region": "spine_dilated"}, "skeleton": {"region": "skeleton"}}
    masks = sorted({name for patient in patients for name in patient.masks})
    if masks:
        return {column_name(name): {"mask": f"mask_{column_name(name)}"} for name in masks}
    if any(patient.ct for patient in patients):
        return {"bone_approximate": {"region": "ct_threshold"}}
    return {}


def unused_columns(study: Path, columns: Sequence[str]) -> list[str]:
    """Columns of images that a study file does not name; none where it cannot be read."""
    try:
        content = yaml.safe_load(study.read_text("utf-8"))
        images, rois = content.get("images") or {}, content.get("rois") or {}
        labels = images.get("labels")
        named = {images.get("ct", "ct"), images.get("pet", "pet"), *(roi.get("mask") for roi in rois.values())}
        named |= set(labels.values()) if isinstance(labels, dict) else {labels}
    except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError):
        return []
    return [column for column in columns if column not in named]
