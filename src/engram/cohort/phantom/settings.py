"""What can be chosen about a synthetic cohort."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

LesionSite = Literal["anywhere", "spine"]
HazardFrom = Literal["both", "lesions"]

PHANTOM_VERSION = 1  # raised with every change of what is drawn, so that older patients are made again


@dataclass(frozen=True)
class PhantomSettings:
    """A synthetic cohort, in full: the same settings give the same bytes.

    n_patients: patients that stay in the analysis; the faulty ones come on top.
    seed: 0 or more. Patient k is drawn from (seed, k) alone, so a larger cohort keeps the images of the smaller
      one.
    ct_spacing_mm, pet_spacing_mm: (z, y, x).
    event_rate: share of the n patients whose event is observed, in (0, 1] (paper 2.1: 70.5 %).
    median_months: median of the observed times of the n patients (paper 2.1: 30 months).
    clinical_strength, imaging_strength: standard deviation over the cohort of each part of the true log-hazard.
    lesion_site: 'anywhere' in the skeleton, or only in the 'spine' (vertebrae and sacrum).
    hazard_from: the imaging part is of diffuse and focal disease in equal parts ('both'), or of 'lesions' alone:
      diffuse disease is in every marrow, so any slice tells of it; a lesion is where it is.
    faults: add six patients that no analysis can use, one or two of each kind (see `FAULTS` in cohort.py).
    Raises ValueError for a value out of range.
    """

    n_patients: int = 100
    seed: int = 0
    ct_spacing_mm: tuple[float, float, float] = (10.0, 5.0, 5.0)
    pet_spacing_mm: tuple[float, float, float] = (10.0, 6.0, 6.0)
    event_rate: float = 0.705
    median_months: float = 30.0
    clinical_strength: float = 0.72
    imaging_strength: float = 0.72
    lesion_site: LesionSite = "anywhere"
    hazard_from: HazardFrom = "both"
    faults: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if self.n_patients < 2:
            raise ValueError(f"n_patients is {self.n_patients}: a cohort needs at least 2")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: use 0 or more")
        for name in ("ct_spacing_mm", "pet_spacing_mm"):
            spacing = getattr(self, name)
            if len(spacing) != 3 or not all(0.5 <= step <= 20 for step in spacing):
                raise ValueError(f"{name} is {spacing}: use three values (z, y, x) from 0.5 to 20 mm")
        if not 0 < self.event_rate <= 1:
            raise ValueError(f"event_rate is {self.event_rate}: use more than 0 and at most 1")
        for name in ("clinical_strength", "imaging_strength"):
            if not 0 <= getattr(self, name) <= 5:
                raise ValueError(f"{name} is {getattr(self, name)}: use 0 (none) to 5")
        if not (math.isfinite(self.median_months) and self.median_months >= 1):
            raise ValueError(f"median_months is {self.median_months}: use 1 or more")
        if self.hazard_from not in ("both", "lesions"):
            raise ValueError(f"hazard_from is {self.hazard_from!r}: use 'both' or 'lesions'")
        if self.lesion_site not in ("anywhere", "spine"):
            raise ValueError(f"lesion_site is {self.lesion_site!r}: use 'anywhere' or 'spine'")
