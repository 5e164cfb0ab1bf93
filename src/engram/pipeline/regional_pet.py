"""Numbers of the PET by region: regional_pet.csv for people, regional_pet.json for the baseline rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import isnan
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from engram.cohort.records import PatientFiles
from engram.config import StudyConfig
from engram.errors import CohortError, StorageError
from engram.files import digest, write_json, write_text
from engram.pipeline.folders import RunFolder
from engram.pipeline.inspection import CHECK_VERSION
from engram.pipeline.measures import Measures, without_nan
from engram.pipeline.patients import IMAGE_VERSION
from engram.roi.pet_numbers import PetNumbers

# What the baseline reads, in this order.
BASELINE = ("suv_mean", "suv_max", "suv_peak", "mtv_ml", "tlg_g")


@dataclass(frozen=True)
class RegionalPet:
    """What the baseline rows read.

    numbers: patient id -> region of interest -> its numbers. digests: patient id -> use of a file -> SHA-256 (hex)
    of its bytes when it was measured.
    """

    numbers: dict[str, dict[str, PetNumbers]]
    digests: dict[str, dict[str, str]]


_ADAPTER = TypeAdapter(RegionalPet)


def save_regional_pet(
    measured: Sequence[tuple[PatientFiles, Measures]], config: StudyConfig, manifest_digest: str
) -> None:
    """Write both files. measured: every patient whose images could be measured, in the order of the manifest."""
    folder = RunFolder.of(config)
    write_text(folder.regional_pet, _csv(measured))
    found = RegionalPet(
        numbers={p.patient_id: {one.region: one for one in measures.roi_pet} for p, measures in measured},
        digests={p.patient_id: measures.digests for p, measures in measured},
    )
    write_json(_kept(folder), {"study": _study_digest(config, manifest_digest), **without_nan(asdict(found))})


def load_regional_pet(config: StudyConfig, manifest_digest: str) -> RegionalPet:
    """Read the numbers of the regions of interest back.

    Raises CohortError where there are none or the study has changed since, StorageError where they are damaged.
    """
    path = _kept(RunFolder.of(config))
    if not path.is_file():
        raise CohortError(f"{path}: the PET was not measured yet. Run 'engram check' (or 'engram run') first.")
    try:
        content = json.loads(path.read_bytes())
        study, found = content.pop("study"), _ADAPTER.validate_python(content)
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"{path}: damaged, or of another version of Engram. Run 'engram check' again."
        ) from error
    if study != _study_digest(config, manifest_digest):
        raise CohortError(f"{path}: the study file or the manifest has changed since. Run 'engram check' again.")
    return found


def baseline_vectors(
    numbers: Mapping[str, Mapping[str, PetNumbers]], ids: Sequence[str], roi: str
) -> npt.NDArray[np.float32]:
    """What the baseline reads of a region: float32 (n, 5), log(1 + x) of `BASELINE`, in the order of `ids`.

    The logarithm, of each patient alone, tames volumes that differ a hundredfold; SUV below 0, which is noise,
    counts as 0. NaN where there is no such number. Raises CohortError naming a patient without any.
    """
    absent = next((patient for patient in ids if roi not in numbers.get(patient, {})), None)
    if absent is not None:
        raise CohortError(f"patient {absent}: the PET was not measured in {roi}. Run 'engram check' again.")
    found = np.array([[getattr(numbers[patient][roi], name) for name in BASELINE] for patient in ids])
    return np.asarray(np.log1p(np.maximum(found, 0.0)), dtype=np.float32)


def _kept(folder: RunFolder) -> Path:
    return folder.regional_pet.with_suffix(".json")


def _study_digest(config: StudyConfig, manifest_digest: str) -> str:
    """Of all in the study file that the numbers depend on."""
    return digest(
        {
            "sections": config.model_dump(mode="json", include={"images", "rois", "pet_numbers"}),
            "labels_in_order": list(config.label_columns),
            "scans": sorted(config.scan_columns),
            "manifest": manifest_digest,
            "version": [IMAGE_VERSION, CHECK_VERSION],
        }
    )


def _csv(measured: Sequence[tuple[PatientFiles, Measures]]) -> str:
    """One line a patient and region, regions of interest before parts; blank where there is no number."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    quantities = [field.name for field in fields(PetNumbers) if field.name != "region"]
    writer.writerow(["row", "patient_id", "kind", "region", *quantities])
    for patient, measures in measured:
        for kind, regions in (("roi", measures.roi_pet), ("part", measures.part_pet)):
            for found in regions:
                cells = [_cell(getattr(found, name)) for name in quantities]
                writer.writerow([patient.row, patient.patient_id, kind, found.region, *cells])
    return stream.getvalue()


def _cell(value: float) -> str:
    return "" if isnan(value) else f"{value:.4f}"
