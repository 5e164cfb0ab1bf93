"""All that is measured of how PET and CT of one patient fit each other."""

from __future__ import annotations

from dataclasses import dataclass

from engram.imaging.align import AlignedPet
from engram.imaging.field_of_view import Activity, activity, ct_beyond_pet_mm, pet_covered
from engram.imaging.registration import RegistrationQuality, registration_quality
from engram.imaging.volume import Volume


@dataclass(frozen=True)
class Alignment:
    """How PET and CT fit.

    ct_covered: share of the CT's field of view inside the PET's. pet_covered: share of the PET's inside the CT's.
    ct_beyond_pet_mm: on each side of the body, by name; negative where the PET reaches farther.
    """

    ct_covered: float
    pet_covered: float
    ct_beyond_pet_mm: dict[str, float]
    activity: Activity
    registration: RegistrationQuality


def alignment(pet: Volume, ct: Volume, aligned: AlignedPet) -> Alignment:
    """Measure a PET (SUVbw) on its own grid and `aligned` on that of the CT (HU)."""
    return Alignment(
        ct_covered=aligned.coverage,
        pet_covered=pet_covered(pet.grid, ct.grid),
        ct_beyond_pet_mm=ct_beyond_pet_mm(pet.grid, ct.grid),
        activity=activity(pet, aligned.volume),
        registration=registration_quality(pet, ct),
    )
