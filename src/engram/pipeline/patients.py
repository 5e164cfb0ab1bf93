"""One patient's files: their digests, and from files to images and masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engram.cohort.records import PatientRecord
from engram.config import StudyConfig
from engram.config_images import Images
from engram.errors import ImagingError
from engram.imaging.study import ImagePair, load_pair
from engram.roi.anatomy import PartMap, part_map
from engram.roi.build import build_rois
from engram.roi.masks import read_labels
from engram.roi.regions import Mask

# Raised by hand whenever reading, alignment or regions change a voxel, so that no old result is read back.
IMAGE_VERSION = 1


@dataclass(frozen=True)
class PatientImages:
    """Scans and regions of one patient, all on one grid. parts: where a read-out keeps anatomical parts apart."""

    pair: ImagePair
    masks: dict[str, Mask]
    parts: PartMap | None = None


def images_section(config: StudyConfig) -> Images:
    """The study file's section on images; only studies with images get here."""
    if config.images is None:
        raise ValueError("this study has no images")
    return config.images


def open_patient(record: PatientRecord, config: StudyConfig) -> PatientImages:
    """Read, align and check everything of one patient. Raises ImagingError."""
    pair = load_pair(record.ct, record.pet, patient_id=record.patient_id)
    masks = build_rois(
        config.rois,
        scheme=images_section(config).label_scheme,
        labels_path=record.labels,
        mask_paths=record.masks,
        grid=pair.grid,
        patient_id=record.patient_id,
    )
    return PatientImages(pair, masks, _parts(record, pair, config) if config.needs_parts else None)


def _parts(record: PatientRecord, pair: ImagePair, config: StudyConfig) -> PartMap:
    scheme = images_section(config).label_scheme
    if record.labels is None:
        mend = "Fill the column of the manifest that images.labels names."
        raise ImagingError(record.patient_id, "label map not given", mend=mend)
    labels = read_labels(record.labels, grid=pair.grid, patient_id=record.patient_id, scheme=scheme)
    return part_map(labels, scheme=scheme)


def roi_recipe(name: str, config: StudyConfig, digests: dict[str, str]) -> dict[str, Any]:
    """All that decides the mask of a region: its settings, the file it is made from, and the code's version."""
    roi = config.rois[name]
    if roi.mask is not None:
        return {"mask": digests[f"mask:{name}"], "image_version": IMAGE_VERSION}
    settings = {"region": roi.region, "dilate_mm": roi.dilate_mm, "include_sacrum": roi.include_sacrum}
    scheme = images_section(config).label_scheme
    return {**settings, "scheme": scheme, "labels": digests["labels"], "image_version": IMAGE_VERSION}
