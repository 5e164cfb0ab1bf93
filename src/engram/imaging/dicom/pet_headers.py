"""What one PET image says of its units, tracer and times (DICOM PS3.3 C.8.9.1 and C.8.9.2).

Private headers by the words that reserve their block: GE's scan date and time, and the two scales of Philips.
"""

from __future__ import annotations

from datetime import datetime

from pydicom.dataset import Dataset

from engram.imaging.dicom.series import PetFacts
from engram.imaging.dicom.values import (
    as_number,
    items,
    local_moment,
    moment,
    number,
    private,
    seconds_of_day,
    text,
    texts,
    zone_of,
)

PET_KEYWORDS = (
    *("PatientWeight", "CorrectedImage", "SeriesType", "Units", "SUVType", "DecayCorrection"),
    *("Manufacturer", "ManufacturerModelName", "RadiopharmaceuticalInformationSequence"),
)
_GE = (0x0009, "GEMS_PETD_01", 0x0D)
_PHILIPS = (0x7053, "Philips PET Private Group")
_PHILIPS_SUV, _PHILIPS_ACTIVITY = 0x00, 0x09
_BLOCKS = range(0x10, 0x100)
PRIVATE_TAGS = (
    *((group << 16) + block for group in (_GE[0], _PHILIPS[0]) for block in _BLOCKS),
    *((_GE[0] << 16) + (block << 8) + _GE[2] for block in _BLOCKS),
    *((_PHILIPS[0] << 16) + (block << 8) + e for e in (_PHILIPS_SUV, _PHILIPS_ACTIVITY) for block in _BLOCKS),
)
_OF_THE_TRACER = ("dose_bq", "half_life_s", "nuclide", "tracer", "injected", "injected_time_s")


def pet_facts(headers: Dataset) -> PetFacts:
    """Facts of one image. More than one tracer: nothing is said of any, and all its fields are `disagreeing`."""
    tracers = items(headers, "RadiopharmaceuticalInformationSequence")
    item = tracers[0] if len(tracers) == 1 else Dataset()
    injected, time_s, contradicting = _injection(item, headers)
    return PetFacts(
        units=text(headers, "Units"),
        suv_type=text(headers, "SUVType"),
        decay_correction=text(headers, "DecayCorrection"),
        corrected=texts(headers, "CorrectedImage"),
        weight_kg=number(headers, "PatientWeight"),
        dose_bq=number(item, "RadionuclideTotalDose"),
        half_life_s=number(item, "RadionuclideHalfLife"),
        nuclide=_coded(item, "RadionuclideCodeSequence"),
        tracer=text(item, "Radiopharmaceutical") or _coded(item, "RadiopharmaceuticalCodeSequence"),
        injected=injected,
        injected_time_s=time_s,
        ge_scan_start=local_moment(private(headers, *_GE), headers),
        series_type=texts(headers, "SeriesType"),
        manufacturer=text(headers, "Manufacturer"),
        model=text(headers, "ManufacturerModelName"),
        disagreeing=_OF_THE_TRACER if len(tracers) > 1 else contradicting,
    )


def philips_suv_factor(headers: Dataset) -> float | None:
    """SUV per stored count of this image, (7053,1000)."""
    return as_number(private(headers, *_PHILIPS, _PHILIPS_SUV))


def philips_activity_factor(headers: Dataset) -> float | None:
    """Bq/mL per stored count of this image, (7053,1009)."""
    return as_number(private(headers, *_PHILIPS, _PHILIPS_ACTIVITY))


def _injection(item: Dataset, headers: Dataset) -> tuple[datetime | None, float | None, tuple[str, ...]]:
    """Start DateTime, Start Time, and "injected" where an offset leaves open whether the two agree.

    A date-time with an offset in a file without a zone is taken if its clock shows the Start Time; with another
    Start Time one of the two is wrong; alone it is no local time.
    """
    time_s = seconds_of_day(text(item, "RadiopharmaceuticalStartTime"))
    found = moment(text(item, "RadiopharmaceuticalStartDateTime"))
    if found is None:
        return None, time_s, ()
    local = found.local(zone_of(headers))
    if local is not None or time_s is None:
        return local, time_s, ()
    midnight = found.clock.replace(hour=0, minute=0, second=0, microsecond=0)
    if abs((found.clock - midnight).total_seconds() - time_s) < 1.0:
        return found.clock, time_s, ()
    return None, time_s, ("injected",)


def _coded(item: Dataset, keyword: str) -> str | None:
    """The meaning of a code, else its value; None where there is more than one."""
    codes = items(item, keyword)
    return text(codes[0], "CodeMeaning") or text(codes[0], "CodeValue") if len(codes) == 1 else None
