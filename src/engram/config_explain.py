"""The study file on explanations: what is occluded, of whom, and how exactly (paper Appendix A)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from engram.config_section import Section

Millimetres = Annotated[float, Field(gt=0, le=1000)]


class Explain(Section):
    """Occlusion maps of `engram explain`. Lengths are in mm, as (z, y, x)."""

    row: str | None = Field(None, description="which row; by default the image-only one with the highest mean")
    patients: int = Field(3, ge=1, description="how many, spread evenly over their out-of-fold risk")
    patch_mm: tuple[Millimetres, Millimetres, Millimetres] = (30.0, 30.0, 30.0)
    stride_mm: tuple[Millimetres, Millimetres, Millimetres] = (20.0, 20.0, 20.0)
    fill: Literal["volume mean", "region mean"] = "volume mean"
    mode: Literal["exact", "fast"] = "exact"
    tolerance: float = Field(1e-3, gt=0, lt=1, description="of `fast`: when a memory counts as back to itself")
