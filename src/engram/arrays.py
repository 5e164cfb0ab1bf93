"""What a user hands over in memory - ids, covariates, outcome, embeddings - checked before it becomes a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from engram.config import Covariate
from engram.errors import ConfigError, ImagingError, OutcomeError
from engram.outcome import MONTHS_PER_UNIT, SurvivalOutcome

Array = npt.NDArray[Any]
Value = TypeVar("Value", str, float)


def checked_ids(ids: Sequence[object] | Array | pd.Index[Any] | pd.Series[Any]) -> tuple[str, ...]:
    """Patient ids as text. Raises ConfigError where one is blank or comes twice."""
    found = tuple(str(one).strip() for one in ids)
    blank = [number for number, one in enumerate(found) if not one or one.lower() in ("nan", "none")]
    twice = [one for one in dict.fromkeys(found) if found.count(one) > 1]
    if blank:
        raise ConfigError(f"ids: number {blank[0] + 1} is blank. Give every patient an id of its own.")
    if twice:
        raise ConfigError(f"ids: '{twice[0]}' comes {found.count(twice[0])} times. One row is one patient.")
    return found


def in_order_of_ids(what: str, values: object, ids: Sequence[str]) -> None:
    """Raises ConfigError where `values` are not as many as the ids, or carry an index that says otherwise: pandas
    would align them, and arrays beside them would not."""
    n = np.shape(np.asarray(values) if not isinstance(values, pd.DataFrame) else values)[:1]
    if n != (len(ids),):
        raise ConfigError(
            f"{what}: {n[0] if n else 'no'} row(s) for {len(ids)} ids. Give one for each, in their order."
        )
    index = getattr(values, "index", None)
    if not isinstance(index, pd.Index) or list(index) == list(range(len(ids))):
        return
    if [str(one) for one in index] != list(ids):
        raise ConfigError(
            f"{what}: its index is neither 0, 1, 2, ... nor the ids in their order, so whose row is whose is not "
            "clear. Reorder it by the ids, or give it with reset_index(drop=True)."
        )


def one_for_each(what: str, values: Any, ids: Sequence[str], kind: type[Value]) -> tuple[Value, ...]:
    """A value for each patient, as text or number. Raises ConfigError naming a patient without one."""
    in_order_of_ids(what, values, ids)
    for value, patient_id in zip(values, ids, strict=True):
        if pd.isna(value):
            raise ConfigError(
                f"{what}: patient {patient_id} has none. Give one for each, or leave the patient out."
            )
    return tuple(kind(value) for value in values)


def checked_outcome(
    ids: Sequence[str],
    outcome: SurvivalOutcome | Array | None,
    *,
    time: object,
    event: object,
    unit: str | None,
) -> SurvivalOutcome:
    """The outcome, from one that is whole, a structured array (event, time), or times and events.

    Raises ConfigError where it is given twice, not at all or without its unit; OutcomeError naming a patient whose
    time is not greater than zero, or whose event is neither 0 nor 1.
    """
    if (outcome is None) == (time is None and event is None) or (time is None) != (event is None):
        raise ConfigError("outcome: give either `outcome`, or both `time` and `event`.")
    if isinstance(outcome, SurvivalOutcome):
        if unit is not None and unit != outcome.unit:
            raise ConfigError(f"unit: '{unit}', but the outcome is in {outcome.unit}. Leave it out.")
        in_order_of_ids("outcome", outcome.time, ids)
        return outcome
    if unit not in MONTHS_PER_UNIT:
        raise ConfigError(f"unit: {unit!r}. Say in what times are: {', '.join(MONTHS_PER_UNIT)}.")
    if outcome is not None:
        event, time = _fields(outcome)
    for what, values in (("time", time), ("event", event)):
        in_order_of_ids(what, values, ids)
    times = np.array([_time(value, who) for value, who in zip(np.asarray(time).tolist(), ids, strict=True)])
    events = np.array([_event(value, who) for value, who in zip(np.asarray(event).tolist(), ids, strict=True)])
    return SurvivalOutcome(events, times, unit)


def _fields(outcome: Array) -> tuple[Array, Array]:
    names = getattr(getattr(outcome, "dtype", None), "names", None)
    if names is None or len(names) != 2 or outcome[names[0]].dtype != np.bool_:
        raise ConfigError(
            "outcome: expected a SurvivalOutcome or a structured array whose first field is the event (bool) and "
            f"whose second is the time, got {getattr(outcome, 'dtype', type(outcome).__name__)}."
        )
    return outcome[names[0]], outcome[names[1]]


def _time(value: Any, patient_id: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < np.inf:
        mend = "Give a finite number greater than zero, or leave the patient out: outcomes are never imputed."
        raise OutcomeError(patient_id, "time is missing or impossible", mend=mend, value=str(value))
    return float(value)


def _event(value: Any, patient_id: str) -> bool:
    if value not in (0, 1):
        mend = "Give 1 or True where the event was observed, else 0 or False."
        raise OutcomeError(patient_id, "event is neither 0 nor 1", mend=mend, value=str(value))
    return bool(value)


def declared_covariates(covariates: pd.DataFrame, kinds: Mapping[str, Covariate]) -> dict[str, Covariate]:
    """What each column is, in their order: as declared, or where its dtype leaves no doubt.

    A float column is continuous (unit '1'), bool and unordered categories are categorical, ordered categories are
    ordinal. Whole numbers may be codes, and text may be anything: these need a `Covariate`.
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
            f"covariates: it is not clear what {', '.join(unknown)} measure(s). Declare each, as "
            "kinds={'age': Covariate(kind='continuous', unit='years'), 'sex': Covariate(kind='categorical')}, or "
            "make it float, bool or a pandas category."
        )
    return {name: covariate for name, covariate in found.items() if covariate is not None}


def _by_dtype(column: pd.Series[Any]) -> Covariate | None:
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = tuple(_text(level) for level in column.dtype.categories)
        return Covariate(kind="ordinal" if column.dtype.ordered else "categorical", levels=levels)
    if pd.api.types.is_bool_dtype(column.dtype):
        return Covariate(kind="categorical", levels=("False", "True"))
    return Covariate(kind="continuous", unit="1") if pd.api.types.is_float_dtype(column.dtype) else None


def covariate_columns(covariates: pd.DataFrame, declared: Mapping[str, Covariate]) -> pd.DataFrame:
    """The columns under their declared names: continuous ones as they are, levels as text, None where missing."""
    columns = {}
    for number, (name, covariate) in enumerate(declared.items()):
        values = covariates.iloc[:, number].tolist()
        levels = covariate.kind != "continuous"
        columns[name] = pd.Series([_level(v) for v in values] if levels else values, dtype=object)
    return pd.DataFrame(columns, index=range(len(covariates)))


def _level(value: Any) -> str | None:
    return None if pd.isna(value) else _text(value)


def _text(value: Any) -> str:
    """A level as text: pandas makes 1.0 of a 1 in a column where another is missing."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def checked_embedding(name: str, array: object, ids: Sequence[str]) -> npt.NDArray[np.float32]:
    """A user's embedding as float32: (n, p), or maps (n, entries, channels, h, w); maps (n, h, w) get two axes.

    Raises ConfigError for another shape or number of patients, ImagingError naming a patient whose numbers are not
    all finite.
    """
    found = np.asarray(array)
    if found.ndim not in (2, 3, 5) or 0 in found.shape or not np.issubdtype(found.dtype, np.number):
        raise ConfigError(
            f"embedding '{name}': {found.dtype} of shape {found.shape}. Give numbers of shape (n, p), a vector for "
            "each patient, or maps: (n, h, w), or (n, entries, channels, h, w)."
        )
    in_order_of_ids(f"embedding '{name}'", array, ids)
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused below
        numbers = found.astype(np.float32)
    finite = np.isfinite(numbers).reshape(len(ids), -1).all(axis=1)
    if not finite.all():
        raise ImagingError(
            ids[int(np.argmin(finite))],
            f"embedding '{name}' is not finite",
            mend="Leave the patient or the embedding out: numbers of images are not imputed.",
        )
    return numbers[:, None, None] if numbers.ndim == 3 else numbers
