"""What is known of the trials of one search: settings, how they did on each fold, which did best."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from engram.config_models import Training
from engram.errors import CohortError
from engram.evaluation.tuning_records import Value

State = Literal["complete", "pruned", "failed"]
COMPLETE: Final = "complete"
PRUNED: Final = "pruned"
FAILED: Final = "failed"


@dataclass(frozen=True)
class Judged:
    """How settings did on one fold. c_index: None where no pair is comparable. epochs: best number of them, None
    where the model has none. failed: why there is no model, else None."""

    c_index: float | None
    epochs: int | None = None
    failed: str | None = None


@dataclass(frozen=True)
class Trial:
    """One point of a search. number: 0 is the study file's own settings. judged: of the folds it was judged on."""

    number: int
    values: dict[str, Value]
    settings: Training
    state: State
    judged: tuple[Judged, ...]

    @property
    def score(self) -> float | None:
        """The mean c-index over the folds so far; None where none has one."""
        return mean_of(self.judged)

    @property
    def epochs(self) -> int | None:
        """The median of the best epochs; None where the model has none, or no fold could tell."""
        known = [one.epochs for one in self.judged if one.epochs is not None]
        return round(statistics.median(known)) if known else None


def best_of(trials: Sequence[Trial]) -> Trial:
    """The completed trial with the highest score, the first of equals; without any score, the first completed.

    Raises CohortError where none is completed.
    """
    completed = [trial for trial in trials if trial.state == COMPLETE]
    if not completed:
        reason = next(one.failed for trial in trials for one in trial.judged if one.failed)
        raise CohortError(f"none of {len(trials)} trials could be fitted; the first: {reason}")
    return max(completed, key=lambda trial: -1.0 if trial.score is None else trial.score)


def mean_of(judged: Sequence[Judged]) -> float | None:
    """The mean c-index over the folds that have one."""
    known = [one.c_index for one in judged if one.c_index is not None]
    return statistics.fmean(known) if known else None
