"""The study file on limits: what a patient's images must keep to be analysed."""

from __future__ import annotations

from pydantic import Field, model_validator

from engram.config_section import Section


class ImageChecks(Section):
    """Limits that leave a patient out; null reports the number and leaves nobody out.

    By default only what cannot be right is left out. All are of one patient's own images: a limit that compared
    patients would let those of the test folds decide who is in the training folds.
    """

    min_ct_covered: float | None = Field(
        None, ge=0, le=1, description="share of the CT's field of view in the PET's"
    )
    min_pet_covered: float | None = Field(
        None, ge=0, le=1, description="share of the PET's field of view in the CT's"
    )
    min_roi_in_pet: float | None = Field(
        0.5, ge=0, le=1, description="share of each region of interest in the PET's field of view"
    )
    max_activity_change: float | None = Field(
        0.05, ge=0, description="change of the SUV integral by resampling, as a share"
    )
    min_body_dice: float | None = Field(None, ge=0, le=1, description="of the outlines of the body in PET and CT")
    max_shift_mm: float | None = Field(None, ge=0, description="from the given place of the PET to the best one")
    min_liver_suv: float | None = Field(None, ge=0, description="mean, where the label maps know the liver")
    max_liver_suv: float | None = Field(None, ge=0, description="mean, where the label maps know the liver")
    min_bone_contrast: float | None = Field(
        0.6, ge=0, le=1, description="how often labelled bone is denser than what is around it; 0.5 is chance"
    )
    max_swapped_pairs: float | None = Field(
        0.5,
        ge=0,
        le=1,
        description="share of the left and right bones that lie on each other's side; two pairs or more",
    )
    max_bone_flags: int | None = Field(
        None, ge=0, description="of the label maps: bones missing, swapped, in pieces"
    )
    max_roi_flags: int | None = Field(None, ge=0, description="of the regions of interest: in pieces, with specks")

    @model_validator(mode="after")
    def _a_range(self) -> ImageChecks:
        low, high = self.min_liver_suv, self.max_liver_suv
        if low is not None and high is not None and not low < high:
            raise ValueError(f"min_liver_suv ({low:g}) must be below max_liver_suv ({high:g})")
        return self
