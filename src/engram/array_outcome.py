"""Times and events that a user hands over in memory, checked before they are an outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engram.arrays import Array, in_order_of_ids
from engram.errors import ConfigError, OutcomeError
from engram.limits import LONGEST_TIME_MONTHS
from engram.outcome import MONTHS_PER_UNIT, SurvivalOutcome


def checked_outcome(
    ids: Sequence[str],
    outcome: SurvivalOutcome | Array | None,
    *,
    time: object,
    event: object,
    unit: str | None,
) -> SurvivalOutcome:
    """The outcome, from one that is whole, a structured array (event, time), or times and events.

    Raises ConfigError where it is given twice, not at all, without its unit, or in a type that has a unit of its
    own; OutcomeError naming a patient whose time is not greater than zero or beyond 100 years, or whose event is
    neither 0 nor 1.
    """
    if (outcome is None) == (time is None and event is None) or (time is None) != (event is None):
        raise ConfigError("outcome: give either `outcome`, or both `time` and `event`.")
    if isinstance(outcome, SurvivalOutcome):
        return _whole(ids, outcome, unit)
    if unit not in MONTHS_PER_UNIT:
        raise ConfigError(f"unit: {unit!r}. Say in what times are: {', '.join(MONTHS_PER_UNIT)}.")
    if outcome is not None:
        event, time = _fields(outcome)
    times = [_time(value, who, unit) for value, who in zip(_values("time", time, ids), ids, strict=True)]
    events = [_event(value, who) for value, who in zip(_values("event", event, ids), ids, strict=True)]
    return SurvivalOutcome(np.array(events), np.array(times), unit)


def _whole(ids: Sequence[str], outcome: SurvivalOutcome, unit: str | None) -> SurvivalOutcome:
    if unit is not None and unit != outcome.unit:
        raise ConfigError(f"unit: '{unit}', but the outcome is in {outcome.unit}. Leave it out.")
    in_order_of_ids("outcome", outcome.time, ids)
    for value, who in zip(outcome.time.tolist(), ids, strict=True):
        _time(value, who, outcome.unit)
    return outcome


def _fields(outcome: Array) -> tuple[Array, Array]:
    names = getattr(getattr(outcome, "dtype", None), "names", None)
    if names is None or len(names) != 2 or outcome[names[0]].dtype != np.bool_:
        raise ConfigError(
            "outcome: expected a SurvivalOutcome or a structured array whose first field is the event (bool) and "
            f"whose second is the time, got {getattr(outcome, 'dtype', type(outcome).__name__)}."
        )
    return outcome[names[0]], outcome[names[1]]


def _values(what: str, values: object, ids: Sequence[str]) -> list[Any]:
    in_order_of_ids(what, values, ids)
    found = np.asarray(values)
    if found.dtype.kind in "mM":  # Python would make a count of nanoseconds of them
        raise ConfigError(
            f"{what}: {found.dtype}, which is a date or a duration. Give numbers: a duration in days is "
            "`time / numpy.timedelta64(1, 'D')`."
        )
    values_of_python: list[Any] = found.tolist()
    return values_of_python


def _time(value: Any, patient_id: str, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
        mend = "Give a finite number greater than zero, or leave the patient out: outcomes are never imputed."
        raise OutcomeError(patient_id, "time is missing or impossible", mend=mend, value=str(value))
    if value * MONTHS_PER_UNIT[unit] > LONGEST_TIME_MONTHS:
        mend = f"`unit` says {unit}: check value and unit."
        raise OutcomeError(patient_id, "time is beyond 100 years", mend=mend, value=str(value))
    return float(value)


def _event(value: Any, patient_id: str) -> bool:
    if not isinstance(value, bool | int | float | np.bool_ | np.number) or value not in (0, 1):
        mend = "Give 1 or True where the event was observed, else 0 or False."
        raise OutcomeError(patient_id, "event is neither 0 nor 1", mend=mend, value=str(value))
    return bool(value)
