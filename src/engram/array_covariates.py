"""Covariates that a user hands over in memory: what each column is, and its values, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from engram.config import Covariate
from engram.errors import ClinicalError, ConfigError
from engram.limits import LARGEST_NUMBER


def declared_covariates(covariates: pd.DataFrame, kinds: Mapping[str, Covariate]) -> dict[str, Covariate]:
    """What each column is, in their order: as declared, or where its dtype leaves no doubt.

    A float column with a fraction in it is continuous (unit '1'), bool and unordered categories are categorical,
    ordered categories are ordinal. Whole numbers may be codes (pandas makes floats of them where one is missing),
    and text may be anything: these need a `Covariate`.
    Raises ConfigError naming every column that is not declared, and declarations without a column.
    """
    names = [str(name) for name in covariates.columns]
    if len(set(names)) < len(names):
        raise ConfigError(f"covariates: two columns of one name among {', '.join(names)}. Rename one.")
    if spare := sorted(set(kinds) - set(names)):
        raise ConfigError(f"kinds: no column '{spare[0]}'; there are {', '.join(names) or 'none'}.")
    found = {name: kinds.get(name) or _by_dtype(covariates.iloc[:, i]) for i, name in enumerate(names)}
    unknown = [f"{name} ({covariates.dtypes.iloc[i]})" for i, name in enumerate(names) if found[name] is None]
    if unknown:
        raise ConfigError(
            f"covariates: it is not clear what {', '.join(unknown)} measure(s): whole numbers and text may be "
            "codes. Declare each, as kinds={'age': Covariate(kind='continuous', unit='years'), "
            "'sex': Covariate(kind='categorical')}, or make it bool or a pandas category."
        )
    return {name: covariate for name, covariate in found.items() if covariate is not None}


def _by_dtype(column: pd.Series[Any]) -> Covariate | None:
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = tuple(_text(level) for level in column.dtype.categories)
        return Covariate(kind="ordinal" if column.dtype.ordered else "categorical", levels=levels)
    if pd.api.types.is_bool_dtype(column.dtype):
        return Covariate(kind="categorical", levels=("False", "True"))
    if not pd.api.types.is_float_dtype(column.dtype):
        return None
    whole = all(float(value).is_integer() for value in column.dropna().tolist())
    return None if whole else Covariate(kind="continuous", unit="1")


def covariate_columns(
    covariates: pd.DataFrame, declared: Mapping[str, Covariate], ids: Sequence[str]
) -> pd.DataFrame:
    """The columns under their declared names: continuous ones as they are, levels as text, None where missing.

    Raises ClinicalError naming patient, column and value for what is no finite number or beyond 1e12, and for a
    level that is not declared; and naming a patient who has none of the covariates.
    """
    columns = {}
    for number, (name, covariate) in enumerate(declared.items()):
        read = _number if covariate.kind == "continuous" else _level
        values = covariates.iloc[:, number].tolist()
        columns[name] = pd.Series(
            [read(value, covariate, who, name) for value, who in zip(values, ids, strict=True)], dtype=object
        )
    found = pd.DataFrame(columns, index=range(len(ids)))
    if declared:
        _check_annotated(found, ids)
    return found


def _check_annotated(found: pd.DataFrame, ids: Sequence[str]) -> None:
    nothing = found.isna().all(axis=1).to_numpy()
    if nothing.any():
        mend = f"Leave the patient out, or give at least one of: {', '.join(found.columns)}."
        raise ClinicalError(ids[int(np.argmax(nothing))], "no covariate is known", mend=mend)


def _number(value: Any, _covariate: Covariate, patient_id: str, name: str) -> float | None:
    if _is_missing(value):
        return None
    usable = isinstance(value, int | float | np.number) and not isinstance(value, bool | np.timedelta64)
    if not usable or not abs(value) <= LARGEST_NUMBER:
        mend = f"Give a number not beyond {LARGEST_NUMBER:g}, or NaN where it is not known."
        raise ClinicalError(patient_id, f"{name} is no usable number", mend=mend, column=name, value=str(value))
    return float(value)


def _level(value: Any, covariate: Covariate, patient_id: str, name: str) -> str | None:
    if _is_missing(value):
        return None
    text = _text(value)
    if text in ("inf", "-inf") or (covariate.levels is not None and text not in covariate.levels):
        known = f"one of {', '.join(covariate.levels)}" if covariate.levels else "a level"
        mend = f"Give {known}, or None where it is not known, or declare it in `kinds` or the pandas category."
        raise ClinicalError(patient_id, f"{name} is none of its levels", mend=mend, column=name, value=text)
    return text


def _is_missing(value: Any) -> bool:
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _text(value: Any) -> str:
    """A level as text: pandas makes 1.0 of a 1 in a column where another is missing."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
