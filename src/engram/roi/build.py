"""The regions of interest of one patient, from the study file to masks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engram.config_images import Roi
from engram.errors import ImagingError
from engram.imaging.volume import Grid
from engram.roi.masks import check_mask, read_labels, read_mask
from engram.roi.regions import Labels, Mask, all_bones, spine_bones, spine_dilated


def build_rois(
    rois: Mapping[str, Roi],
    *,
    scheme: str,
    labels_path: Path | None,
    mask_paths: Mapping[str, Path],
    grid: Grid,
    patient_id: str,
) -> dict[str, Mask]:
    """Masks bool (z, y, x) on `grid`, by the name of their region of interest.

    scheme: of the label map at `labels_path`, which is read once and only if a region needs it.
    mask_paths: file of each ready mask, by the name of its region of interest.
    Raises ImagingError where a file is not given or unusable, or the bones of a region lie in no slice or in one.
    """
    masks = {
        name: _ready(name, roi, mask_paths.get(name), grid, patient_id) for name, roi in rois.items() if roi.mask
    }
    regions = {name: roi for name, roi in rois.items() if roi.region}
    if regions:
        masks |= _derived(regions, scheme, labels_path, grid, patient_id)
    return {name: masks[name] for name in rois}


def region_bones(labels: Labels, roi: Roi, *, scheme: str) -> Mask:
    """The segmented bones that a region is made of, bool (z, y, x), before they are closed, filled or dilated."""
    if roi.region == "skeleton":
        return all_bones(labels, scheme=scheme)
    return spine_bones(labels, scheme=scheme, include_sacrum=roi.include_sacrum)


def _ready(name: str, roi: Roi, path: Path | None, grid: Grid, patient_id: str) -> Mask:
    if path is None:
        mend = "Fill the column of the manifest."
        raise ImagingError(patient_id, f"mask of '{name}' not given", column=roi.mask, mend=mend)
    return read_mask(path, grid=grid, patient_id=patient_id, roi=name)


def _derived(
    rois: Mapping[str, Roi], scheme: str, path: Path | None, grid: Grid, patient_id: str
) -> dict[str, Mask]:
    if path is None:
        mend = "Fill the column of the manifest that images.labels names."
        raise ImagingError(patient_id, "label map not given", mend=mend)
    labels = read_labels(path, grid=grid, patient_id=patient_id, scheme=scheme)
    spines: dict[tuple[float, bool], Mask] = {}
    masks = {}
    for name, roi in rois.items():
        # Before dilation: a ball around bone in one slice fills many.
        bones = check_mask(
            region_bones(labels, roi, scheme=scheme), patient_id=patient_id, roi=name, file=str(path)
        )
        spine = _spine(labels, roi, scheme, grid, spines)
        masks[name] = spine if roi.region == "spine_dilated" else bones | spine
    return masks


def _spine(labels: Labels, roi: Roi, scheme: str, grid: Grid, made: dict[tuple[float, bool], Mask]) -> Mask:
    """The dilated spine, made once for all regions that share its settings: it is the slow step."""
    key = (roi.dilate_mm, roi.include_sacrum)
    if key not in made:
        made[key] = spine_dilated(
            labels, grid.spacing_mm, scheme=scheme, dilate_mm=roi.dilate_mm, include_sacrum=roi.include_sacrum
        )
    return made[key]
