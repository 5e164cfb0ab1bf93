"""Positron emitters by name and code, with their half-lives.

Codes and names: DICOM PS3.16 CID 4020 "PET Radionuclide" (SNOMED CT and DCM codes, and the older SNOMED-RT codes
that scanners still write). Half-lives: ICRP Publication 107 and NUBASE2020, as `tests/reference/suv` has them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_USUAL_TOLERANCE = 0.01
_WIDE_TOLERANCE = 0.02


@dataclass(frozen=True)
class Nuclide:
    """A positron emitter. name: "F-18". codes: SNOMED CT or DCM, then SNOMED-RT.

    tolerance: by which share a header's half-life may differ and still be this nuclide's. Published values of one
    nuclide differ by up to 0.6 % (6588 s and 6586.2 s for F-18), of Rb-82 and Sc-44 by nearly 2 %.
    """

    name: str
    element: str
    half_life_s: float
    codes: tuple[str, ...]
    tolerance: float = _USUAL_TOLERANCE

    def agrees(self, half_life_s: float) -> bool:
        """Whether a half-life in seconds can be meant for this nuclide."""
        return abs(half_life_s / self.half_life_s - 1) <= self.tolerance

    @property
    def spellings(self) -> frozenset[str]:
        """How headers write it, without case and separators: f18, 18f, fluorine18, 18fluorine, f1818fluorine."""
        symbol, mass = self.name.lower().split("-")
        element = self.element.lower()
        pairs = {symbol + mass, mass + symbol, element + mass, mass + element}
        return frozenset(pairs | {symbol + mass + mass + element})


NUCLIDES = (
    Nuclide("F-18", "Fluorine", 6586.2, ("77004003", "C-111A1")),
    Nuclide("C-11", "Carbon", 1223.4, ("40565003", "C-105A1")),
    Nuclide("N-13", "Nitrogen", 597.9, ("21576001", "C-107A1")),
    Nuclide("O-14", "Oxygen", 70.606, ("424875009", "C-1018C")),
    Nuclide("O-15", "Oxygen", 122.24, ("129504001", "C-B1038")),
    Nuclide("Ga-66", "Gallium", 34164.0, ("79477007", "C-131A1")),
    Nuclide("Ga-68", "Gallium", 4062.6, ("35337001", "C-131A3")),
    Nuclide("Cu-60", "Copper", 1422.0, ("425364008", "C-127A4")),
    Nuclide("Cu-61", "Copper", 11998.8, ("71425003", "C-127A1")),
    Nuclide("Cu-62", "Copper", 580.38, ("422934004", "C-127A5")),
    Nuclide("Cu-64", "Copper", 45720.0, ("3932008", "C-127A2")),
    Nuclide("Zn-62", "Zinc", 33069.6, ("65054007", "C-141A1")),
    Nuclide("Zr-89", "Zirconium", 282276.0, ("63360001", "C-168A4")),
    Nuclide("I-124", "Iodine", 360806.4, ("40937006", "C-114A5")),
    Nuclide("Rb-82", "Rubidium", 76.38, ("79197006", "C-159A2"), _WIDE_TOLERANCE),
    Nuclide("Sc-43", "Scandium", 14007.6, ("126605",)),
    Nuclide("Sc-44", "Scandium", 14292.0, ("126600",), _WIDE_TOLERANCE),
    Nuclide("Tb-152", "Terbium", 63000.0, ("126606",)),
    Nuclide("Br-75", "Bromine", 5802.0, ("17910003", "C-113A1")),
    Nuclide("Br-76", "Bromine", 58320.0, ("79523006", "C-113A2")),
    Nuclide("Y-86", "Yttrium", 53064.0, ("10738001", "C-162A3")),
    Nuclide("Y-90", "Yttrium", 230760.0, ("14691008", "C-162A7")),
    Nuclide("Mn-51", "Manganese", 2772.0, ("126601",)),
    Nuclide("Mn-52", "Manganese", 483062.4, ("37225000", "C-149A1")),
    Nuclide("Fe-52", "Iron", 29790.0, ("69089000", "C-130A1")),
    Nuclide("K-38", "Potassium", 458.16, ("423764008", "C-135A4")),
    Nuclide("Ti-45", "Titanium", 11088.0, ("75696008", "C-166A2")),
    Nuclide("As-72", "Arsenic", 93600.0, ("2705002", "C-115A2")),
    Nuclide("Se-73", "Selenium", 25740.0, ("87437000", "C-116A2")),
    Nuclide("Tc-94m", "Technetium", 3120.0, ("424079002", "C-163AA")),
)

_BY_CODE = {code: nuclide for nuclide in NUCLIDES for code in nuclide.codes}
_BY_SPELLING = {spelling: nuclide for nuclide in NUCLIDES for spelling in nuclide.spellings}


def named_nuclide(text: str) -> Nuclide | None:
    """The nuclide that a code value or a code meaning names, in full and alone; None where it names none known."""
    code = text.strip().upper()
    return _BY_CODE.get(code) or _BY_SPELLING.get(re.sub(r"[^a-z0-9]", "", text.lower()))


def nuclide_of_half_life(half_life_s: float) -> Nuclide | None:
    """The nuclide whose half-life is nearest to this one (seconds), where it agrees; else None."""
    nearest = min(NUCLIDES, key=lambda nuclide: abs(half_life_s / nuclide.half_life_s - 1))
    return nearest if nearest.agrees(half_life_s) else None
