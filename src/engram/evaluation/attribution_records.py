"""What is saved of the occlusion maps of a cohort: where in the body the model looks, and whether maps are sane."""

from __future__ import annotations

from typing import Literal

from engram.evaluation.record import Record

AROUND = "around the bones"  # voxels of the region that belong to no bone
Control = Literal["permuted outcomes", "untrained weights"]


class PartAttribution(Record):
    """One anatomical part, over the patients whose map covers any of it.

    share: of the patient's absolute sensitivity, inside the region; per_ml: mean share over mean share of the
    region's volume, so 1 is as much as the part's volume. It is null of a part that is smaller than a patch, which
    shares the patches of its neighbours. Intervals: 95 %, bootstrap of patients (percentile).
    """

    part: str
    n: int  # patients whose map covers any of it
    volume_ml: float | None  # mean volume of what is covered, inside the region
    share: float | None
    share_lower: float | None
    share_upper: float | None
    per_ml: float | None
    per_ml_lower: float | None
    per_ml_upper: float | None


class Attribution(Record):
    """Where the maps of one row look. Each patient's map is of the fold's model that did not train on him."""

    row: str
    roi: str
    n: int  # patients with a map that is not flat
    flat: int  # patients in whom no patch changed the risk: they have no shares
    patch_ml: float  # volume of a patch
    parts: list[PartAttribution]  # from the head down, then what is around the bones


class MapControl(Record):
    """How like the maps of a row are to those of a model that can know nothing (Adebayo et al., 2018).

    Spearman's correlation over the voxels of a patient that patches cover: 1 is the same map. A map that stays the
    same says nothing of what the model has learned. absolute: of the sizes of the changes; signed: of the changes.
    Intervals: 95 %, bootstrap of patients (percentile).
    """

    row: str
    control: Control
    n: int  # patients with a correlation of both maps
    flat: int  # patients left out, for one of their maps is flat
    absolute: float | None  # mean over patients
    absolute_lower: float | None
    absolute_upper: float | None
    signed: float | None
    signed_lower: float | None
    signed_upper: float | None
