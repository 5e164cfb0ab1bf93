"""The study file on images: their columns, how voxels become frames, and the regions of interest."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from engram.config_section import Section


class Images(Section):
    """Columns of the images, and how voxels become 8-bit frames (paper 2.2; windows are MedSAM2's habit)."""

    ct: str | None = Field("ct", description="CT in HU; PET is brought onto its grid. null: the study has no CT")
    pet: str | None = Field("pet", description="PET in SUVbw. null: the study has no PET")
    labels: str | None = Field(None, description="column of the bone label map")
    label_scheme: Literal["totalsegmentator_v2"] = "totalsegmentator_v2"
    ct_window_hu: tuple[float, float] = Field((-500.0, 1300.0), description="bone window: level 400, width 1800")
    pet_window_suv: tuple[float, float] = Field((0.0, 10.0), description="SUVbw at black and at white")

    @model_validator(mode="after")
    def _windows(self) -> Images:
        if self.ct is None and self.pet is None:
            raise ValueError("name the column of ct, of pet, or of both")
        for low, high in (self.ct_window_hu, self.pet_window_suv):
            if not low < high:
                raise ValueError(f"a window goes from low to high, not from {low} to {high}")
        return self


class Roi(Section):
    """A region of interest: a ready mask on the CT grid, or a region made from the bone label map (paper 2.2)."""

    mask: str | None = Field(None, description="column of a ready mask on the CT grid")
    region: Literal["spine_dilated", "skeleton"] | None = None
    dilate_mm: float = Field(10.0, ge=0, description="dilation of the spine, in mm (the paper gives none)")
    include_sacrum: bool = True

    @model_validator(mode="after")
    def _one_source(self) -> Roi:
        if (self.mask is None) == (self.region is None):
            raise ValueError("give either 'mask' (a column) or 'region' (spine_dilated, skeleton)")
        return self
