"""Every problem of one patient's images that can be found, not the first alone; what was found is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.cohort.records import PatientFiles
from engram.config import StudyConfig
from engram.errors import ImagingError, StorageError
from engram.files import atomic_write, digest, file_digest, read_json, write_json
from engram.imaging.projection import patient_sheet
from engram.pipeline.inspector import Inspector
from engram.pipeline.measures import Loaded, Measures, measure
from engram.pipeline.patients import IMAGE_VERSION, images_section

# Raised by hand whenever a check of images becomes stricter or says something else, so that none is passed over.
CHECK_VERSION = 8


@dataclass(frozen=True)
class Inspection:
    """What is known of one patient's images after all were read.

    digests: SHA-256 (hex) of the bytes of each file: ct, pet, labels:<scheme>, mask:<roi>.
    scans: SHA-256 (hex) of shape and voxels of ct and pet, which a copy has too, however it is compressed.
    problems: each with its row, column and file.
    measures: None where an image is missing or unusable. sheet: PNG, None there too, and where none is wanted.
    """

    digests: dict[str, str]
    scans: dict[str, str]
    problems: tuple[ImagingError, ...]
    measures: Measures | None
    sheet: Path | None


def image_files(patient: PatientFiles) -> dict[str, Path]:
    """The files of a patient that are there, by their use: ct, pet, labels:<scheme>, mask:<roi>."""
    files = {"ct": patient.ct, "pet": patient.pet}
    files |= {f"labels:{scheme}": path for scheme, path in patient.labels.items()}
    files |= {f"mask:{roi}": path for roi, path in patient.masks.items()}
    return {use: path for use, path in files.items() if path is not None}


def column_of(use: str, config: StudyConfig) -> str | None:
    """The column of the manifest that names the file of this use."""
    images = images_section(config)
    if use.startswith("mask:"):
        return config.rois[use.removeprefix("mask:")].mask
    if use.startswith("labels:"):
        return images.label_columns[use.removeprefix("labels:")]
    return {"ct": images.ct, "pet": images.pet}[use]


def inspect(patient: PatientFiles, config: StudyConfig, cache: Path) -> Inspection:
    """Read every image of a patient, or what `cache` holds of the same bytes. Raises StorageError: disk full."""
    files = image_files(patient)
    digests, unreadable = _digests(files)
    readable = {use: path for use, path in files.items() if use in digests}
    kept = cache / f"{_address(config, digests)}.json"
    sheet = kept.with_suffix(".png") if config.report.pictures else None
    found = _read(kept, sheet)
    if found is None:
        found = _look(readable, digests, config, sheet)
        write_json(kept, found)
    measures = Measures.from_json(found["measures"]) if found["measures"] is not None else None
    problems = [
        ImagingError(
            patient.patient_id, p["reason"], mend=p["mend"], value=p["value"], row=patient.row,
            column=column_of(p["use"], config), file=str(files[p["use"]]),
        )
        for p in (*unreadable, *found["problems"])
    ]  # fmt: skip
    return Inspection(digests, found["scans"], tuple(problems), measures, sheet if measures is not None else None)


def _digests(files: dict[str, Path]) -> tuple[dict[str, str], list[dict[str, Any]]]:
    digests, problems = {}, []
    for use, path in files.items():
        try:
            digests[use] = file_digest(path)
        except StorageError as error:
            mend = "Check the file and its permissions."
            problems.append({"use": use, "reason": "image file unreadable", "value": str(error), "mend": mend})
    return digests, problems


def _address(config: StudyConfig, digests: dict[str, str]) -> str:
    """SHA-256 (hex) of all that decides what is found: the bytes, what is asked of them, and the code's version."""
    rois = {name: [roi.mask, roi.region, roi.settings] for name, roi in config.rois.items()}
    images = images_section(config)
    return digest(
        {
            "digests": digests,
            "scans": sorted(config.scan_columns),
            "rois": rois,
            "rois_in_order": list(config.rois),
            "labels_in_order": list(config.label_columns),
            "masks_lie_on": "pet" if images.ct is None else "ct",
            "windows": [images.ct_window_hu, images.pet_window_suv],
            "pet_numbers": config.pet_numbers.model_dump(mode="json"),
            "version": [IMAGE_VERSION, CHECK_VERSION],
        }
    )


def _read(path: Path, sheet: Path | None) -> dict[str, Any] | None:
    """What was found before; None where there is nothing or it is damaged, which is then found again."""
    if not path.is_file():
        return None
    try:
        found = read_json(path)
        scans = {str(use): str(sha) for use, sha in found["scans"].items()}
        problems = [{name: p[name] for name in ("use", "reason", "value", "mend")} for p in found["problems"]]
        measures = Measures.from_json(found["measures"]).to_json() if found["measures"] is not None else None
    except (StorageError, AttributeError, KeyError, TypeError, ValueError):
        return None
    if measures is not None and sheet is not None and not sheet.is_file():
        return None
    return {"scans": scans, "problems": problems, "measures": measures}


def _look(
    files: dict[str, Path], digests: dict[str, str], config: StudyConfig, sheet: Path | None
) -> dict[str, Any]:
    inspector = Inspector(files, config)
    images = inspector.look()
    measures = measure(images, digests, config).to_json() if images is not None else None
    if images is not None and sheet is not None:
        _draw(images, config, sheet)
    return {"scans": inspector.scans, "problems": inspector.problems, "measures": measures}


def _draw(images: Loaded, config: StudyConfig, sheet: Path) -> None:
    section = images_section(config)
    png = patient_sheet(
        images.pair, images.masks, pet_window_suv=section.pet_window_suv, ct_window_hu=section.ct_window_hu
    )
    atomic_write(sheet, lambda stream: stream.write(png))
