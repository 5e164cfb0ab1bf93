"""The study file on explanations: what is occluded, of whom, and how exactly (paper Appendix A)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from engram.config_section import Section

Millimetres = Annotated[float, Field(gt=0, le=1000)]
Lengths = tuple[Millimetres, Millimetres, Millimetres]


class Explain(Section):
    """What `engram explain` looks at. Lengths are in mm, as (z, y, x). No result of the study depends on it."""

    row: str | None = Field(None, description="which row; by default the image-only one with the highest mean")
    patients: int = Field(3, ge=1, description="how many have maps, spread evenly over their out-of-fold risk")
    patch_mm: Lengths = (40.0, 40.0, 40.0)
    stride_mm: Lengths = (20.0, 20.0, 20.0)
    complete: bool = Field(True, description="whether voxels that the grid leaves out get patches, too")
    fill: Literal["volume mean", "region mean"] = "volume mean"
    mode: Literal["exact", "fast"] = "exact"
    tolerance: float = Field(1e-3, gt=0, lt=1, description="of `fast`: relative distance that is as good as none")
    controls: bool = Field(True, description="whether models that know nothing make maps, too")
    reach_stride: int = Field(4, ge=1, description="every so many-th slice read is occluded alone")
