"""Tables with some patients made absurd, for the leakage audit: what training must not notice, and what it must."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from engram.config import Covariate
from engram.outcome import SurvivalOutcome
from engram.table import FloatArray, PatientFeatures, StudyTable

Index = npt.NDArray[np.intp]
ABSURD = 1e4


def altered(
    table: StudyTable, index: Index, declared: Mapping[str, Covariate], *, seed: int, size: float = ABSURD
) -> StudyTable:
    """The table with covariates, embeddings and outcomes of the patients of `index` replaced by noise far outside
    of what can be, with nothing missing. Levels that are declared stay declared ones. size: sd of the noise in
    embeddings, a hundred times as much in covariates."""
    rng = np.random.default_rng(seed)
    features = table.features
    covariates = features.covariates.astype(object).copy()
    for name, covariate in declared.items():
        cells = covariates[name].tolist()
        for number, value in zip(index, _absurd(covariate, len(index), rng, size), strict=True):
            cells[number] = value
        covariates[name] = pd.Series(cells, index=covariates.index, dtype=object)
    embeddings = {key: _noise(array, index, rng, size) for key, array in features.embeddings.items()}
    return replace(
        with_outcomes(table, index, seed=seed),
        features=PatientFeatures(features.ids, covariates, embeddings, features.declared),
    )


def with_outcomes(table: StudyTable, index: Index, *, seed: int) -> StudyTable:
    """The table with the outcomes of these patients turned round: events censored, the censored with the event, at
    times of their own."""
    rng = np.random.default_rng(seed)
    event, time = table.outcome.event.copy(), table.outcome.time.copy()
    event[index], time[index] = ~event[index], rng.exponential(100 * time.max(), len(index)) + 1e-3
    return replace(table, outcome=SurvivalOutcome(event, time, table.outcome.unit))


def permuted(table: StudyTable, index: Index, *, seed: int) -> StudyTable:
    """The table with time and event, together, permuted among the patients of `index`."""
    order = np.arange(len(table))
    order[index] = np.random.default_rng(seed).permutation(index)
    return replace(table, outcome=table.outcome.subset(order))


def leaky(table: StudyTable, declared: Mapping[str, Covariate]) -> StudyTable:
    """The planted leak: numbers centred and scaled by all patients before there were folds, as is often done."""
    covariates = table.features.covariates.astype(object).copy()
    for name in (name for name, covariate in declared.items() if covariate.kind == "continuous"):
        column = pd.to_numeric(covariates[name])
        covariates[name] = (column - column.mean()) / (column.std() or 1.0)
    embeddings = {key: _scaled(array) for key, array in table.features.embeddings.items()}
    return replace(table, features=replace(table.features, covariates=covariates, embeddings=embeddings))


def centred(table: StudyTable, index: Index, declared: Mapping[str, Covariate]) -> StudyTable:
    """Another planted leak: numbers of the patients of `index` centred among themselves, as a pipeline does that
    predicts a whole test fold at once. Training is as it should be."""
    covariates = table.features.covariates.astype(object).copy()
    for name in (name for name, covariate in declared.items() if covariate.kind == "continuous"):
        column = pd.to_numeric(covariates[name]).astype(float)
        column.iloc[index] -= column.iloc[index].mean()
        covariates[name] = column
    embeddings = {key: _centred(array, index) for key, array in table.features.embeddings.items()}
    return replace(table, features=replace(table.features, covariates=covariates, embeddings=embeddings))


def _absurd(covariate: Covariate, n: int, rng: np.random.Generator, size: float) -> Sequence[float | str]:
    if covariate.kind == "continuous":
        return list(rng.normal(size=n) * 100 * size)
    if covariate.levels:
        return [covariate.levels[k] for k in rng.integers(len(covariate.levels), size=n)]
    return [f"altered {k}" for k in rng.integers(3, size=n)]


def _noise(array: FloatArray, index: Index, rng: np.random.Generator, size: float) -> FloatArray:
    changed = array.copy()
    changed[index] = (rng.normal(size=(len(index), *array.shape[1:])) * size).astype(array.dtype)
    return changed


def _centred(array: FloatArray, index: Index) -> FloatArray:
    changed, part = array.copy(), array[index]
    changed[index] = part - part[np.isfinite(part)].mean()
    return changed


def _scaled(array: FloatArray) -> FloatArray:
    known = array[np.isfinite(array)]
    return np.asarray((array - known.mean()) / (known.std() or 1.0), dtype=array.dtype)
