"""The features of one patient: of the same files, settings and tool they are read back, else made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engram.cohort.records import PatientRecord
from engram.config import StudyConfig
from engram.config_models import Modality
from engram.errors import ImagingError, StorageError
from engram.files import digest, file_digest, read_json, scratch_folder, write_json
from engram.imaging.coverage import Mask, best_covered
from engram.imaging.volume import Volume, read_volume
from engram.pipeline.folders import RunFolder
from engram.pipeline.inspection import image_files
from engram.pipeline.patients import PatientImages, open_patient, roi_recipe
from engram.pipeline.radiomics_files import PatientFeatures
from engram.radiomics.extraction import Extracted, Region, Run, extract
from engram.radiomics.staging import Staged, stage
from engram.radiomics.tool import mirp_settings

# Raised by hand whenever staging or reading changes a feature, so that no old one is read back.
RADIOMICS_VERSION = 1

_OUTSIDE = "the region lies outside the PET"


def patient_features(record: PatientRecord, config: StudyConfig, run: Run) -> PatientFeatures:
    """All regions on all scans of a patient. Only what is whole is kept: a failed region is tried again next time.

    Raises ImagingError where an image cannot be used or the run fails, StorageError where the disk is full.
    """
    cache, patient_id = RunFolder.of(config).radiomics_cache, record.patient_id
    digests = _digests(record)
    regions = [Region(roi, modality) for roi in config.rois for modality in config.modalities]
    address = digest(_about(config, digests, run))
    kept = _read(cache / f"{address}.json", regions)
    if kept is not None:
        return PatientFeatures(patient_id, digests, kept, {}, kept=True)
    with scratch_folder(cache / ".runs") as scratch:
        staged, outside = _staged(record, config, regions, scratch)
        found = Extracted({}, {})
        if staged:
            found = extract(staged, scratch, cache / f"{address}.log", run, patient_id=patient_id)
    features = {region: found.features[region] for region in regions if region in found.features}
    failed = dict.fromkeys(outside, _OUTSIDE) | found.failed
    if not failed:
        write_json(cache / f"{address}.json", {_name(region): numbers for region, numbers in features.items()})
    return PatientFeatures(patient_id, digests, features, failed, kept=False)


def _digests(record: PatientRecord) -> dict[str, str]:
    try:
        return {use: file_digest(path) for use, path in image_files(record).items()}
    except StorageError as error:
        mend = "Check that you may read it."
        raise ImagingError(record.patient_id, "image unreadable", value=str(error), mend=mend) from error


def _about(config: StudyConfig, digests: dict[str, str], run: Run) -> dict[str, Any]:
    """All that decides the features of a patient; another value, and they are made again."""
    return {
        "version": RADIOMICS_VERSION,
        "mirp": run.mirp.version,
        "scans": {m: [digests[m.lower()], mirp_settings(run.settings, m)] for m in config.modalities},
        "grid": digests.get("ct", digests.get("pet")),
        "rois": {name: roi_recipe(name, config, digests) for name in config.rois},
    }


def _name(region: Region) -> str:
    return f"{region.modality}|{region.roi}"


def _read(path: Path, regions: list[Region]) -> dict[Region, dict[str, float | None]] | None:
    """None where they are not there, or damaged: they are made again then."""
    try:
        content = read_json(path)
        return {region: dict(content[_name(region)]) for region in regions}
    except (StorageError, KeyError, TypeError, ValueError):
        return None


def _staged(
    record: PatientRecord, config: StudyConfig, regions: list[Region], folder: Path
) -> tuple[dict[Region, Staged], list[Region]]:
    """Files of each region on each scan, and the regions that lie outside the PET."""
    patient = open_patient(record, config)
    volumes = {modality: _volume(record, patient, modality) for modality in config.modalities}
    staged: dict[Region, Staged] = {}
    outside: list[Region] = []
    for number, region in enumerate(regions):
        volume = volumes[region.modality]
        mask = _mask(patient, region, volume)
        if mask.any():
            staged[region] = stage(volume, mask, folder, f"region_{number}")
        else:
            outside.append(region)
    return staged, outside


def _volume(record: PatientRecord, patient: PatientImages, modality: Modality) -> Volume:
    """CT in HU; PET in SUV on its own grid, as PET numbers are measured: resampling smooths textures."""
    if modality == "PET" and record.pet is not None:
        return read_volume(record.pet, patient_id=record.patient_id, what="PET")
    return patient.pair.volume(modality)


def _mask(patient: PatientImages, region: Region, volume: Volume) -> Mask:
    return best_covered(patient.masks[region.roi], patient.pair.grid, volume.grid)
