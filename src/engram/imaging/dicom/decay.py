"""The moment to which the voxels of a PET series are decay corrected.

Follows the vendor-neutral SUV pseudo-code of QIBA (RSNA Quantitative Imaging Biomarkers Alliance, "Standardized
Uptake Value"): the series time, unless it is later than the first acquisition (a post-processed series), then GE's
private scan time, else counted back from Acquisition Time and Frame Reference Time. Beyond it, every choice is held
against what Decay Factor and Frame Reference Time of the slices tell, and refused where they tell another moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engram.imaging.dicom.frame_times import (
    TOLERATED_SHARE,
    FrameTimes,
    first_acquisition,
    tolerance_s,
)
from engram.imaging.dicom.refusals import (
    ACQUISITION_TIME,
    DECAY_FACTOR,
    DURATION,
    FRAME_REFERENCE,
    SERIES_TIME,
    Refusals,
)
from engram.imaging.dicom.series import Series

_LATER_S = 1.0  # a series time so little after the first acquisition is rounded, not post-processed
_NOT_CHECKED = "decay reference not cross-checked: no Decay Factor or Frame Reference Time that fits its frames"
_RECONSTRUCT = "Take a reconstruction that is decay corrected."


@dataclass(frozen=True)
class Reference:
    """The moment of decay correction, how it was found, and what a user should know about it."""

    at: datetime
    method: str
    notes: tuple[str, ...] = ()


def start_reference(series: Series, half_life_s: float, stated: datetime | None, refuse: Refusals) -> Reference:
    """The moment of Decay Correction START. stated: by the corrections table; then no header is asked.

    Raises ImagingError where headers are missing or tell different moments.
    """
    if stated is not None:
        return Reference(stated, "decay reference of the corrections table")
    first = first_acquisition(series)
    if first is None:
        raise refuse(f"{ACQUISITION_TIME} is missing", field="decay_reference")
    frames = FrameTimes.of(series, half_life_s)
    _refuse_odd_decay_factors(series, frames, half_life_s, refuse)
    chosen = _chosen(series, first)
    if chosen is None:
        return _counted_back(series, first, frames, half_life_s, refuse)
    return _checked(chosen, first, frames, half_life_s, refuse)


def own_times(series: Series, half_life_s: float, refuse: Refusals) -> tuple[datetime, ...]:
    """When each slice counted at its average rate: what its activity belongs to where nothing was corrected (NONE).

    Raises ImagingError where a slice lacks its time or duration, where acquisition times do not follow the frames,
    or where all slices share one and no Frame Reference Time says that they are one bed: GE writes the time of the
    first bed to all.
    """
    if first_acquisition(series) is None:
        raise refuse(f"{ACQUISITION_TIME} is missing", mend=_RECONSTRUCT)
    frames = FrameTimes.of(series, half_life_s)
    if frames is None:
        raise refuse(f"{DURATION} is missing", mend=_RECONSTRUCT)
    factors = [s.decay_factor for s in series.slices if s.decay_factor is not None]
    if factors and max(abs(factor - 1) for factor in factors) > TOLERATED_SHARE:
        value = f"{min(factors):g} to {max(factors):g}"
        raise refuse(f"{DECAY_FACTOR} contradicts Decay Correction NONE", value=value, mend=_RECONSTRUCT)
    if frames.drift_s > frames.within_s:
        value = f"they drift apart by {frames.drift_s:.0f} s"
        raise refuse(f"{ACQUISITION_TIME} does not follow {FRAME_REFERENCE}", value=value, mend=_RECONSTRUCT)
    if frames.one_time_for_all:
        raise refuse(
            f"{ACQUISITION_TIME} is one for all slices",
            value=f"{frames.first.time()} for {len(frames.acquired)} slices; {FRAME_REFERENCE} is missing",
            mend=f"It may be that of the first bed alone. {_RECONSTRUCT}",
        )
    return frames.of_average_count_rate


def refuse_other_admin(series: Series, injected: datetime, half_life_s: float, refuse: Refusals) -> None:
    """Raise ImagingError where Decay Factor tells that the moment of ADMIN was not the injection."""
    frames = FrameTimes.of(series, half_life_s)
    told = frames.told() if frames is not None and frames.decay is not None else ()
    if told and not _near_any(injected, told, half_life_s):
        raise _contradiction(Reference(injected, "injection"), told, refuse, field="injected")


def _chosen(series: Series, first: datetime) -> Reference | None:
    """Series time, else GE's private scan time: that which all files have and that is no later than the first
    acquisition; None where neither is."""
    differing = series.pet.disagreeing if series.pet else ()
    private = series.pet.ge_scan_start if series.pet else None
    for name, at, method in (
        ("started", series.started, "series time"),
        ("ge_scan_start", private, "GE private scan time"),
    ):
        if at is not None and name not in differing and at <= first + timedelta(seconds=_LATER_S):
            return Reference(at, method)
    return None


def _checked(
    chosen: Reference, first: datetime, frames: FrameTimes | None, half_life_s: float, refuse: Refusals
) -> Reference:
    told = frames.told() if frames is not None else ()
    if told and _near_any(chosen.at, told, half_life_s):
        return chosen
    if told:
        raise _contradiction(chosen, told, refuse, field="decay_reference")
    if not _near_any(chosen.at, [first], half_life_s):
        raise refuse(
            "the moment of decay correction is uncertain",
            value=f"{chosen.method} {chosen.at.time()}, first acquisition {first.time()}",
            mend=f"Neither {DECAY_FACTOR} nor {FRAME_REFERENCE} tells which of the two it is.",
            field="decay_reference",
        )
    return Reference(chosen.at, chosen.method, (_NOT_CHECKED,))


def _counted_back(
    series: Series, first: datetime, frames: FrameTimes | None, half_life_s: float, refuse: Refusals
) -> Reference:
    latest = first + timedelta(seconds=tolerance_s(half_life_s))
    told = [moment for moment in (frames.counted_back() if frames else ()) if moment <= latest]
    if not told or not all(_near_any(moment, told[:1], half_life_s) for moment in told):
        started = series.started.time() if series.started else "missing"
        raise refuse(
            f"{SERIES_TIME} is no moment of decay correction",
            value=f"{started}; first acquisition {first.time()}",
            mend="The series was post-processed, and its frames do not tell to when they are corrected. Take the "
            "original reconstruction.",
            field="decay_reference",
        )
    return Reference(
        told[0], "a moment counted back from its frames", ("series time is later than the acquisition",)
    )


def _refuse_odd_decay_factors(
    series: Series, frames: FrameTimes | None, half_life_s: float, refuse: Refusals
) -> None:
    odd = [s.decay_factor for s in series.slices if s.decay_factor is not None and s.decay_factor <= 0]
    if odd:
        raise refuse(f"{DECAY_FACTOR} is not positive", value=odd[0], field="decay_reference")
    if frames is not None and frames.contradict:
        assert frames.decay is not None
        assert frames.reference is not None
        raise refuse(
            f"{DECAY_FACTOR} and {FRAME_REFERENCE} contradict",
            value=f"{frames.decay.min():.0f} to {frames.decay.max():.0f} s and {frames.reference.min():.0f} to "
            f"{frames.reference.max():.0f} s after the moment of correction, half-life {half_life_s:g} s",
            field="decay_reference",
        )


def _near_any(moment: datetime, told: Sequence[datetime], half_life_s: float) -> bool:
    return any(abs((moment - other).total_seconds()) <= tolerance_s(half_life_s) for other in told)


def _contradiction(chosen: Reference, told: Sequence[datetime], refuse: Refusals, field: str) -> Exception:
    half = timedelta(seconds=0.5)  # to the nearest second
    frames = " or ".join(str((moment + half).time().replace(microsecond=0)) for moment in told)
    return refuse(
        f"{chosen.method} contradicts the decay of its frames",
        value=f"{chosen.at.time()}; {DECAY_FACTOR} and {FRAME_REFERENCE} tell {frames}",
        field=field,
    )
