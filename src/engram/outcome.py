"""Censored outcomes: what happened to each patient, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MONTHS_PER_UNIT = {"days": 12 / 365.25, "weeks": 7 * 12 / 365.25, "months": 1.0, "years": 12.0}


@dataclass(frozen=True)
class SurvivalOutcome:
    """Time to an event, right-censored.

    event: bool (n,), True where the event (progression, relapse or death) was observed.
    time: float64 (n,), greater than zero, in `unit`.
    unit: one of `days`, `weeks`, `months`, `years`.
    Raises ValueError where shapes differ, a time is not finite and positive, or the unit is unknown.
    """

    event: npt.NDArray[np.bool_]
    time: npt.NDArray[np.float64]
    unit: str = "months"

    def __post_init__(self) -> None:
        event = np.array(self.event, dtype=np.bool_)
        time = np.array(self.time, dtype=np.float64)
        if event.ndim != 1 or event.shape != time.shape:
            raise ValueError(f"event {event.shape} and time {time.shape} must be vectors of one length")
        if not np.all(np.isfinite(time) & (time > 0)):
            raise ValueError("every time must be finite and greater than zero")
        if self.unit not in MONTHS_PER_UNIT:
            raise ValueError(f"unknown unit {self.unit!r}: use one of {', '.join(MONTHS_PER_UNIT)}")
        event.flags.writeable = time.flags.writeable = False
        object.__setattr__(self, "event", event)
        object.__setattr__(self, "time", time)

    def __len__(self) -> int:
        return int(self.event.size)

    @property
    def time_months(self) -> npt.NDArray[np.float64]:
        """Times in months of 30.4375 days."""
        return self.time * MONTHS_PER_UNIT[self.unit]

    def subset(self, index: npt.NDArray[np.intp]) -> SurvivalOutcome:
        """The patients of `index`, in that order, as a copy."""
        return SurvivalOutcome(self.event[index], self.time[index], self.unit)

    def to_structured(self) -> npt.NDArray[np.void]:
        """The structured array (`event`, `time`) that scikit-survival and its relatives use."""
        y = np.empty(len(self), dtype=[("event", "?"), ("time", "<f8")])
        y["event"], y["time"] = self.event, self.time
        return y

    @classmethod
    def from_structured(cls, y: npt.NDArray[np.void], unit: str = "months") -> SurvivalOutcome:
        """Read a structured array whose first field is the event and whose second is the time."""
        if y.dtype.names is None or len(y.dtype.names) != 2:
            raise ValueError("expected a structured array with two fields: event, time")
        event, time = y.dtype.names
        return cls(y[event].astype(bool), y[time], unit)
