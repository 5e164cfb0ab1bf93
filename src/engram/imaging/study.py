"""Both scans of one patient, checked and on one grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engram.config_models import Modality
from engram.imaging.align import AlignedPet, pet_on_ct_grid
from engram.imaging.plausibility import check_hu, check_suv
from engram.imaging.volume import Grid, Volume, read_volume


@dataclass(frozen=True)
class ImagePair:
    """CT (HU) and PET (SUVbw) of one patient; one of them may be absent. All lie on `grid`."""

    ct: Volume | None
    pet: AlignedPet | None

    def __post_init__(self) -> None:
        if self.ct is None and self.pet is None:
            raise ValueError("a patient needs a CT, a PET, or both")

    @property
    def grid(self) -> Grid:
        """The CT's grid, or the PET's own where there is no CT."""
        return self.volume("PET" if self.ct is None else "CT").grid

    def volume(self, modality: Modality) -> Volume:
        """The scan of one modality. Raises ValueError where it was not loaded."""
        found = self.ct if modality == "CT" else self.pet.volume if self.pet is not None else None
        if found is None:
            raise ValueError(f"no {modality} was loaded")
        return found


def load_pair(ct_path: Path | None, pet_path: Path | None, *, patient_id: str) -> ImagePair:
    """Read CT and PET and put PET on the CT's grid (paper 2.2).

    A path is None where the study does not need that modality; a PET alone keeps its own grid.
    Raises ImagingError naming patient, file, value and mend; ValueError where both paths are None.
    """
    ct = read_volume(ct_path, patient_id=patient_id, what="CT") if ct_path is not None else None
    if ct is not None:
        check_hu(ct, patient_id=patient_id)
    if pet_path is None:
        return ImagePair(ct, None)
    pet = read_volume(pet_path, patient_id=patient_id, what="PET")
    check_suv(pet, patient_id=patient_id)
    aligned = AlignedPet(pet, 1.0) if ct is None else pet_on_ct_grid(pet, ct, patient_id=patient_id)
    return ImagePair(ct, aligned)
