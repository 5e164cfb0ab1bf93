"""When the tracer was injected: from full date and time, or from a time of day that lacks its date.

What the headers say, and what is made of it (see `find_injection`):

    DateTime   Time          the injection
    given      absent/same   the DateTime, where the uptake is possible
    given      absent/same   its time of day at the day of the scan, where only the date is impossible (a
                             de-identified one), the nuclide is short-lived and the uptake is 0 to 6 h: noted
    given      other         refused: one of the two is wrong
    absent     given         at the day of the scan, or at the day before where that gives 0 to 6 h: noted
    absent     given         refused for nuclides that are imaged days later: the day is unknown
    absent     absent        refused
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from engram.imaging.dicom.refusals import START_DATETIME, START_TIME, Refusals
from engram.imaging.dicom.series import PetFacts

MOST_HALF_LIVES = 8.0  # later, 0.4 % of the tracer is left and no scanner makes an image
LONGEST_GUESSED_H = 6.0  # a day that had to be inferred must give an uptake that is usual
LONG_LIVED_H = 6.0  # nuclides that live longer are imaged hours to days after the injection
AT_ONCE_S = 60.0  # an uptake shorter than this is only known of dynamic scans
_SAME_S = 60.0  # two clocks of one injection: headers give minutes
_CLOCK_S = 1.0
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Injection:
    """at: start of the injection, local time. notes: what had to be inferred."""

    at: datetime
    notes: tuple[str, ...] = ()


def find_injection(
    facts: PetFacts, scan_start: datetime, half_life_s: float, stated: datetime | None, refuse: Refusals
) -> Injection:
    """The injection before a scan. scan_start: start of the first frame. stated: by the corrections table.

    Raises ImagingError where it is missing, contradictory or impossible (after the scan, or too long before).
    """
    scan = _Scan(scan_start, half_life_s, refuse)
    if stated is not None:
        return scan.stated(stated)
    full, clock_s = facts.injected, facts.injected_time_s
    if full is None and clock_s is None:
        raise refuse(f"{START_TIME} is missing", field="injected")
    if full is not None and clock_s is not None and _apart_s(_clock_s(full), clock_s) > _SAME_S:
        value = f"{full.time()} and {_as_clock(clock_s)}"
        raise refuse(f"{START_DATETIME} and {START_TIME} contradict", value=value, field="injected")
    injection = scan.of_datetime(full) if full is not None else scan.of_clock(clock_s or 0.0)
    uptake_s = (scan_start - injection.at).total_seconds()
    if uptake_s < AT_ONCE_S and "DYNAMIC" not in facts.series_type:
        mend = "Only a dynamic scan starts with the injection: the header most likely repeats the time of the scan."
        raise refuse("injection at the start of the scan", value=f"{uptake_s:.0f} s", mend=mend, field="injected")
    return injection


@dataclass(frozen=True)
class _Scan:
    start: datetime
    half_life_s: float
    refuse: Refusals

    def stated(self, at: datetime) -> Injection:
        if not self._possible(at):
            mend = "Correct the line 'injected' of the corrections table."
            raise self._impossible(at, mend, field=None)
        return Injection(at, ("time of injection of the corrections table",))

    def of_datetime(self, full: datetime) -> Injection:
        if self._possible(full):
            return Injection(full)
        by_clock = self._nearest_day(_clock_s(full))
        if self._long_lived or not self._usual(by_clock):
            raise self._impossible(full, "", field="injected")
        note = "the date of Radiopharmaceutical Start DateTime cannot be right; its time of day was used"
        return Injection(by_clock, (note,))

    def of_clock(self, clock_s: float) -> Injection:
        if self._long_lived:
            mend = f"This nuclide is imaged up to days after its injection, and {START_DATETIME} is missing."
            raise self.refuse("the day of the injection is unknown", mend=mend, field="injected")
        at = self._nearest_day(clock_s)
        if at.date() == self.start.date() and self._possible(at):
            return Injection(at)
        if not self._usual(at):
            raise self._impossible(at, f"{START_TIME} has no date.", field="injected")
        return Injection(at, ("injection before midnight: the day before the scan was inferred",))

    def _nearest_day(self, clock_s: float) -> datetime:
        """The last time before the start of the scan that the clock showed this."""
        same = self.start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(seconds=clock_s)
        return same if same <= self.start + timedelta(seconds=_CLOCK_S) else same - _DAY

    @property
    def _long_lived(self) -> bool:
        return self.half_life_s > LONG_LIVED_H * 3600

    def _possible(self, at: datetime) -> bool:
        uptake_s = (self.start - at).total_seconds()
        return -_CLOCK_S <= uptake_s <= MOST_HALF_LIVES * self.half_life_s

    def _usual(self, at: datetime) -> bool:
        return self._possible(at) and (self.start - at).total_seconds() <= LONGEST_GUESSED_H * 3600

    def _impossible(self, at: datetime, mend: str, field: str | None) -> Exception:
        uptake_s = (self.start - at).total_seconds()
        return self.refuse(
            "impossible time from injection to scan",
            value=f"{uptake_s / 60:.0f} min, half-life {self.half_life_s / 60:.1f} min",
            mend=mend,
            field=field,
        )


def _clock_s(moment: datetime) -> float:
    return (moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()


def _apart_s(one: float, other: float) -> float:
    """Between two times of day, across midnight where that is shorter."""
    apart = abs(one - other)
    return min(apart, _DAY.total_seconds() - apart)


def _as_clock(seconds: float) -> str:
    return str((datetime.min + timedelta(seconds=seconds)).time())
