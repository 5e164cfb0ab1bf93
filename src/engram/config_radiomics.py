"""The study file on radiomics: features by another tool, the settings that it is given, how many a model sees."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from engram.config_section import Section


class Radiomics(Section):
    """The radiomics baseline: IBSI features of each region (the paper gives no settings)."""

    table: Path | None = Field(
        None, description="CSV of features made elsewhere; by default radiomics.csv of the run folder"
    )
    command: str | None = Field(None, description="the Python of an environment that has MIRP")
    resample_mm: float | None = Field(
        2.0, gt=0, description="sides of the isotropic voxels that features are made on; null: as reconstructed"
    )
    ct_bin_hu: float = Field(25.0, gt=0, description="width of the grey levels of textures, from -1000 HU")
    pet_bin_suv: float = Field(0.5, gt=0, description="width of the grey levels of textures, from SUV 0")
    features: int = Field(
        10, ge=1, description="most features of a scan that a model sees: about one for ten events of 227 patients"
    )
