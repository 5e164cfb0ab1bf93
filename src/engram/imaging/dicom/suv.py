"""PET voxels to SUV by body weight: SUVbw = activity (Bq/mL) x weight (g) / injected activity (Bq), at one time.

Follows the vendor-neutral pseudo-code of QIBA (RSNA Quantitative Imaging Biomarkers Alliance, "Standardized Uptake
Value") and DICOM PS3.3 C.8.9.1 (PET Series Module), and refuses where headers are missing or contradict each other:
an SUV is never guessed. Injected activity is not corrected for what stayed in the syringe: headers do not say.

    Units   Decay Correction   factor of a slice
    BQML    START              weight / dose decayed from injection to the moment of correction (`decay`)
    BQML    ADMIN              weight / dose
    BQML    NONE               weight / dose decayed to the slice's own moment of average count rate
    CNTS    any                Philips' own factor of the slice; without it, their activity factor, then as BQML
    GML     any                1: already SUV, by body weight where SUV Type says BW or is absent (PS3.3 C.8.9.1)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engram.errors import ImagingError
from engram.imaging.dicom.corrections import Corrections, Stated
from engram.imaging.dicom.dose import body_weight_kg, half_life_s, injected_bq
from engram.imaging.dicom.dose_decay import dose_decay, scan_injection
from engram.imaging.dicom.nuclides import Nuclide, named_nuclide
from engram.imaging.dicom.refusals import (
    CORRECTED_IMAGE,
    DECAY_CORRECTION,
    HEADERS,
    PHILIPS_ACTIVITY,
    PHILIPS_SUV,
    SUV_TYPE,
    UNITS,
    Refusals,
)
from engram.imaging.dicom.series import PetFacts, Series

PHILIPS_MAY_DIFFER = 0.05  # its console rounds weight, dose and times; other factors are of another patient

_NO_CORRECTIONS = Corrections()
_ORIGINAL = "Take the original reconstruction in Bq/mL."
_STATED_FOR = {
    "weight_kg": "weight_kg",
    "dose_bq": "dose_mbq",
    "half_life_s": "half_life_s",
    "injected": "injected",
}
_STATED_FOR |= {"nuclide": "half_life_s", "injected_time_s": "injected"}

Factors = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SuvConversion:
    """How the voxels of a series become SUVbw.

    factors: (n,) float64, in the order of `Series.slices`: SUVbw = factor x (stored x slope + intercept).
    method: one sentence. uptake_min: from injection to the start of the first frame. None: neither needed nor told
    by the headers. notes: what was inferred or stated by the user, without identifiers.
    """

    factors: Factors
    method: str
    units: str
    decay_correction: str | None
    weight_kg: float | None = None
    dose_mbq: float | None = None
    half_life_s: float | None = None
    nuclide: str | None = None
    uptake_min: float | None = None
    notes: tuple[str, ...] = ()


def suv_conversion(series: Series, *, patient_id: str, corrections: Corrections = _NO_CORRECTIONS) -> SuvConversion:
    """The SUV factors of a PET series, from its headers alone.

    Raises ImagingError, with header, value and the line for the corrections table, where they do not suffice.
    """
    refuse = Refusals(patient_id, series)
    if series.pet is None or not series.slices:
        raise refuse("no PET images", value=series.modality, mend="Name a PET series with one file a slice.")
    converter = _Converter(series, series.pet, corrections.stated(patient_id, series.uid), refuse)
    return converter.convert()


@dataclass(frozen=True)
class _Converter:
    series: Series
    facts: PetFacts
    stated: Stated
    refuse: Refusals

    def convert(self) -> SuvConversion:
        facts, units = self.facts, self.facts.units
        self._refuse_disagreeing(("units", "suv_type", "corrected"))
        if "ATTN" not in facts.corrected:
            value = ", ".join(facts.corrected) or "empty"
            mend = "Take the reconstruction that is corrected for attenuation."
            raise self.refuse(f"not attenuation corrected: {CORRECTED_IMAGE}", value=value, mend=mend)
        if units == "BQML":
            return self._of_activity(np.ones(len(self.series.slices)), "")
        if units == "CNTS":
            return self._of_counts()
        if units == "GML":
            return self._of_suv()
        raise self.refuse(f"{UNITS} cannot be converted", value=units or "missing", mend=_ORIGINAL)

    def _of_suv(self) -> SuvConversion:
        if self.facts.suv_type not in (None, "", "BW"):
            raise self.refuse(f"{SUV_TYPE} is not body weight", value=self.facts.suv_type, mend=_ORIGINAL)
        known = self._as_told(np.ones(len(self.series.slices)), "already SUV by body weight")
        if self.facts.suv_type == "BW":
            return known
        return replace(known, notes=(*known.notes, "SUV Type is absent, which means by body weight"))

    def _of_counts(self) -> SuvConversion:
        slices = self.series.slices
        own = _positive([s.philips_suv_factor for s in slices])
        activity = _positive([s.philips_activity_factor for s in slices])
        if own is None and activity is None:
            given = f"{_told([s.philips_suv_factor for s in slices])} and "
            given += _told([s.philips_activity_factor for s in slices])
            reason = f"{UNITS} is CNTS without {PHILIPS_SUV} or {PHILIPS_ACTIVITY}"
            raise self.refuse(reason, value=given, mend=_ORIGINAL)
        if own is None:
            assert activity is not None
            return self._of_activity(activity, "Philips activity factor; ")
        self._refuse_odd_correction()
        return replace(self._as_told(own, "Philips SUV factor"), notes=self._held_against_activity(own, activity))

    def _held_against_activity(self, own: Factors, activity: Factors | None) -> tuple[str, ...]:
        """Raise ImagingError where Philips' factor is not what the headers give; notes where they do not tell."""
        if activity is None:
            return ("Philips SUV factor not cross-checked: no activity factor",)
        try:
            computed = self._of_activity(activity, "")
        except ImagingError as error:
            return (f"Philips SUV factor not cross-checked: {error.reason}",)
        apart = float(np.abs(own / computed.factors - 1).max())
        if apart > PHILIPS_MAY_DIFFER:
            value = f"{own[0]:.6g}; weight, dose and times give {computed.factors[0]:.6g}"
            raise self.refuse(f"{PHILIPS_SUV} contradicts the other headers", value=value, mend=_ORIGINAL)
        return computed.notes

    def _as_told(self, factors: Factors, method: str) -> SuvConversion:
        """A conversion that needs no dose: what the headers tell of it goes along for the plausibility sheet."""
        facts = self.facts
        uptake_min, notes = self._uptake_as_told()
        return SuvConversion(
            factors,
            method,
            facts.units or "",
            facts.decay_correction,
            weight_kg=self.stated.weight_kg or facts.weight_kg,
            dose_mbq=self.stated.dose_mbq or (facts.dose_bq / 1e6 if facts.dose_bq is not None else None),
            half_life_s=facts.half_life_s,
            nuclide=_name(named_nuclide(facts.nuclide) if facts.nuclide else None, facts),
            uptake_min=uptake_min,
            notes=notes,
        )

    def _uptake_as_told(self) -> tuple[float | None, tuple[str, ...]]:
        try:
            half_life, _ = half_life_s(self.facts, self.stated, self.refuse)
            injection = scan_injection(self.series, half_life.value, self.stated, self.refuse)
        except ImagingError as error:
            return None, (f"time from injection to scan unknown: {error.reason}",)
        return injection.uptake_min, injection.notes

    def _of_activity(self, to_bq_ml: Factors, prefix: str) -> SuvConversion:
        """to_bq_ml: (n,), what makes the rescaled voxels Bq/mL."""
        facts, stated, refuse = self.facts, self.stated, self.refuse
        self._refuse_disagreeing(tuple(HEADERS))
        self._refuse_odd_correction()
        half_life, nuclide = half_life_s(facts, stated, refuse)
        weight = body_weight_kg(facts, stated, refuse)
        dose = injected_bq(facts, stated, weight.value, refuse)
        decay = dose_decay(self.series, half_life.value, stated, refuse)
        factors = to_bq_ml * weight.value * 1000.0 / (dose.value * np.exp2(-decay.seconds / half_life.value))
        return SuvConversion(
            factors,
            f"{prefix}{decay.method}",
            facts.units or "",
            facts.decay_correction,
            weight_kg=weight.value,
            dose_mbq=dose.value / 1e6,
            half_life_s=half_life.value,
            nuclide=_name(nuclide, facts),
            uptake_min=decay.uptake_min,
            notes=(*half_life.notes, *weight.notes, *dose.notes, *decay.notes),
        )

    def _refuse_odd_correction(self) -> None:
        """Raise ImagingError where Decay Correction is unknown, or Corrected Image contradicts it."""
        correction, corrected = self.facts.decay_correction, "DECY" in self.facts.corrected
        if correction not in ("START", "ADMIN", "NONE"):
            reason = f"{DECAY_CORRECTION} is missing" if not correction else f"{DECAY_CORRECTION} is unknown"
            raise self.refuse(reason, value=correction, mend=_ORIGINAL)
        if corrected != (correction != "NONE"):
            value = f"{correction}; {', '.join(self.facts.corrected)}"
            raise self.refuse(f"{DECAY_CORRECTION} and {CORRECTED_IMAGE} contradict", value=value, mend=_ORIGINAL)

    def _refuse_disagreeing(self, names: Sequence[str]) -> None:
        """Raise ImagingError where a header that decides differs from slice to slice, unless the user states it."""
        for name in names:
            field = _STATED_FOR.get(name)
            if name not in self.facts.disagreeing or (field and getattr(self.stated, field) is not None):
                continue
            mend = "Its files are of several scans or tracers: separate them."
            raise self.refuse(f"{HEADERS[name]} differs from slice to slice", mend=mend, field=field)


def _positive(values: Sequence[float | None]) -> Factors | None:
    """The values where every slice has one above 0, else None."""
    known = [value for value in values if value is not None and value > 0]
    return np.array(known, dtype=np.float64) if len(known) == len(values) else None


def _told(values: Sequence[float | None]) -> str:
    known = sorted({value for value in values if value is not None})
    missing = sum(value is None for value in values)
    shown = ", ".join(f"{value:g}" for value in known[:3]) or "none"
    return f"{shown} (absent in {missing} of {len(values)} slices)" if missing and known else shown


def _name(nuclide: Nuclide | None, facts: PetFacts) -> str | None:
    return nuclide.name if nuclide else facts.nuclide
