"""What a user hands over in memory, checked before it becomes a table: ids, and what each patient has one of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from engram.dates import date_of, years_of
from engram.errors import ConfigError

Array = npt.NDArray[Any]


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


def checked_groups(groups: Any, ids: Sequence[str]) -> tuple[str, ...]:
    """The site of each patient, as text. Raises ConfigError naming a patient without one."""
    return tuple(str(value) for value in _one_for_each("groups", groups, ids))


def checked_order(order: Any, ids: Sequence[str]) -> tuple[float, ...]:
    """A number for each patient, higher where he came later: as it is, or a date in years; of a moment the day.

    Dates are text as 2019-03-31, or of datetime, NumPy or pandas. Raises ConfigError naming a patient without one,
    or with something else; and where some have dates and others numbers.
    """
    values = _one_for_each("order", order, ids)
    days = [date_of(value) if isinstance(value, str) else value for value in values]
    found = [_when(day, value, who) for day, value, who in zip(days, values, ids, strict=True)]
    if len({isinstance(day, date) for day in days}) > 1:
        raise ConfigError(
            "order: dates and numbers, which cannot be put in order. Give all as dates, or as numbers."
        )
    return tuple(found)


def _when(day: Any, value: object, patient_id: str) -> float:
    if isinstance(day, date):
        return years_of(day)
    if isinstance(day, bool) or not isinstance(day, int | float | np.number) or not np.isfinite(day):
        raise ConfigError(
            f"order: patient {patient_id} has {value!r}. Give each a finite number, such as a year, or a date as "
            "2019-03-31."
        )
    return float(day)


def _one_for_each(what: str, values: Any, ids: Sequence[str]) -> list[Any]:
    """Their values as Python has them. Raises ConfigError naming a patient without one."""
    in_order_of_ids(what, values, ids)
    found = pd.Series(values).tolist()
    for value, patient_id in zip(found, ids, strict=True):
        if pd.isna(value):
            raise ConfigError(
                f"{what}: patient {patient_id} has none. Give one for each, or leave the patient out."
            )
    return found
