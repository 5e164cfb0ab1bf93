"""The study file of a synthetic cohort: what `engram.config.load_config` reads."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import yaml

from engram.cohort.phantom.clinical import ISOTYPES, LIGHT_CHAINS, R_ISS_LEVELS
from engram.cohort.phantom.settings import PHANTOM_VERSION, PhantomSettings

MARK = "# A synthetic cohort made by Engram"

_UNITS = {
    "age": "years",
    "creatinine": "mg/dL",
    "hemoglobin": "g/dL",
    "platelets": "10^9/L",
    "calcium": "mg/dL",
    "creatinine_clearance": "mL/min",
}


def study_text(settings: PhantomSettings) -> str:
    """The study file as YAML. Everything that it leaves out has the paper's default.

    A comment holds all the settings, so that two cohorts with other images never have the same study file.
    """
    body = yaml.safe_dump(_study(settings), sort_keys=False, allow_unicode=True, width=100)
    origin = f"# Phantom version {PHANTOM_VERSION}, {json.dumps(asdict(settings))}"
    return f"{MARK}: no patient is behind it, and the columns true_* hold its truth.\n{origin}\n{body}"


def _study(settings: PhantomSettings) -> dict[str, Any]:
    return {
        "name": f"Synthetic myeloma cohort (seed {settings.seed})",
        "manifest": "cohort.csv",
        "patient_id": "patient_id",
        "outcome": {"time": "pfs_months", "unit": "months", "event": "progression", "name": "PFS"},
        "covariates": _covariates(),
        "images": {"ct": "ct", "pet": "pet", "labels": "labels", "label_scheme": "totalsegmentator-2/total"},
        "rois": {"spine": {"region": "spine_dilated"}, "skeleton": {"region": "skeleton"}},
        "embedding": {"weights": "untrained-mini"},
        "models": {"stage": "r_iss"},
        "evaluation": {"seed": settings.seed},
        "truth": {"clinical": "true_clinical", "imaging": "true_imaging", "total": "true_total"},
        "output": "results",
        "source": "Synthetic phantom drawn by Engram; a test of the software, no claim about biology",
    }


def _covariates() -> dict[str, Any]:
    continuous = {name: {"kind": "continuous", "unit": unit} for name, unit in _UNITS.items()}
    age, labs = {"age": continuous.pop("age")}, continuous
    return {
        **age,
        "sex": {"kind": "categorical", "levels": ["F", "M"]},
        **labs,
        "isotype": {"kind": "categorical", "levels": list(ISOTYPES)},
        "light_chain": {"kind": "categorical", "levels": list(LIGHT_CHAINS)},
        "r_iss": {"kind": "ordinal", "levels": list(R_ISS_LEVELS), "missing": "level"},
    }
