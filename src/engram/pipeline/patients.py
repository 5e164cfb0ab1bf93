"""One patient's files: their digests, and from files to images and masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engram.cohort.records import PatientRecord
from engram.config import StudyConfig
from engram.config_images import Images
from engram.imaging.study import ImagePair, load_pair
from engram.roi.anatomy import PartMap, part_map
from engram.roi.bones import BoneMap, Mask
from engram.roi.build import build_rois
from engram.roi.masks import read_bones

# Raised by hand whenever reading, alignment or regions change a voxel, so that no old result is read back.
IMAGE_VERSION = 2


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


def open_patient(record: PatientRecord, config: StudyConfig, *, parts: bool = False) -> PatientImages:
    """Read, align and check everything of one patient. parts: wanted wherever there are labels, whether or not a
    read-out takes them. Raises ImagingError."""
    pair = load_pair(record.ct, record.pet, patient_id=record.patient_id)
    bones = _bones(record, pair)
    masks = build_rois(
        config.rois,
        bones=bones,
        ct=pair.ct,
        mask_paths=record.masks,
        grid=pair.grid,
        patient_id=record.patient_id,
    )
    wanted = parts or config.needs_parts
    return PatientImages(pair, masks, part_map(bones) if wanted and bones is not None else None)


def _bones(record: PatientRecord, pair: ImagePair) -> BoneMap | None:
    """The label maps that the study needs, read once for regions and parts; None where it needs none."""
    if not record.labels:
        return None
    return read_bones(record.labels, grid=pair.grid, patient_id=record.patient_id)


def roi_recipe(name: str, config: StudyConfig, digests: dict[str, str]) -> dict[str, Any]:
    """All that decides the mask of a region: its settings, the file it is made from, and the code's version."""
    roi = config.rois[name]
    if roi.mask is not None:
        return {"mask": digests[f"mask:{name}"], "image_version": IMAGE_VERSION}
    source = {"labels": label_digests(config, digests)} if roi.needs_labels else {"ct": digests["ct"]}
    return {"region": roi.region, "settings": roi.settings, **source, "image_version": IMAGE_VERSION}


def label_digests(config: StudyConfig, digests: dict[str, str]) -> list[list[str]]:
    """Scheme and SHA-256 (hex) of each label map, in the order in which they are merged."""
    return [[scheme, digests[f"labels:{scheme}"]] for scheme in config.label_columns]
