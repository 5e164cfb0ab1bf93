"""The models that made the out-of-fold risks, made again and held to these risks bit for bit.

Evaluation keeps risks and no model: what cannot be stored without a pickle is fitted anew from the same patients,
settings and seed. It is only handed out where its risks of the fold's test patients are those that were kept.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from engram.config import StudyConfig
from engram.errors import CohortError, StorageError
from engram.evaluation.fingerprint import fingerprint
from engram.evaluation.fold_fit import DIVERGED, FittedModel, FoldRisks, fit_model, visible
from engram.evaluation.fold_jobs import FoldJob, JobParts, parts_of, risks_found
from engram.evaluation.preprocess import keys_of
from engram.evaluation.protocols import headline_jobs
from engram.evaluation.rows import RowSpec, rows_of
from engram.explain.fold_model import FoldModel
from engram.jobs import Progress, run_jobs
from engram.survival.splits import Fold
from engram.table import StudyTable

RiskArray = npt.NDArray[np.float64]

_MEND = "Delete the folder 'cache' in the run folder, and run 'engram run' (or 'evaluate') again."


@dataclass(frozen=True)
class Refit:
    """One model fitted now. config: with the settings that tuning found. proven: whether kept risks were there, and
    are its own."""

    fitted: FittedModel
    config: StudyConfig
    seed: int
    test_risk: RiskArray
    fingerprint: str
    proven: bool


def fold_models(
    table: StudyTable,
    spec: RowSpec,
    folds: Sequence[Fold],
    config: StudyConfig,
    *,
    cache_dir: Path,
    workers: int,
    specs: Sequence[RowSpec] | None = None,
    saved: pd.Series[float] | None = None,
    progress: Progress | None = None,
) -> list[FoldModel]:
    """The model of a row under the headline's protocol, one a fold, each fitted on its training part alone.

    Proven is that risks and fingerprint are those kept in `cache_dir`, and where given, that the risks are `saved`
    (by patient id, as of `out_of_fold.saved_risks`), bit for bit. specs: all rows that were evaluated; by default
    those of the study file whose embeddings are in the table. workers: as of `run_jobs`; same models.
    Raises StorageError naming row and fold where risks differ, or where there are none to hold a model to;
    ConfigError where the row is none of the study's; CohortError where a fit fails.
    """
    seen = [one for one in rows_of(config) if set(keys_of(one)) <= table.features.embeddings.keys()]
    everything = seen if specs is None else list(specs)
    with headline_jobs(
        table, spec, everything, folds, config, workers=workers, cache_dir=cache_dir, progress=progress
    ) as jobs:
        travelled = run_jobs(_refitted, jobs, workers=workers, progress=progress)
    refits = [unpacked(one) for one in travelled]
    models = [as_fold_model(table, spec, number, fold, refits[number]) for number, fold in enumerate(folds)]
    for model, refit in zip(models, refits, strict=True):
        _hold_to_saved(model, saved, proven=refit.proven)
    return models


def as_fold_model(
    table: StudyTable, spec: RowSpec, number: int, fold: Fold, refit: Refit, *, control: str | None = None
) -> FoldModel:
    """What was fitted on one fold, with the ids of those who trained it. control: as of `FoldModel`."""
    ids = table.features.ids
    return FoldModel(
        spec=spec,
        config=refit.config,
        number=number,
        fold=fold,
        seed=refit.seed,
        fitted=refit.fitted,
        train_ids=tuple(ids[i] for i in fold.train_index),
        test_ids=tuple(ids[i] for i in fold.test_index),
        test_risk=refit.test_risk,
        fingerprint=refit.fingerprint,
        control=control,
    )


def fitted_on(job: FoldJob, parts: JobParts, *, seed: int) -> FittedModel:
    """The row of a job fitted on these training patients. Raises CohortError naming row and fold."""
    try:
        return fit_model(parts.training, job.spec, job.config, seed=seed, epochs=job.epochs)
    except CohortError as error:
        raise CohortError(f"{_name(job)}: {error}") from error


def described(fitted: FittedModel, job: FoldJob, parts: JobParts, *, seed: int, proven: bool) -> Refit:
    """A fitted model with its fingerprint, then its risks of the test patients, all at once as the study has them.
    Raises CohortError where a risk is not finite."""
    made = fingerprint(fitted.pipeline)  # before it sees a test patient
    risk = fitted.predict(visible(parts.test, job.spec))
    if not np.isfinite(risk).all():
        raise CohortError(f"{_name(job)}: {DIVERGED}")
    return Refit(fitted, job.config, seed, risk, made, proven)


def packed(model: object) -> bytes:
    """A model on its way between processes: as such, its tensors would be shared memory that ends with one."""
    return pickle.dumps(model)


def unpacked(content: bytes) -> Any:
    """What `packed` made, in this run, in a process of our own; nothing of it was ever on disk."""
    return pickle.loads(content)  # noqa: S301


def _refitted(job: FoldJob) -> bytes:
    """One fold, in a worker, held to what is kept."""
    parts = parts_of(job)
    kept = risks_found(parts)
    fitted = fitted_on(job, parts, seed=parts.seed)
    refit = described(fitted, job, parts, seed=parts.seed, proven=kept is not None)
    if kept is not None:
        _hold_to_kept(job, refit, kept)
    return packed(refit)


def _hold_to_kept(job: FoldJob, refit: Refit, kept: FoldRisks) -> None:
    differs = _difference(refit.test_risk, kept.test_risk)
    if differs is None and refit.fingerprint != kept.fingerprint:
        differs = "what was fitted has another fingerprint"
    if differs is not None:
        raise StorageError(
            f"{_name(job)}: the model fitted now is not the one that made the kept "
            f"risks ({differs}). They were made on another machine, or were damaged. {_MEND}"
        )


def _hold_to_saved(model: FoldModel, saved: pd.Series[float] | None, *, proven: bool) -> None:
    name = f"row '{model.spec.name}', fold {model.number + 1}"
    if saved is None:
        if not proven:
            raise StorageError(
                f"{name}: no risks are kept of this model, under these data, settings and code; a model that "
                "nothing can be held to explains nothing. Run 'engram run' (or 'evaluate') first."
            )
        return
    absent = [number for number, one in enumerate(model.test_ids, 1) if one not in saved.index]
    if absent:
        raise StorageError(
            f"{name}: {len(absent)} of {len(model.test_ids)} test patients have no saved risk. The results are of "
            "other patients or folds: run 'engram run' (or 'evaluate') again."
        )
    differs = _difference(model.test_risk, np.asarray(saved.loc[list(model.test_ids)], dtype=np.float64))
    if differs is not None:
        raise StorageError(
            f"{name}: the model fitted now is not the one that made the saved out-of-fold risks ({differs}). "
            f"They are of other data, settings or code, or of another machine. {_MEND}"
        )


def _name(job: FoldJob) -> str:
    return f"row '{job.spec.name}', fold {job.number + 1}"


def _difference(made: RiskArray, kept: RiskArray) -> str | None:
    """How risks differ, None where every bit is the same."""
    if np.array_equal(made, kept):
        return None
    wrong = made != kept
    return f"{int(wrong.sum())} of {len(kept)} risks differ, by up to {np.abs(made - kept).max():.3g}"
