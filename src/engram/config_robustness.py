"""The study file on robustness: how prompts, masks and the PET's place are disturbed by `engram sensitivity`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from engram.config_section import Section

Distance = Annotated[float, Field(gt=0)]
ModelUse = Literal["frozen", "retrained"]
Towards = Literal["left", "posterior", "superior"]


class Robustness(Section):
    """Variants of the reading, each compared with the study's own. An empty list, or false, leaves a kind out."""

    jitter_mm: tuple[Distance, ...] = Field((5.0,), description="sd of each edge of a jittered box")
    pad_mm: tuple[Distance, ...] = Field((10.0,), description="padding of a padded box")
    coarse_box: bool = Field(True, description="one box around the region, the same on all slices")
    random_box: bool = Field(True, description="a box of the right size anywhere on the slice: a control")
    points: tuple[Annotated[int, Field(ge=1)], ...] = Field((3,), description="clicks on each slice")
    mask_prompt: bool = Field(True, description="the region's whole mask as prompt")
    erode_mm: tuple[Distance, ...] = Field(
        (3.0,), description="of the region's mask, before prompts are made of it"
    )
    dilate_mm: tuple[Distance, ...] = Field((5.0,), description="of the region's mask")
    noise_mm: tuple[Distance, ...] = Field((3.0,), description="sd of what moves the mask's surface in and out")
    noise_length_mm: float = Field(10.0, gt=0, description="distance over which that noise changes")
    uninformative: bool = Field(True, description="the region's shape in the air beside the body: a control")
    shift_mm: tuple[Distance, ...] = Field((5.0,), description="of the PET against the CT")
    shift_towards: Towards = Field("superior", description="breathing shifts along the body")
    seed: int = Field(0, ge=0, description="of jitter, random boxes and noise")
    rows: tuple[str, ...] | None = Field(
        None, description="names of the rows that are compared; by default all image rows of the memory"
    )
    models: tuple[ModelUse, ...] = Field(
        ("frozen", "retrained"), min_length=1, description="the study's own models, or models trained anew"
    )
