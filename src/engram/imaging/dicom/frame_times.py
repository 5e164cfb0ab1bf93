"""What the slices of a PET series tell of their times: when each frame counted, and what it is corrected to.

Two readings of Frame Reference Time are in use: the moment of average count rate (Siemens; the pseudo-code of QIBA)
and the start of the frame (GE: measured on a Discovery ST, whose Acquisition Time is that of the first bed in all
slices). Decay Factor always belongs to the moment of average count rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from engram.imaging.dicom.series import ImageSlice, Series

TOLERATED_SHARE = 0.005  # of the SUV: two moments that change it by less are one
CLOCK_S = 2.0  # headers round to seconds, each on its own

Seconds = npt.NDArray[np.float64]


def tolerance_s(half_life_s: float) -> float:
    """How far apart two moments may be that count as one, in seconds: half a percent of the SUV."""
    return max(CLOCK_S, TOLERATED_SHARE * half_life_s / float(np.log(2)))


def average_count_rate_s(duration_s: float, half_life_s: float) -> float:
    """When, after the start of a frame, a decaying source counts at its average rate (seconds): before the middle.

    ln(x / (1 - exp(-x))) / lambda with x = lambda * duration, as in QIBA's pseudo-code.
    """
    rate = float(np.log(2)) / half_life_s
    x = rate * duration_s
    if x < 1e-6:  # the quotient loses its digits; the next term of the series is 1e-7 of the frame
        return duration_s / 2
    return float(np.log(x / -np.expm1(-x))) / rate


def first_acquisition(series: Series) -> datetime | None:
    """Start of the earliest frame; None where a slice does not say its time."""
    times = [slice_.acquired for slice_ in series.slices]
    known = [time for time in times if time is not None]
    return min(known) if known and len(known) == len(times) else None


@dataclass(frozen=True, eq=False)
class FrameTimes:
    """Times of all slices in seconds, each (n,).

    acquired: Acquisition Time, since `first`. average: from the start of the frame to its average count rate.
    decay: from the moment of correction to the average count rate, as Decay Factor says. reference: Frame
    Reference Time. None where a slice does not say. ge: whether the scanner is a GE.
    """

    first: datetime
    acquired: Seconds
    average: Seconds
    decay: Seconds | None
    reference: Seconds | None
    ge: bool
    within_s: float

    @classmethod
    def of(cls, series: Series, half_life_s: float) -> FrameTimes | None:
        """None where a slice lacks its acquisition time or its duration."""
        first = first_acquisition(series)
        durations = _all(series, lambda s: s.frame_duration_s)
        if first is None or durations is None or durations.min() <= 0:
            return None
        maker = (series.pet.manufacturer if series.pet else None) or ""
        return cls(
            first,
            np.array([(s.acquired - first).total_seconds() for s in series.slices if s.acquired]),
            np.array([average_count_rate_s(float(d), half_life_s) for d in durations]),
            _decay_s(series, half_life_s),
            _all(series, lambda s: s.frame_reference_s),
            maker.strip().upper().startswith("GE"),
            tolerance_s(half_life_s),
        )

    @property
    def contradict(self) -> bool:
        """Whether Decay Factor and Frame Reference Time fit in neither reading of the latter."""
        if self.decay is None or self.reference is None:
            return False
        return not (self._near(self.decay, self.reference) or self._frames_start_at_reference)

    def told(self) -> tuple[datetime, ...]:
        """The moments of correction that all slices agree on, one for each possible reading of the headers."""
        if self.decay is not None:
            told = [self.acquired + self.average - self.decay]
            if self.reference is not None and self._frames_start_at_reference:
                told.append(told[0] + self.reference)  # acquired is then the start of the scan, not of the bed
        elif self.reference is not None:
            told = [self.acquired + self.average - self.reference, self.acquired - self.reference]
            told += [self.acquired] if self.ge else []
        else:
            told = []
        return self._agreed(told)

    def counted_back(self) -> tuple[datetime, ...]:
        """As `told`, where Acquisition Time follows the frames, or nothing but it would say when the scan began.

        Without Decay Factor in one reading only: QIBA's, or for GE that of arXiv:2410.13348.
        """
        if self.decay is not None:
            follows = self._agreed([self.acquired + self.average - self.decay])
            return self.told() if follows else ()
        if self.reference is None:
            return ()
        start = self.acquired - self.reference
        return self._agreed([start if self.ge else start + self.average])

    @property
    def of_average_count_rate(self) -> tuple[datetime, ...]:
        """When each slice counted at its average rate, where Acquisition Time is the start of its frame."""
        return tuple(self.first + timedelta(seconds=float(s)) for s in self.acquired + self.average)

    @property
    def drift_s(self) -> float:
        """By how much Acquisition Time and Frame Reference Time grow apart over the slices."""
        return 0.0 if self.reference is None else float(np.ptp(self.acquired - self.reference))

    @property
    def one_time_for_all(self) -> bool:
        """Whether slices share one Acquisition Time, and nothing says that they were measured at once."""
        return self.reference is None and len(self.acquired) > 1 and float(np.ptp(self.acquired)) <= CLOCK_S

    @property
    def _frames_start_at_reference(self) -> bool:
        assert self.decay is not None
        assert self.reference is not None
        return self._near(self.decay, self.reference + self.average)

    def _near(self, one: Seconds, other: Seconds) -> bool:
        return float(np.abs(one - other).max()) <= self.within_s

    def _agreed(self, told: list[Seconds]) -> tuple[datetime, ...]:
        agreed = [moments for moments in told if np.ptp(moments) <= self.within_s]
        return tuple(self.first + timedelta(seconds=float(moments.mean())) for moments in agreed)


def _decay_s(series: Series, half_life_s: float) -> Seconds | None:
    factors = _all(series, lambda s: s.decay_factor)
    if factors is None or factors.min() <= 0:
        return None
    seconds: Seconds = half_life_s * np.log2(factors)
    return seconds


def _all(series: Series, value: Callable[[ImageSlice], float | None]) -> Seconds | None:
    values = [value(slice_) for slice_ in series.slices]
    known = [v for v in values if v is not None]
    return np.array(known, dtype=np.float64) if known and len(known) == len(values) else None
