"""The plausibility sheet: what a nuclear physician looks at before trusting the SUVs of a scan.

Flags warn and exclude nobody: a scan may be unusual and right. What cannot be right is refused where SUVs are made
(`engram.imaging.dicom.suv`), by its integral (`ScanFacts.impossible`) and where volumes are loaded
(`engram.imaging.plausibility`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engram.files import write_text
from engram.imaging.dicom.suv import SuvConversion
from engram.imaging.volume import Volume

MOST_SHARE_IN_VIEW = 1.5  # of the injected dose: no image holds more than 1, and scanners are calibrated to 10 %
_ONE_OF = 1000  # voxels are higher than `suv_high`


@dataclass(frozen=True)
class Limit:
    """A range beyond which a fact is unusual. of: the name of a fact in `ScanFacts`. why: where it is from."""

    of: str
    what: str
    lowest: float
    highest: float
    unit: str
    why: str
    nuclide: str | None = None


LIMITS = (
    Limit(
        "uptake_min", "time from injection to scan", 45, 110, "min", "60 min is the protocol; 90 is in use", "F-18"
    ),
    Limit("dose_mbq_per_kg", "injected activity", 1.5, 8, "MBq/kg", "guidelines give 2 to 7 of F-18", "F-18"),
    Limit("weight_kg", "body weight", 35, 180, "kg", "adults; scanner tables bear about 200"),
    Limit(
        "share_in_view",
        "share of the dose in view",
        0.05,
        1.1,
        "",
        "no more can be there than was injected, and little where a part of the body is in view",
    ),
    Limit("suv_max", "highest SUV", 2, 500, "", "brain or bladder are above 2, no organ above some hundreds"),
    Limit("suv_high", "99.9th percentile of SUV", 0.5, 100, "", "a body fills more than a thousandth of the view"),
)


@dataclass(frozen=True)
class ScanFacts:
    """Facts of one PET. None: not told by the headers, and not needed for its SUVs.

    uptake_min: from injection to the start of the first frame. share_in_view: sum of SUV x voxel volume over body
    weight, at 1 g/mL: the share of the decayed dose that the image holds, below 1 by what left the body and what
    lies outside the view. suv_high: 99.9th percentile of all voxels. notes: what was inferred or stated.
    """

    units: str
    decay_correction: str | None
    method: str
    nuclide: str | None
    half_life_s: float | None
    weight_kg: float | None
    dose_mbq: float | None
    uptake_min: float | None
    suv_max: float
    suv_high: float
    share_in_view: float | None
    notes: tuple[str, ...] = ()

    @property
    def dose_mbq_per_kg(self) -> float | None:
        """Injected activity for the body weight; None where one of them is missing or 0."""
        return self.dose_mbq / self.weight_kg if self.dose_mbq and self.weight_kg else None

    @property
    def flags(self) -> tuple[str, ...]:
        """What is outside its usual range, each a sentence with value and range."""
        return tuple(told for told in map(self._flag, LIMITS) if told)

    @property
    def impossible(self) -> str | None:
        """Why these SUVs cannot be right, in one sentence with the value; None where nothing says so."""
        share = self.share_in_view
        if share is None or share <= MOST_SHARE_IN_VIEW:
            return None
        return (
            f"the image holds {share:.4g} times the injected dose, at most {MOST_SHARE_IN_VIEW:g}: unit, weight, "
            "dose or times are wrong"
        )

    def _flag(self, limit: Limit) -> str | None:
        value = getattr(self, limit.of)
        if value is None or limit.nuclide not in (None, self.nuclide) or limit.lowest <= value <= limit.highest:
            return None
        unit = f" {limit.unit}" if limit.unit else ""
        return f"{limit.what} {value:.4g}{unit}, usual {limit.lowest:g} to {limit.highest:g} ({limit.why})"


def scan_facts(conversion: SuvConversion, volume: Volume) -> ScanFacts:
    """The facts of a PET whose voxels are in SUVbw by this conversion."""
    weight_kg = conversion.weight_kg
    return ScanFacts(
        units=conversion.units,
        decay_correction=conversion.decay_correction,
        method=conversion.method,
        nuclide=conversion.nuclide,
        half_life_s=conversion.half_life_s,
        weight_kg=weight_kg,
        dose_mbq=conversion.dose_mbq,
        uptake_min=conversion.uptake_min,
        suv_max=float(volume.voxels.max()),
        suv_high=_high(volume),
        share_in_view=_suv_ml(volume) / (weight_kg * 1000.0) if weight_kg else None,
        notes=conversion.notes,
    )


def write_scan_facts(path: Path, facts: Mapping[str, ScanFacts]) -> Path:
    """The sheet of a cohort as CSV, one row a patient, in their order. It names patients: it is not for sharing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["patient_id", *_COLUMNS, "notes", "flags"])
    for patient_id, fact in facts.items():
        cells = [_cell(getattr(fact, name)) for name in _COLUMNS]
        writer.writerow([patient_id, *cells, "; ".join(fact.notes), "; ".join(fact.flags)])
    return write_text(path, text.getvalue())


_COLUMNS = (
    *("units", "decay_correction", "method", "nuclide", "half_life_s", "weight_kg", "dose_mbq", "dose_mbq_per_kg"),
    *("uptake_min", "suv_max", "suv_high", "share_in_view"),
)


def _cell(value: float | str | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.6g}"


def _suv_ml(volume: Volume) -> float:
    """SUV x millilitres over all voxels, summed in float64 slice by slice."""
    total = sum(float(plane.sum(dtype=np.float64)) for plane in volume.voxels)
    return total * volume.grid.voxel_volume_ml


def _high(volume: Volume) -> float:
    """The 99.9th percentile as one of the voxels: no more than a thousandth of them is higher."""
    rank = volume.voxels.size - 1 - volume.voxels.size // _ONE_OF
    return float(np.partition(volume.voxels, rank, axis=None)[rank])
