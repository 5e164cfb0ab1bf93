"""How long the injected dose decays until the moment that the voxels of a series belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from engram.errors import ImagingError
from engram.imaging.dicom.corrections import Stated
from engram.imaging.dicom.decay import own_times, refuse_other_admin, start_reference
from engram.imaging.dicom.frame_times import FrameTimes, first_acquisition, tolerance_s
from engram.imaging.dicom.injection import find_injection
from engram.imaging.dicom.refusals import DECAY_CORRECTION, DECAY_FACTOR, Refusals
from engram.imaging.dicom.series import PetFacts, Series


@dataclass(frozen=True, eq=False)
class DoseDecay:
    """seconds: (n,), from injection to what each slice is corrected to. uptake_min: from injection to the first
    frame, None where the headers do not tell it and it is not needed. method, notes: as of `SuvConversion`."""

    seconds: npt.NDArray[np.float64]
    uptake_min: float | None
    method: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScanInjection:
    """at: start of the injection. uptake_min: from there to the start of the first frame."""

    at: datetime
    uptake_min: float
    notes: tuple[str, ...] = ()


def scan_injection(series: Series, half_life_s: float, stated: Stated, refuse: Refusals) -> ScanInjection:
    """The injection before a scan. Raises ImagingError where headers do not tell it, or tell two."""
    facts = series.pet or PetFacts()
    start = first_acquisition(series) or (None if "started" in facts.disagreeing else series.started)
    if start is None:
        raise refuse("the time of the scan is unknown", mend="Take the original reconstruction.")
    found = find_injection(facts, start, half_life_s, stated.injected, refuse)
    return ScanInjection(found.at, (start - found.at).total_seconds() / 60.0, found.notes)


def dose_decay(series: Series, half_life_s: float, stated: Stated, refuse: Refusals) -> DoseDecay:
    """By Decay Correction, which is START, ADMIN or NONE. Raises ImagingError where the headers do not suffice."""
    correction = series.pet.decay_correction if series.pet else None
    if correction == "ADMIN":
        return _to_injection(series, half_life_s, stated, refuse)
    if correction == "NONE":
        injection = scan_injection(series, half_life_s, stated, refuse)
        moments: Sequence[datetime] = own_times(series, half_life_s, refuse)
        method, notes = "not decay corrected: dose decayed to each slice's own time", injection.notes
        if any(slice_.frame_reference_s is None for slice_ in series.slices):
            notes = (*notes, "acquisition times not cross-checked: no Frame Reference Time")
    else:
        reference = start_reference(series, half_life_s, stated.decay_reference, refuse)
        injection = scan_injection(series, half_life_s, stated, refuse)
        moments = [reference.at] * len(series.slices)
        method, notes = f"dose decayed to {reference.method}", (*reference.notes, *injection.notes)
    seconds = np.array([(moment - injection.at).total_seconds() for moment in moments])
    return DoseDecay(seconds, injection.uptake_min, method, notes)


def _to_injection(series: Series, half_life_s: float, stated: Stated, refuse: Refusals) -> DoseDecay:
    """Images corrected to the injection: the dose does not decay. A time of injection is not needed, but one that
    is impossible speaks against the whole header."""
    none = np.zeros(len(series.slices))
    method = "decay corrected to the injection: dose as injected"
    facts = series.pet or PetFacts()
    told = (stated.injected, facts.injected, facts.injected_time_s)
    try:
        injection = scan_injection(series, half_life_s, stated, refuse)
    except ImagingError as error:
        if first_acquisition(series) is not None and any(time is not None for time in told):
            raise
        _refuse_start_of_scan(series, half_life_s, refuse)
        return DoseDecay(none, None, method, (f"time from injection to scan unknown: {error.reason}",))
    refuse_other_admin(series, injection.at, half_life_s, refuse)
    return DoseDecay(none, injection.uptake_min, method, injection.notes)


def _refuse_start_of_scan(series: Series, half_life_s: float, refuse: Refusals) -> None:
    """Raise ImagingError where Decay Factor tells that the images are corrected to the start of the scan."""
    first, frames = first_acquisition(series), FrameTimes.of(series, half_life_s)
    told = frames.told() if frames is not None and frames.decay is not None else ()
    if first is None or not any(abs((at - first).total_seconds()) <= tolerance_s(half_life_s) for at in told):
        return
    raise refuse(
        f"{DECAY_CORRECTION} contradicts the decay of its frames",
        value=f"ADMIN; {DECAY_FACTOR} tells {first.time()}, the start of the scan",
        field="injected",
    )
