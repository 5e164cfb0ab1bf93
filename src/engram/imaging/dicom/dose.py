"""Body weight, injected activity and half-life of a PET series: stated, else of the headers, else refused."""

from __future__ import annotations

from dataclasses import dataclass

from engram.imaging.dicom.corrections import Stated
from engram.imaging.dicom.nuclides import Nuclide, named_nuclide, nuclide_of_half_life
from engram.imaging.dicom.refusals import DOSE, HALF_LIFE, NUCLIDE, WEIGHT, Refusals
from engram.imaging.dicom.series import PetFacts

WEIGHT_KG = (2.0, 400.0)  # a newborn; beyond the limits of scanner tables
DOSE_MBQ_PER_KG = (0.05, 50.0)  # ultra-low-dose total-body scans to O-15 water; other units are 1000 times off
_GRAMS_FROM = 2000.0
_BQ = 1e6


@dataclass(frozen=True)
class Known:
    """A number and what a user should know of where it comes from."""

    value: float
    notes: tuple[str, ...] = ()


def body_weight_kg(facts: PetFacts, stated: Stated, refuse: Refusals) -> Known:
    """Raises ImagingError where it is missing, 0, or no weight of a person."""
    weight = facts.weight_kg if stated.weight_kg is None else stated.weight_kg
    if weight is None or weight == 0:
        raise refuse(f"{WEIGHT} is missing", value=weight, field="weight_kg")
    if not WEIGHT_KG[0] <= weight <= WEIGHT_KG[1]:
        guess = "It is most likely in grams." if weight >= _GRAMS_FROM else "No person weighs this."
        raise refuse(f"{WEIGHT} is impossible", value=f"{weight:g} kg", mend=guess, field="weight_kg")
    return Known(weight, _overridden(WEIGHT, facts.weight_kg, stated.weight_kg, "kg"))


def injected_bq(facts: PetFacts, stated: Stated, weight_kg: float, refuse: Refusals) -> Known:
    """Injected activity in Bq. Raises ImagingError where it is missing, not positive, or in other units than Bq."""
    dose = facts.dose_bq if stated.dose_mbq is None else stated.dose_mbq * _BQ
    if dose is None or dose == 0:
        raise refuse(f"{DOSE} is missing", value=dose, field="dose_mbq")
    lowest, highest = (limit * weight_kg * _BQ for limit in DOSE_MBQ_PER_KG)
    if not lowest <= dose <= highest:
        value = f"{dose:g} Bq for {weight_kg:g} kg"
        raise refuse(f"{DOSE} is impossible", value=value, mend=_likely_unit(dose, weight_kg), field="dose_mbq")
    header_mbq = None if facts.dose_bq is None else facts.dose_bq / _BQ
    return Known(dose, _overridden(DOSE, header_mbq, stated.dose_mbq, "MBq"))


def half_life_s(facts: PetFacts, stated: Stated, refuse: Refusals) -> tuple[Known, Nuclide | None]:
    """Half-life in seconds with the nuclide: from the header, else of the nuclide it names, never invented.

    Raises ImagingError where both are missing, where they disagree, and where the half-life is of no nuclide known.
    """
    named = named_nuclide(facts.nuclide) if facts.nuclide else None
    if stated.half_life_s is not None:
        return Known(stated.half_life_s, _overridden(HALF_LIFE, facts.half_life_s, stated.half_life_s, "s")), named
    header = facts.half_life_s
    if header is None or header == 0:
        if named is None:
            value = facts.nuclide or header
            mend = f"{NUCLIDE} names no known nuclide either."
            raise refuse(f"{HALF_LIFE} is missing", value=value, mend=mend, field="half_life_s")
        return Known(named.half_life_s, (f"half-life of {named.name}: the header has none",)), named
    if named is not None and not named.agrees(header):
        value = f"{header:g} s; {named.name} has {named.half_life_s:g} s"
        raise refuse(f"{HALF_LIFE} contradicts {NUCLIDE}", value=value, field="half_life_s")
    nuclide = named or (nuclide_of_half_life(header) if header > 0 else None)
    if nuclide is None:
        raise refuse(f"{HALF_LIFE} is of no known nuclide", value=f"{header:g} s", field="half_life_s")
    notes = () if named else (f"nuclide by its half-life: {nuclide.name}",)
    return Known(header, notes), nuclide


def _overridden(header: str, found: float | None, stated: float | None, unit: str) -> tuple[str, ...]:
    if stated is None:
        return ()
    if found is None:
        return (f"{header} of the corrections table",)
    return (f"{header} of the corrections table, {stated:g} {unit}; the header has {found:g} {unit}",)


def _likely_unit(dose: float, weight_kg: float) -> str:
    """The units in which the number would be an activity for this weight, if any."""
    usual = (1.0 * weight_kg, 10.0 * weight_kg)  # MBq of most PET tracers
    units = {"MBq": 1.0, "kBq": 1e-3, "mCi": 37.0, "GBq": 1e3, "uCi": 0.037}
    fitting = [unit for unit, in_mbq in units.items() if usual[0] <= dose * in_mbq <= usual[1]]
    return f"It is most likely in {' or '.join(fitting)}, not in Bq." if fitting else "It must be in Bq."
