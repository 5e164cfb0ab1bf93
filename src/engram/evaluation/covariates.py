"""Raw covariates made into numbers; all that is learned comes from the training patients (paper 2.4.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from engram.config import Covariate
from engram.errors import ClinicalError
from engram.table import PatientFeatures

MISSING_LEVEL = "(missing)"  # the level of its own that a missing value is, where the study says so


def checked_covariates(features: PatientFeatures, declared: Mapping[str, Covariate]) -> pd.DataFrame:
    """The declared covariates (n, p): floats with NaN, or levels as text with None where missing.

    Raises ClinicalError naming patient, column and value for text among numbers, an infinite number, or a level
    that is not declared; ValueError where a covariate is no column of the table.
    """
    absent = [name for name in declared if name not in features.covariates.columns]
    if absent:
        raise ValueError(f"the table has no column for {', '.join(absent)}")
    return pd.DataFrame({name: _column(features, name, covariate) for name, covariate in declared.items()})


def _column(features: PatientFeatures, name: str, covariate: Covariate) -> pd.Series[Any]:
    read: Callable[..., Any] = _number if covariate.kind == "continuous" else _level
    raw = features.covariates[name].tolist()
    values = [read(value, covariate, patient, name) for value, patient in zip(raw, features.ids, strict=True)]
    return pd.Series(values, dtype=np.float64 if covariate.kind == "continuous" else object)


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _number(value: Any, _covariate: Covariate, patient_id: str, name: str) -> float:
    if _is_missing(value):
        return math.nan
    if isinstance(value, bool | str) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
        raise ClinicalError(
            patient_id,
            f"{name} is not a finite number",
            mend="Write a plain number, or leave the cell empty.",
            column=name,
            value=str(value),
        )
    return float(value)


def _level(value: Any, covariate: Covariate, patient_id: str, name: str) -> str | None:
    if _is_missing(value):
        return None
    if covariate.levels is not None and str(value) not in covariate.levels:
        raise ClinicalError(
            patient_id,
            f"{name} is none of its levels",
            mend=f"Write one of {', '.join(covariate.levels)}, or declare the level in the study file.",
            column=name,
            value=str(value),
        )
    return str(value)


def usable_covariates(
    training: pd.DataFrame, declared: Mapping[str, Covariate], max_missing: float
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the covariates to keep, and a note on each that is dropped.

    Dropped where more than `max_missing` of the training patients lack it, or all of them do. One whose missing
    values are a level of their own stays, unless nobody has it.
    """
    kept, notes = [], []
    for name, covariate in declared.items():
        missing = float(training[name].isna().mean())
        allowed = 1.0 if covariate.missing == "level" else max_missing
        if missing > allowed or missing == 1.0:
            share = "all" if missing == 1.0 else f"more than {max_missing:.0%}"
            notes.append(f"covariate '{name}' dropped: missing in {share} of the training patients")
        else:
            kept.append(name)
    return tuple(kept), tuple(notes)


def column_transformer(names: tuple[str, ...], declared: Mapping[str, Covariate]) -> ColumnTransformer:
    """Imputation, encoding and scaling of the covariates `names`, to be fitted on training patients only."""
    # Numbered, because scikit-learn refuses some names that a covariate may well have.
    steps = [(str(number), _encoder(declared[name]), [name]) for number, name in enumerate(names)]
    return ColumnTransformer(steps, sparse_threshold=0.0, verbose_feature_names_out=True)


def _encoder(covariate: Covariate) -> Pipeline:
    if covariate.kind == "continuous":
        return Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    if covariate.kind == "ordinal" and covariate.missing == "impute":
        ranks = OrdinalEncoder(categories=[list(covariate.levels or ())])
        return Pipeline([("impute", _most_frequent()), ("rank", ranks), ("scale", StandardScaler())])
    return Pipeline([("impute", _level_imputer(covariate)), ("encode", _one_hot(covariate))])


def _most_frequent() -> SimpleImputer:
    return SimpleImputer(strategy="most_frequent", missing_values=None)


def _level_imputer(covariate: Covariate) -> SimpleImputer:
    if covariate.missing == "impute":
        return _most_frequent()
    return SimpleImputer(strategy="constant", missing_values=None, fill_value=MISSING_LEVEL)


def _one_hot(covariate: Covariate) -> OneHotEncoder:
    levels = list(covariate.levels or ())
    if levels and covariate.missing == "level":
        levels.append(MISSING_LEVEL)
    # A level that training has never seen says nothing that training could have learned: all zeros.
    return OneHotEncoder(
        categories=[levels] if levels else "auto", handle_unknown="ignore", sparse_output=False, dtype=np.float64
    )
