"""The regions of interest of one patient, from the study file to masks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engram.config_images import Roi
from engram.errors import ImagingError
from engram.imaging.volume import Grid
from engram.roi.bones import BoneMap, Mask
from engram.roi.masks import check_mask, read_mask
from engram.roi.regions import bones_of_region, grown_bones, skeleton, spine_dilated


def build_rois(
    rois: Mapping[str, Roi],
    *,
    bones: BoneMap | None,
    mask_paths: Mapping[str, Path],
    grid: Grid,
    patient_id: str,
) -> dict[str, Mask]:
    """Masks bool (z, y, x) on `grid`, by the name of their region of interest.

    bones: of the patient's label maps, where a region needs them.
    mask_paths: file of each ready mask, by the name of its region of interest.
    Raises ImagingError where a file is not given or unusable, or the bones of a region lie in no slice or in one.
    """
    spines: _Spines = {}
    masks = {}
    for name, roi in rois.items():
        if roi.mask is not None:
            masks[name] = _ready(name, roi, mask_paths.get(name), grid, patient_id)
            continue
        if bones is None:
            mend = "Fill the columns of the manifest that images.labels names."
            raise ImagingError(patient_id, "label map not given", mend=mend)
        # Before dilation: a ball around bone in one slice fills many.
        check_mask(region_bones(bones, roi), patient_id=patient_id, roi=name)
        masks[name] = _derived(roi, bones, grid, spines)
    return masks


def region_bones(bones: BoneMap, roi: Roi) -> Mask:
    """The segmented bones that a region is made of, bool (z, y, x), before they are closed, filled or dilated."""
    if roi.region == "spine_dilated":
        return bones.mask(bones_of_region(roi.region, include_sacrum=bool(roi.settings["include_sacrum"])))
    return bones.mask(bones_of_region(str(roi.region)))


def _ready(name: str, roi: Roi, path: Path | None, grid: Grid, patient_id: str) -> Mask:
    if path is None:
        mend = "Fill the column of the manifest."
        raise ImagingError(patient_id, f"mask of '{name}' not given", column=roi.mask, mend=mend)
    return read_mask(path, grid=grid, patient_id=patient_id, roi=name)


_Spines = dict[tuple[tuple[str, float | bool], ...], Mask]


def _derived(roi: Roi, bones: BoneMap, grid: Grid, made: _Spines) -> Mask:
    settings = roi.settings
    if roi.region not in ("spine_dilated", "skeleton"):
        return grown_bones(bones, grid.spacing_mm, region=str(roi.region), dilate_mm=float(settings["dilate_mm"]))
    key = tuple(settings.items())
    if key not in made:  # it is the slow step, and often shared
        made[key] = spine_dilated(
            bones,
            grid.spacing_mm,
            dilate_mm=float(settings["dilate_mm"]),
            close_mm=float(settings["close_mm"]),
            fill_canal=bool(settings["fill_canal"]),
            include_sacrum=bool(settings["include_sacrum"]),
        )
    return made[key] if roi.region == "spine_dilated" else skeleton(bones, made[key])
