"""Columns that give the answer away: those that say what the outcome says, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammaln

from engram.config import Covariate
from engram.errors import ConfigError
from engram.outcome import SurvivalOutcome

Float64 = npt.NDArray[np.float64]

_BY_CHANCE = 1e-6  # a column of honest numbers is refused in fewer tables than this
_FEWEST = 3  # patients, below whom any column equals anything


def check_covariates_tell_nothing(
    covariates: pd.DataFrame, declared: Mapping[str, Covariate], outcome: SurvivalOutcome
) -> None:
    """Raises ConfigError naming a column that is the time or the event, or puts patients in the order of time."""
    for name, covariate in declared.items():
        told = _told(_as_numbers(covariates[name], covariate), outcome, columns=len(declared))
        if told:
            raise ConfigError(
                f"covariates: leakage: '{name}' {told}, so the model would be given the answer. Leave it out."
            )


def check_embedding_tells_nothing(name: str, array: npt.NDArray[np.float32], outcome: SurvivalOutcome) -> None:
    """The same of each column of an embedding. array: (n, ...), float32."""
    columns = array.reshape(len(array), -1)
    for number in np.flatnonzero(_suspects(columns, outcome)):
        told = _told(columns[:, number].astype(np.float64), outcome, columns=columns.shape[1])
        if told:
            raise ConfigError(
                f"embedding '{name}': leakage: its number {number + 1} of {columns.shape[1]} {told}, so the model "
                "would be given the answer. Leave it out."
            )


def _as_numbers(column: pd.Series[Any], covariate: Covariate) -> Float64:
    if covariate.kind != "continuous":
        levels = covariate.levels or tuple(sorted({str(value) for value in column.dropna()}))
        column = column.map({level: float(rank) for rank, level in enumerate(levels)})
    return np.asarray(column.astype(np.float64), dtype=np.float64)


def _suspects(columns: npt.NDArray[np.float32], outcome: SurvivalOutcome) -> npt.NDArray[np.bool_]:
    """Columns (p,) that may tell: never against the order of time, or of one value for all who have the event and
    one for all others. Few pairs of patients leave few columns."""
    _, one_of_each = np.unique(outcome.time, return_index=True)
    ordered = _never(columns, one_of_each, np.less) | _never(columns, one_of_each, np.greater)
    split = np.ones(columns.shape[1], dtype=np.bool_)
    for group in (outcome.event, ~outcome.event):
        split &= _never(columns, np.flatnonzero(group), np.not_equal)
    return np.asarray(ordered | split, dtype=np.bool_)


def _never(
    columns: npt.NDArray[np.float32], patients: npt.NDArray[np.intp], unlike: np.ufunc
) -> npt.NDArray[np.bool_]:
    """Columns (p,) where no patient of `patients` stands so to the one before; one that is not known does not."""
    left = np.ones(columns.shape[1], dtype=np.bool_)
    for before, after in pairwise(patients):
        known = ~np.isnan(columns[before]) & ~np.isnan(columns[after])
        left &= ~(unlike(columns[after], columns[before]) & known)
        if not left.any():
            break
    return left


def _told(column: Float64, outcome: SurvivalOutcome, *, columns: int) -> str | None:
    """What a column (n,) says of the outcome, NaN where it is not known; None where it tells nothing for sure.
    columns: how many are looked at."""
    known = ~np.isnan(column)
    values, time, event = column[known], outcome.time[known], outcome.event[known]
    if len(values) < _FEWEST or np.ptp(values) == 0:
        return None
    if np.array_equal(values.astype(np.float32), time.astype(np.float32)):
        return "is the time of the outcome"
    limit = np.log(_BY_CHANCE / columns)
    if _is_split(values, event) and _log_ways(event) - gammaln(len(values) + 1) < limit:
        return "is the event of the outcome"
    chance = _log_ways(values) + _log_ways(time) - gammaln(len(values) + 1)
    if (_in_order(values, time) or _in_order(-values, time)) and chance < limit:
        return "puts patients in the order of their times"
    return None


def _is_split(values: Float64, event: npt.NDArray[np.bool_]) -> bool:
    """Whether there are two values, one for each kind of patient."""
    return (
        len(np.unique(values)) == 2
        and bool(event.any())
        and np.ptp(values[event]) == 0
        and (not (~event).any() or np.ptp(values[~event]) == 0)
    )


def _in_order(values: Float64, time: Float64) -> bool:
    """Whether values never fall as times rise; patients of one time may stand in any order."""
    return bool((np.diff(values[np.lexsort((values, time))]) >= 0).all())


def _log_ways(values: npt.NDArray[np.generic]) -> float:
    """Logarithm of the number of ways to put patients in order who have the same value."""
    return float(gammaln(np.unique(values, return_counts=True)[1] + 1).sum())
