"""The paper's protocol (2.4.1): hyperparameters tuned on the test folds themselves.

THIS MODULE LOOKS AT THE OUTCOMES OF TEST PATIENTS, ON PURPOSE, to show what that pretends. Its numbers are
optimistic, on pure noise too, and are labelled so wherever they are printed. `protocols.py` alone may call it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engram.config_models import Training
from engram.errors import CohortError
from engram.evaluation.fold_fit import job_seed, scored
from engram.evaluation.fold_jobs import FoldJob, kept_risks, opened
from engram.evaluation.rows import RowSpec
from engram.evaluation.search_space import space_of
from engram.evaluation.sobol import search
from engram.evaluation.trials import Judged, Trial


@dataclass(frozen=True)
class SameFoldsJob:
    """One row on all test folds, for a worker."""

    folds: Sequence[FoldJob]

    @property
    def spec(self) -> RowSpec:
        """The row."""
        return self.folds[0].spec

    @property
    def table(self) -> Path:
        """The file of the study table."""
        return self.folds[0].table


def search_on_test_folds(job: SameFoldsJob) -> list[Trial]:
    """The trials of one row: each is fitted on every training part, as a row with these settings would be, and its
    score is the mean c-index (Harrell) on the test patients. Fits are kept with those of rows."""
    first = job.folds[0]
    tuning, base = first.config.tuning, first.config.training

    def judge(settings: Training, fold: int) -> Judged:
        return _on_test_fold(job.folds[fold].with_training(settings))

    return search(
        space_of(first.spec, base),
        base,
        judge,
        folds=len(job.folds),
        trials=tuning.trials,
        prune=tuning.prune,
        seed=job_seed(first.config.evaluation.seed, f"{first.spec.name}, search on test folds", 0),
    )


def _on_test_fold(job: FoldJob) -> Judged:
    try:
        risks = kept_risks(job)
    except CohortError as error:
        return Judged(None, failed=str(error))
    return Judged(scored(risks, opened(job.table), job.fold).c_index)
