"""radiomics.csv and, beside it, radiomics.json: what the features were made of, and by what."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.config import StudyConfig
from engram.errors import CohortError, StorageError
from engram.evaluation.radiomics_records import RadiomicsProvenance
from engram.files import digest, file_digest, read_json, write_json, write_text
from engram.pipeline.patients import IMAGE_VERSION
from engram.radiomics.extraction import Features, Region
from engram.radiomics.tool import Mirp, mirp_settings

KEYS = ("patient_id", "roi", "modality")  # what a line is of; each other column is a feature


@dataclass(frozen=True)
class PatientFeatures:
    """What is known of one patient.

    digests: SHA-256 (hex) of the bytes of each file, by its use. features: by region. failed: why the other regions
    have none. kept: whether all of it was read back.
    """

    patient_id: str
    digests: Mapping[str, str]
    features: Mapping[Region, Features]
    failed: Mapping[Region, str]
    kept: bool


def save_radiomics(found: Sequence[PatientFeatures], config: StudyConfig, mirp: Mirp, path: Path) -> Path:
    """Write both files, a line a patient, region and scan; blank where a feature is not defined."""
    about = path.with_suffix(".json")
    about.unlink(missing_ok=True)  # a table without it is never taken for one of this study
    write_text(path, _csv(found))
    write_json(
        about,
        {
            "tool": f"MIRP {mirp.version}",
            "settings": {modality: mirp_settings(config.radiomics, modality) for modality in config.modalities},
            "study": _study_digest(config),
            "table_sha256": file_digest(path),
            "digests": {one.patient_id: dict(one.digests) for one in found},
        },
    )
    return path


def check_made_for(config: StudyConfig, path: Path, digests: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse a radiomics.csv of other regions, settings or files. digests: of the files that other rows read.

    Raises StorageError where it was altered or its JSON is damaged, CohortError where the study has changed since.
    """
    again = "Run 'engram radiomics' again."
    try:
        about: dict[str, Any] = read_json(path.with_suffix(".json"))
        study, table, made_of = about["study"], about["table_sha256"], about["digests"]
    except (StorageError, KeyError, TypeError) as error:
        raise StorageError(f"{path.with_suffix('.json')}: missing or damaged. {again}") from error
    if table != file_digest(path):
        raise StorageError(f"{path}: was altered since it was made. {again} Or name a copy: radiomics.table.")
    if study != _study_digest(config):
        raise CohortError(f"{path}: regions or settings of the study file have changed since. {again}")
    for patient, read in digests.items():
        if patient in made_of and made_of[patient] != dict(read):
            raise CohortError(f"{path}: patient {patient}: images were replaced since. {again}")


def made_by(config: StudyConfig, path: Path) -> RadiomicsProvenance:
    """What made the table at `path`: of one that is not ours, only which it is. Raises StorageError."""
    tool, settings = None, {}
    if config.radiomics.table is None:
        about = read_json(path.with_suffix(".json"))
        tool, settings = str(about["tool"]), {scan: _in_words(scan, of) for scan, of in about["settings"].items()}
    features = config.radiomics.features
    return RadiomicsProvenance(tool=tool, settings=settings, features=features, digest=file_digest(path))


def _in_words(scan: str, settings: Mapping[str, Any]) -> str:
    spacing, width = settings["new_spacing"], settings["base_discretisation_bin_width"]
    voxels = "voxels as they were reconstructed" if spacing is None else f"voxels of {spacing:g} mm"
    return f"{voxels}, grey levels of {f'{width:g} HU' if scan == 'CT' else f'SUV {width:g}'}"


def _study_digest(config: StudyConfig) -> str:
    """Of all in the study file that the features depend on."""
    return digest(
        {
            "sections": config.model_dump(mode="json", include={"images", "rois"}),
            "labels_in_order": list(config.label_columns),
            "settings": {modality: mirp_settings(config.radiomics, modality) for modality in config.modalities},
            "version": IMAGE_VERSION,
        }
    )


def _csv(found: Sequence[PatientFeatures]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = list(dict.fromkeys(name for one in found for numbers in one.features.values() for name in numbers))
    writer.writerow([*KEYS, *names])
    for one in found:
        for region, numbers in one.features.items():
            cells = ["" if (value := numbers.get(name)) is None else repr(value) for name in names]
            writer.writerow([one.patient_id, region.roi, region.modality, *cells])
    return stream.getvalue()
