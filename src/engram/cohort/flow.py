"""The exclusion flow (paper 2.1, Fig. 1), counted from the errors rather than drawn by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Literal

from engram.config import StudyConfig
from engram.errors import PatientError

Stage = Literal["imaging", "clinical", "outcome"]

STAGES: tuple[Stage, ...] = ("imaging", "clinical", "outcome")
_RANKS: dict[str, int] = {stage: rank for rank, stage in enumerate(STAGES)}
_TITLES: dict[Stage, str] = {
    "imaging": "Image or mask missing or unusable",
    "clinical": "Clinical annotation or patient id missing or unusable",
    "outcome": "Outcome missing or unusable",
}


@dataclass(frozen=True)
class FlowStep:
    """How many patients were left out at a stage, by reason, and how many remain after it."""

    stage: Stage
    title: str
    excluded: int
    reasons: dict[str, int]
    remaining: int


@dataclass(frozen=True)
class ExclusionFlow:
    """pool: rows of the manifest. analysed: pool less all that the steps exclude."""

    pool: int
    steps: tuple[FlowStep, ...]
    analysed: int


def study_stages(config: StudyConfig) -> tuple[Stage, ...]:
    """The stages that a study has: no imaging without images, no clinical without covariates."""
    had = {"imaging": config.images is not None, "clinical": bool(config.covariates), "outcome": True}
    return tuple(stage for stage in STAGES if had[stage])


def exclusion_flow(pool: int, errors: Iterable[PatientError], stages: Collection[Stage] = STAGES) -> ExclusionFlow:
    """Count each excluded patient once: at the first stage (imaging, clinical, outcome), by the first reason there.

    Blank and duplicated ids are clinical: the row cannot be linked to a patient. Patients are told apart by row,
    or by id where an error has no row. A stage outside `stages` is left out unless someone was excluded at it,
    so that pool less the excluded is always `analysed`. Raises ValueError where more are excluded than the pool.
    """
    firsts = Counter((error.stage, error.reason) for error in _first_errors(errors))
    steps, remaining = [], pool
    for stage in STAGES:
        reasons = {reason: count for (where, reason), count in firsts.items() if where == stage}
        remaining -= sum(reasons.values())
        if reasons or stage in stages:
            steps.append(FlowStep(stage, _TITLES[stage], sum(reasons.values()), reasons, remaining))
    if remaining < 0:
        raise ValueError(f"{pool - remaining} patients are excluded, but the pool has {pool}")
    return ExclusionFlow(pool, tuple(steps), remaining)


def _first_errors(errors: Iterable[PatientError]) -> list[PatientError]:
    firsts: dict[Hashable, PatientError] = {}
    ranked = sorted(errors, key=lambda error: _RANKS[error.stage])
    for error in ranked:
        firsts.setdefault(error.row if error.row is not None else error.patient_id, error)
    return list(firsts.values())
