"""The regions of interest of one patient, from the study file to masks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engram.config_images import Roi
from engram.errors import ImagingError
from engram.imaging.volume import Grid, Volume
from engram.roi.bones import BoneMap, Mask
from engram.roi.ct_skeleton import ct_skeleton
from engram.roi.distance import Spacing
from engram.roi.marrow import WHOLE_BONES, marrow
from engram.roi.masks import check_mask, read_mask
from engram.roi.regions import bones_of_region, grown_bones, skeleton, spine_dilated


def build_rois(
    rois: Mapping[str, Roi],
    *,
    bones: BoneMap | None,
    ct: Volume | None,
    mask_paths: Mapping[str, Path],
    grid: Grid,
    patient_id: str,
) -> dict[str, Mask]:
    """Masks bool (z, y, x) on `grid`, by the name of their region of interest.

    bones: of the patient's label maps, where a region needs them. ct: on `grid`, where there is one.
    mask_paths: file of each ready mask, by the name of its region of interest.
    Raises ImagingError where a file is not given or unusable, or the bones of a region lie in no slice or in one.
    """
    builder = RegionBuilder(bones, ct, grid, patient_id)
    return {
        name: builder.derived(name, roi)
        if roi.region is not None
        else _ready(name, roi, mask_paths.get(name), grid, patient_id)
        for name, roi in rois.items()
    }


class RegionBuilder:
    """The regions of one patient; what several share is made once.

    bones, ct: None where the patient has none. grid: None where the scan could not be read; what needs its spacing
    cannot be made then, and is not checked.
    """

    def __init__(self, bones: BoneMap | None, ct: Volume | None, grid: Grid | None, patient_id: str) -> None:
        self._given, self._ct, self._grid, self._patient_id = bones, ct, grid, patient_id
        self._spines: dict[tuple[tuple[str, float | bool], ...], Mask] = {}
        self._made: dict[str, Mask] = {}

    def derived(self, name: str, roi: Roi) -> Mask:
        """The mask of a region that is made. Raises ImagingError as `check`."""
        self.check(name, roi)
        if name in self._made:
            return self._made[name]
        if roi.region in ("spine_dilated", "skeleton"):
            spine = self._spine(roi)
            return spine if roi.region == "spine_dilated" else skeleton(self._bones, spine)
        dilate_mm = float(roi.settings["dilate_mm"])
        return grown_bones(self._bones, self._spacing_mm, region=str(roi.region), dilate_mm=dilate_mm)

    def check(self, name: str, roi: Roi) -> None:
        """Refuse a region that cannot be used, without the slow steps that refuse nothing. Raises ImagingError."""
        if name in self._made:
            return
        if roi.region == "ct_threshold":
            self._made[name] = self._checked(self._approximate(roi), name)
            return
        # Before dilation: a ball around bone in one slice fills many.
        self._checked(_bones_of(self._bones, roi), name)
        if roi.region == "marrow" and self._grid is not None:
            self._made[name] = self._checked(self._marrow(roi), name)

    @property
    def _bones(self) -> BoneMap:
        if self._given is None:
            mend = "Fill the columns of the manifest that images.labels names."
            raise ImagingError(self._patient_id, "label map not given", mend=mend)
        return self._given

    @property
    def _spacing_mm(self) -> Spacing:
        if self._grid is None:
            raise ValueError("distances need a grid")
        return self._grid.spacing_mm

    def _checked(self, mask: Mask, name: str) -> Mask:
        return check_mask(mask, patient_id=self._patient_id, roi=name)

    def _spine(self, roi: Roi) -> Mask:
        settings: dict[str, Any] = roi.settings
        key = tuple(settings.items())
        if key not in self._spines:
            self._spines[key] = spine_dilated(self._bones, self._spacing_mm, **settings)
        return self._spines[key]

    def _marrow(self, roi: Roi) -> Mask:
        erode_mm, proximal_mm = (float(roi.settings[name]) for name in ("erode_mm", "proximal_mm"))
        return marrow(
            self._bones,
            self._spacing_mm,
            erode_mm=erode_mm,
            proximal_mm=proximal_mm,
            patient_id=self._patient_id,
        )

    def _approximate(self, roi: Roi) -> Mask:
        if self._ct is None:
            mend = "Fill the column of the manifest that images.ct names."
            raise ImagingError(self._patient_id, "CT not given", mend=mend)
        numbers = {name: float(value) for name, value in roi.settings.items()}
        return ct_skeleton(self._ct, **numbers)


def _bones_of(bones: BoneMap, roi: Roi) -> Mask:
    """The segmented bones of a region, before they are closed, filled or dilated."""
    if roi.region == "marrow":
        return bones.mask(WHOLE_BONES)
    return bones.mask(
        bones_of_region(str(roi.region), include_sacrum=bool(roi.settings.get("include_sacrum", True)))
    )


def _ready(name: str, roi: Roi, path: Path | None, grid: Grid, patient_id: str) -> Mask:
    if path is None:
        mend = "Fill the column of the manifest."
        raise ImagingError(patient_id, f"mask of '{name}' not given", column=roi.mask, mend=mend)
    return read_mask(path, grid=grid, patient_id=patient_id, roi=name)
