"""Gaps of covariates filled with draws from what the training patients teach: one of several imputations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from engram.config import Covariate
from engram.evaluation.covariates import checked_covariates, usable_covariates
from engram.table import PatientFeatures

FloatArray = npt.NDArray[np.float64]

ROUNDS = 10  # of the chained regressions


@dataclass(frozen=True)
class _Coding:
    """Covariates as columns of numbers and back: itself where continuous, its rank where ordinal, a column a level
    where categorical. declared: those that are filled; levels: of each that is not continuous."""

    declared: Mapping[str, Covariate]
    levels: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, training: pd.DataFrame, declared: Mapping[str, Covariate]) -> _Coding:
        coded = {name: one for name, one in declared.items() if one.kind != "continuous"}
        return cls(
            declared,
            {name: one.levels or tuple(sorted(training[name].dropna().unique())) for name, one in coded.items()},
        )

    def encode(self, raw: pd.DataFrame) -> FloatArray:
        """(n, columns), NaN where missing; a level that training has never seen is none of the columns."""
        return np.column_stack([self._columns(name, raw[name]) for name in self.declared])

    def decode(self, raw: pd.DataFrame, matrix: FloatArray) -> pd.DataFrame:
        """`raw` with its gaps taken from the whole columns: the nearest rank, the level with the highest column."""
        filled, start = raw.copy(), 0
        for name, covariate in self.declared.items():
            width = self._width(name)
            part, gaps = matrix[:, start : start + width], raw[name].isna().to_numpy()
            filled.loc[gaps, name] = self._values(name, covariate, part[gaps])
            start += width
        return filled

    def _width(self, name: str) -> int:
        return len(self.levels[name]) if self.declared[name].kind == "categorical" else 1

    def _columns(self, name: str, values: pd.Series) -> FloatArray:
        if self.declared[name].kind == "continuous":
            return np.asarray(values, dtype=np.float64)[:, None]
        missing = values.isna().to_numpy(dtype=np.bool_)
        codes: FloatArray = np.array([self._code(name, value) for value in values], dtype=np.float64)
        if self.declared[name].kind == "categorical":
            columns: FloatArray = (codes[:, None] == np.arange(len(self.levels[name]))).astype(np.float64)
            columns[missing] = np.nan
            return columns
        codes[missing] = np.nan
        return codes[:, None]

    def _code(self, name: str, value: object) -> int:
        return self.levels[name].index(str(value)) if value in self.levels[name] else -1

    def _values(self, name: str, covariate: Covariate, part: FloatArray) -> list[float] | list[str]:
        if covariate.kind == "continuous":
            return [float(value) for value in part[:, 0]]
        levels = self.levels[name]
        ordinal = np.clip(np.rint(part[:, 0]), 0, len(levels) - 1)
        codes = ordinal if covariate.kind == "ordinal" else part.argmax(axis=1)
        return [levels[int(code)] for code in codes]


@dataclass(frozen=True)
class GapFiller:
    """Chained Bayesian regressions of each covariate on the others (van Buuren and Groothuis-Oudshoorn, J Stat
    Softw 45 (2011) 3, by scikit-learn), fitted on training patients. Outcomes are no part of them: a new patient
    has none.

    training: their covariates without gaps. mean, sd: of the columns of numbers. varies: bool, columns that differ
    between training patients; others are filled with their value. imputer: None where none varies.
    """

    training: pd.DataFrame
    mean: FloatArray
    sd: FloatArray
    varies: npt.NDArray[np.bool_]
    imputer: IterativeImputer | None
    coding: _Coding
    declared: Mapping[str, Covariate]
    seed: int

    @classmethod
    def of(
        cls, training: PatientFeatures, declared: Mapping[str, Covariate], *, max_missing: float, seed: int
    ) -> GapFiller:
        """Fit on these patients, and on nothing else. Covariates that a fold drops, for too many lack them, keep
        their gaps. seed: of the draws. Raises as `checked_covariates`."""
        raw = checked_covariates(training, declared)
        names, _ = usable_covariates(raw, declared, max_missing)
        coding = _Coding.of(raw, {name: declared[name] for name in names})
        matrix = coding.encode(raw)
        mean, sd = np.nanmean(matrix, axis=0), np.nanstd(matrix, axis=0)
        varies = np.nanmax(matrix, axis=0) > np.nanmin(matrix, axis=0)
        scaled = (matrix[:, varies] - mean[varies]) / sd[varies]
        imputer = _imputer(scaled, seed) if varies.any() else None
        if imputer is not None:
            with threadpool_limits(1, user_api="blas"):  # more threads round differently
                scaled = imputer.fit_transform(scaled)
        filled = np.where(np.isnan(matrix), mean, matrix)
        filled[:, varies] = scaled * sd[varies] + mean[varies]
        return cls(coding.decode(raw, filled), mean, sd, varies, imputer, coding, declared, seed)

    def fill(self, features: PatientFeatures) -> pd.DataFrame:
        """The covariates of other patients, drawn without gaps. They teach nothing: what is drawn from are the
        regressions of the training patients."""
        raw = checked_covariates(features, self.declared)
        matrix = self.coding.encode(raw)
        filled = np.where(np.isnan(matrix), self.mean, matrix)
        if self.imputer is not None:
            mean, sd = self.mean[self.varies], self.sd[self.varies]
            self.imputer.random_state_ = np.random.RandomState(self.seed)  # the same draws at every call
            with threadpool_limits(1, user_api="blas"):
                drawn = self.imputer.transform((matrix[:, self.varies] - mean) / sd)
            filled[:, self.varies] = drawn * sd + mean
        return self.coding.decode(raw, filled)


def _imputer(scaled: FloatArray, seed: int) -> IterativeImputer:
    """Draws stay within what training patients have."""
    return IterativeImputer(
        sample_posterior=True,
        max_iter=ROUNDS,
        min_value=np.nanmin(scaled, axis=0),
        max_value=np.nanmax(scaled, axis=0),
        random_state=seed,
    )
