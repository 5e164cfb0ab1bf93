"""The study file on images: their columns, how voxels become frames, and the regions of interest."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from engram.config_section import Section
from engram.config_windows import CT_WINDOWS_HU, PET_WINDOWS_SUV, CtWindow, PetWindow

LABEL_SCHEMES = (
    "totalsegmentator-2/total",
    "totalsegmentator-2/total_v3",
    "totalsegmentator-2/appendicular_bones",
    "totalsegmentator-2/vertebrae_pp",
    "totalsegmentator-2.1/total",
    "totalsegmentator-1/total",
    "moose-3/clin_ct_vertebrae",
    "moose-3/clin_ct_ribs",
    "moose-3/clin_ct_peripheral_bones",
    "moose-3/clin_ct_organs",
    "moose-2/clin_ct_vertebrae",
    "moose-2/clin_ct_ribs",
    "moose-2/clin_ct_peripheral_bones",
    "moose-2/clin_ct_organs",
    "moose-2/clin_ct_fat",
)
Region = Literal[
    "spine_dilated",
    "skeleton",
    "axial_skeleton",
    "marrow",
    "skull",
    "cervical",
    "thoracic",
    "lumbar",
    "sacrum_pelvis",
    "ribs_sternum",
    "shoulder_girdle",
    "limbs",
    "ct_threshold",
]
Setting = float | bool

_MOST_SHOWN = 60  # characters of a wrong name

_SPINE: dict[str, Setting] = {"close_mm": 5.0, "fill_canal": True, "dilate_mm": 10.0, "include_sacrum": True}
_BONES: dict[str, Setting] = {"dilate_mm": 0.0}
_SETTINGS: dict[str, dict[str, Setting]] = {
    "spine_dilated": _SPINE,
    "skeleton": _SPINE,
    "marrow": {"erode_mm": 2.0, "proximal_mm": 150.0},
    "ct_threshold": {"smooth_mm": 1.5, "threshold_hu": 125.0, "hole_cm2": 20.0, "smallest_ml": 5.0},
}


def _unknown_scheme(name: str) -> str:
    near = get_close_matches(name, LABEL_SCHEMES, n=3, cutoff=0.0)
    shown = repr(name if len(name) <= _MOST_SHOWN else f"{name[:_MOST_SHOWN]}...")
    return f"unknown label scheme {shown}; nearest are {', '.join(near)} (docs/study-file.md lists all)"


class Images(Section):
    """Columns of the images, and how voxels become 8-bit frames (paper 2.2; windows are MedSAM2's habit)."""

    ct: str | None = Field("ct", description="CT in HU; PET is brought onto its grid. null: the study has no CT")
    pet: str | None = Field("pet", description="PET in SUVbw. null: the study has no PET")
    labels: str | dict[str, str] | None = Field(
        None, description="column of the bone label map; or scheme: column for several maps, first named first"
    )
    label_scheme: str | None = Field(
        None, description="what the numbers of a single label map mean: tool-version/task"
    )
    ct_window_hu: CtWindow = Field(CT_WINDOWS_HU["bone"], description="HU at black and at white, or a name")
    pet_window_suv: PetWindow = Field(PET_WINDOWS_SUV["suv_10"], description="SUV at black and at white, or a name")

    @field_validator("labels", mode="before")
    @classmethod
    def _column_or_columns(cls, given: Any) -> Any:
        columns = given.items() if isinstance(given, dict) else [("", given)]
        if given is not None and not all(isinstance(text, str) for column in columns for text in column):
            raise ValueError("must be a column, a section with a column for each label scheme, or null")
        return given

    @model_validator(mode="after")
    def _a_scan(self) -> Images:
        if self.ct is None and self.pet is None:
            raise ValueError("name the column of ct, of pet, or of both")
        return self

    @model_validator(mode="after")
    def _labels_are_named(self) -> Images:
        if isinstance(self.labels, str) and self.label_scheme is None:
            raise ValueError(
                "say what the numbers of the label map mean: set label_scheme, for no two segmenters have the same"
            )
        if not isinstance(self.labels, str) and self.label_scheme is not None:
            raise ValueError("label_scheme is for 'labels: column'; drop it, or name that column")
        if self.labels is not None and not self.labels:
            raise ValueError("labels names no column; write scheme: column, or leave it out")
        for scheme in self.label_columns:
            if scheme not in LABEL_SCHEMES:
                raise ValueError(_unknown_scheme(scheme))
        return self

    @property
    def label_columns(self) -> dict[str, str]:
        """Column of each label map, by its scheme, in the order in which they are read."""
        if isinstance(self.labels, dict):
            return dict(self.labels)
        if self.labels is None or self.label_scheme is None:
            return {}
        return {self.label_scheme: self.labels}


class Roi(Section):
    """A region of interest: a ready mask on the CT grid, or a region made from the bone label maps (paper 2.2)."""

    mask: str | None = Field(None, description="column of a ready mask on the CT grid")
    region: Region | None = None
    dilate_mm: float | None = Field(None, ge=0, description="dilation, in mm (the paper gives none)")
    close_mm: float | None = Field(None, ge=0, description="closing of the spine before it is filled and dilated")
    fill_canal: bool | None = Field(None, description="whether holes of the spine are filled on each slice")
    include_sacrum: bool | None = Field(None, description="whether the sacrum belongs to the spine")
    erode_mm: float | None = Field(None, ge=0, description="surface of bone that is no marrow, in mm")
    proximal_mm: float | None = Field(None, ge=0, description="of humeri and femora, in mm from the joint")
    smooth_mm: float | None = Field(None, ge=0, description="smoothing of the CT, standard deviation in mm")
    threshold_hu: float | None = Field(None, ge=0, le=3000, description="CT at least this dense is taken for bone")
    hole_cm2: float | None = Field(None, ge=0, description="largest hole of a slice that is filled")
    smallest_ml: float | None = Field(None, ge=0, description="smaller pieces are dropped")

    @model_validator(mode="after")
    def _one_source(self) -> Roi:
        if (self.mask is None) == (self.region is None):
            raise ValueError("give either 'mask' (a column) or 'region' (as spine_dilated, skeleton)")
        idle = sorted(self._given() - set(self.settings))
        if idle:
            what = f"region {self.region}" if self.region else "a ready mask"
            raise ValueError(f"{idle[0]} has no effect on {what}: leave it out")
        return self

    @property
    def settings(self) -> dict[str, Setting]:
        """All that shapes the region, with the defaults of that region; empty for a ready mask."""
        if self.region is None:
            return {}
        defaults = _SETTINGS.get(self.region, _BONES)
        given = {name: getattr(self, name) for name in defaults}
        return {name: defaults[name] if value is None else value for name, value in given.items()}

    @property
    def needs_labels(self) -> bool:
        """Whether it is made from label maps."""
        return self.region not in (None, "ct_threshold")

    def _given(self) -> set[str]:
        own = set(type(self).model_fields) - {"mask", "region"}
        return {name for name in own if getattr(self, name) is not None}
