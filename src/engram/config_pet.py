"""The study file on numbers of the PET: what counts as avid, for MTV and TLG."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from engram.config_section import Section

_DEFAULTS = {"suv": 4.0, "share_of_max": 0.41}


class PetNumbers(Section):
    """MTV and TLG of each region: voxels at or above a threshold (41 % of the maximum: Boellaard et al. 2015)."""

    threshold: Literal["suv", "share_of_max", "liver"] = Field(
        "suv", description="a fixed SUV, a share of the region's own SUVmax, or 1.5 x mean + 2 SD of the liver"
    )
    value: float | None = Field(
        None, gt=0, description="the SUV (4 by default) or the share (0.41 by default); not with liver"
    )

    @model_validator(mode="after")
    def _fits(self) -> PetNumbers:
        if self.threshold == "liver" and self.value is not None:
            raise ValueError("value has no effect where threshold is liver: leave it out")
        if self.threshold == "share_of_max" and self.value is not None and self.value > 1:
            raise ValueError(f"value is a share of the maximum, at most 1, not {self.value:g}")
        return self

    @property
    def chosen(self) -> float:
        """The SUV or the share; 1 where the liver decides."""
        return _DEFAULTS.get(self.threshold, 1.0) if self.value is None else self.value

    @property
    def in_words(self) -> str:
        """The threshold as the report prints it."""
        if self.threshold == "liver":
            return "1.5 x mean + 2 SD of the liver's SUV"
        return f"SUV {self.chosen:g}" if self.threshold == "suv" else f"{self.chosen:.0%} of the region's SUVmax"
