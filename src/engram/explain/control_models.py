"""Models that can know nothing, to hold a sensitivity map against (Adebayo et al., NeurIPS 2018).

A map that looks the same with a model whose training outcomes were permuted, or with one that was never trained,
shows the scan and not what was learned of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from engram.errors import ConfigError
from engram.evaluation.fold_fit import FittedModel, job_seed
from engram.evaluation.fold_jobs import FoldJob, JobParts, fold_jobs, parts_of
from engram.evaluation.models import CoxModel
from engram.explain.fold_model import FoldModel
from engram.explain.fold_models import as_fold_model, described, fitted_on, packed, unpacked
from engram.jobs import Progress, run_jobs
from engram.table import StudyTable

PERMUTED: Final = "permuted outcomes"
UNTRAINED: Final = "untrained weights"
CONTROLS: Final = (PERMUTED, UNTRAINED)


@dataclass(frozen=True)
class _ControlJob:
    job: FoldJob
    control: str
    seed: int


def control_models(
    table: StudyTable,
    models: Sequence[FoldModel],
    control: str,
    *,
    cache_dir: Path,
    workers: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[FoldModel]:
    """The same rows, folds, settings and epochs, with what is learned spoiled on purpose.

    'permuted outcomes': times and events, together, permuted among the training patients, then fitted from the
    same initial weights. 'untrained weights': networks as they are initialised, from another seed, with
    normalisation calibrated; of ridge Cox a random direction as long as the fitted coefficients. models: of one
    row, as of `fold_models`. seed: another one gives another permutation, or other weights.
    Raises ConfigError for another control, CohortError where a fit fails.
    """
    if control not in CONTROLS:
        raise ConfigError(f"'{control}' is no control of a model. Take one of: {', '.join(CONTROLS)}.")
    folds, spec = [model.fold for model in models], models[0].spec
    with fold_jobs(table, [spec], folds, models[0].config, cache_dir=cache_dir) as jobs:
        asked = [
            _ControlJob(_as_of(model, job), control, job_seed(seed, f"{spec.name}, {control}", model.number))
            for model, job in zip(models, jobs, strict=True)
        ]
        made = [unpacked(one) for one in run_jobs(_spoiled, asked, workers=workers, progress=progress)]
    return [
        as_fold_model(table, spec, model.number, model.fold, refit, control=control)
        for model, refit in zip(models, made, strict=True)
    ]


def _as_of(model: FoldModel, job: FoldJob) -> FoldJob:
    """The job as the model was fitted: of its own number, settings and epochs."""
    return replace(job, number=model.number).with_training(model.config.training, model.epochs)


def _spoiled(asked: _ControlJob) -> bytes:
    job, parts = asked.job, parts_of(asked.job)
    if asked.control == PERMUTED:
        seed, fitted = parts.seed, fitted_on(job, _permuted(parts, asked.seed), seed=parts.seed)
    else:
        seed, fitted = asked.seed, fitted_on(replace(job, epochs=0), parts, seed=asked.seed)
        _turn_coefficients(fitted, asked.seed)
    return packed(described(fitted, job, parts, seed=seed, proven=False))


def _permuted(parts: JobParts, seed: int) -> JobParts:
    training = parts.training
    order = np.random.default_rng(seed).permutation(len(training))
    return replace(parts, training=replace(training, outcome=training.outcome.subset(order)))


def _turn_coefficients(fitted: FittedModel, seed: int) -> None:
    """Networks of no epochs are untrained already. Cox has no weights before its fit: its own are turned."""
    survival = fitted.pipeline.named_steps["survival"]
    if isinstance(survival, CoxModel) and survival.cox_.coefficients is not None:
        length = np.linalg.norm(survival.cox_.coefficients)
        drawn = np.random.default_rng(seed).normal(size=survival.cox_.coefficients.shape)
        survival.cox_.coefficients = drawn * (length / np.linalg.norm(drawn))
