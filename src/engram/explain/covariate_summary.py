"""Values of covariates over a cohort: how much each of them moves risks, and how sure that is."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats

from engram.config import Covariate
from engram.evaluation.bootstrap import CONFIDENCE, RESAMPLES, Interval
from engram.evaluation.covariates import checked_covariates
from engram.evaluation.explanation_records import CovariateEffect, CovariateEffects, ExplainedModel
from engram.evaluation.fold_fit import job_seed
from engram.explain.covariate_values import CovariateValues
from engram.explain.fold_model import FoldModel
from engram.table import PatientFeatures

Float64 = npt.NDArray[np.float64]

FEWEST = 10  # patients of whom an interval is given


def model_record(model: FoldModel) -> ExplainedModel:
    """What is saved of a model that explains."""
    networks = 0 if model.deepsurv is None else len(model.deepsurv.nets)
    return ExplainedModel(
        row=model.spec.name,
        fold=model.number + 1,
        held_out=len(model.test_ids),
        epochs=model.epochs,
        networks=networks,
        fingerprint=model.fingerprint,
        control=model.control,
    )


def covariate_effects(
    models: Sequence[FoldModel], found: Sequence[CovariateValues], features: PatientFeatures
) -> CovariateEffects:
    """The values of all folds together, patients in the order of `features`, which are the whole study.

    models, found: of one row, fold by fold. Intervals are by a bootstrap of patients within their folds, models
    staying as they are: BCa, as of `bootstrap.c_index_interval`. Raises ValueError where a patient comes twice.
    """
    ids = [patient for one in found for patient in one.ids]
    if len(set(ids)) < len(ids):
        raise ValueError("a patient is explained by two folds: give the folds of one repeat alone")
    number = {patient: position for position, patient in enumerate(features.ids)}
    positions = np.array([number[patient] for patient in ids], dtype=np.intp)
    order = np.argsort(positions)
    config, row = models[0].config, models[0].spec.name
    declared = {name: config.covariates[name] for name in found[0].names}
    fold = np.concatenate([np.full(len(one.ids), one.fold + 1) for one in found])
    places = _places(features, declared)
    values = np.concatenate([one.values for one in found])
    se = [one.se for one in found if one.se is not None]
    return CovariateEffects(
        row=row,
        patients=(positions[order] + 1).tolist(),
        folds=fold[order].tolist(),
        risk=np.concatenate([one.risk for one in found])[order].tolist(),
        baseline=np.concatenate([one.baseline for one in found])[order].tolist(),
        background=[one.background for one in found],
        exact=not se,
        effects=[
            _effect(
                name,
                values[order, column],
                fold[order],
                [places[name][position] for position in positions[order]],
                largest_se=max((float(one[:, column].max()) for one in se), default=None),
                seed=job_seed(config.evaluation.seed, f"{row}, values of {name}", 0),
            )
            for column, name in enumerate(declared)
        ],
    )


def _effect(
    name: str,
    values: Float64,
    fold: npt.NDArray[np.int64],
    places: list[float | None],
    *,
    largest_se: float | None,
    seed: int,
) -> CovariateEffect:
    interval = mean_interval([np.abs(values[fold == number]) for number in np.unique(fold)], seed=seed)
    return CovariateEffect(
        covariate=name,
        mean_absolute=float(np.abs(values).mean()),
        ci_lower=None if interval is None else interval.lower,
        ci_upper=None if interval is None else interval.upper,
        values=values.tolist(),
        places=places,
        largest_se=largest_se,
    )


def mean_interval(parts: Sequence[Float64], *, seed: int) -> Interval | None:
    """The 95 % interval of the mean over all patients, who are resampled within their parts (folds); None for fewer
    than ten patients, a part of one, or where all are alike."""
    everyone = np.concatenate(parts)
    if len(everyone) < FEWEST or min(map(len, parts)) < 2 or np.ptp(everyone) == 0:
        return None
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            parts,
            lambda *samples, axis=-1: np.concatenate(samples, axis=axis).mean(axis=axis),
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="BCa",
            vectorized=True,
            rng=np.random.default_rng(seed),
        ).confidence_interval
    lower, upper = float(found.low), float(found.high)
    return Interval(lower, upper) if np.isfinite([lower, upper]).all() else None


def _places(features: PatientFeatures, declared: dict[str, Covariate]) -> dict[str, list[float | None]]:
    """Where each patient's value lies among all: by rank of numbers, by level where these have an order."""
    columns = checked_covariates(features, declared)
    found: dict[str, list[float | None]] = {}
    for name, covariate in declared.items():
        cells = columns[name]
        if covariate.kind == "categorical":
            found[name] = [None] * len(cells)
            continue
        if covariate.kind == "ordinal":
            levels = list(covariate.levels or ())
            cells = cells.map(lambda level, levels=levels: np.nan if level is None else levels.index(level))
        known = cells.astype(np.float64).to_numpy()
        ranks = stats.rankdata(known, nan_policy="omit")
        spread = max(np.nanmax(ranks) - 1, 1) if np.isfinite(ranks).any() else 1
        found[name] = [None if np.isnan(rank) else float((rank - 1) / spread) for rank in ranks]
    return found
