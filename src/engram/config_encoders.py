"""The study file on image encoders without a memory: whose weights, and what they are shown (requirement 26)."""

from __future__ import annotations

from pydantic import Field

from engram.config_section import Section


class Encoders(Section):
    """The baselines resnet50 and vit. `hiera` has no setting: it is the memory model's own image encoder."""

    resnet50_weights: str | None = Field(
        None, description="a file, a Hugging Face folder or a known name; null: the known weights 'resnet50'"
    )
    vit_weights: str | None = Field(
        None, description="a file, a Hugging Face folder or a known name; null: the known weights 'vit'"
    )
    slices: int | None = Field(
        16, ge=1, description="slices nearest the middle of the region; null: all that the memory reads"
    )
    masked: bool = Field(True, description="pixels outside the region are black")
