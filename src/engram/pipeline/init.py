"""From a folder of scans to a study: manifest, tables of what was taken and why, and a study file to fill in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engram.cohort.imported import Imported, ImportedPatient
from engram.cohort.importers import detect_layout
from engram.errors import CohortError, ConfigError, ImagingError
from engram.files import write_text
from engram.imaging.dicom.pairing import PairingRules
from engram.pipeline.console import Console
from engram.pipeline.import_folders import FolderOptions, import_folder
from engram.pipeline.init_dicom import DicomRules, import_dicom, read_corrections, write_scans
from engram.pipeline.init_folders import convert_folders
from engram.pipeline.init_study_file import study_text
from engram.pipeline.init_tables import merged_manifest, write_left, write_problems, write_rows

FolderLayout = Literal["moose", "nnunet", "bids"]
Layout = Literal["auto", "dicom"] | FolderLayout


@dataclass(frozen=True)
class InitOptions:
    """What `engram init` is asked for. out: the folder of the new study, outside of `folder`."""

    folder: Path
    out: Path
    layout: Layout = "auto"
    patient_from: Literal["header", "folder"] = "header"
    pairing: PairingRules = field(default_factory=PairingRules)
    corrections: Path | None = None
    folders: FolderOptions = field(default_factory=FolderOptions)
    clinical: Path | None = None
    id_column: str = "patient_id"


def init(options: InitOptions, *, workers: int, console: Console) -> Path:
    """Write manifest.csv, study.yaml and the tables beside them into `options.out`; return the study file.

    Run again it goes on where it was, keeps what the user wrote into the manifest, and never touches a study file
    that is there. Raises ConfigError where folders are wrong, CohortError where there is nobody.
    """
    _check_folders(options)
    layout = detect_layout(options.folder) if options.layout == "auto" else options.layout
    console.say(f"Reading {options.folder} as {layout}")
    if layout == "dicom":
        rules = DicomRules(options.patient_from, options.pairing, options.corrections)
        imported, problems = import_dicom(options.folder, options.out, rules, workers=workers, console=console)
    else:
        imported, problems = _import_files(options, layout, workers, console)
    _check_anybody(imported, options.folder, problems)
    return _write(options, imported, problems, console)


def _import_files(
    options: InitOptions, layout: FolderLayout, workers: int, console: Console
) -> tuple[Imported, tuple[ImagingError, ...]]:
    """Folders of NIfTI files; MOOSE's may hold DICOM series, which are converted."""
    found = import_folder(options.folder, layout, options.out / "labels", options.folders)
    if not any(_is_series(patient) for patient in found.patients):
        return found, ()
    corrections = read_corrections(options.corrections)
    made = convert_folders(
        found.patients, options.out / "images", options.pairing, corrections, workers=workers, console=console
    )
    write_scans(options.out / "scans.csv", made)
    return Imported(tuple(one.patient for one in made), found.left), tuple(p for one in made for p in one.problems)


def _is_series(patient: ImportedPatient) -> bool:
    return any(path is not None and path.is_dir() for path in (patient.ct, patient.pet))


def _check_folders(options: InitOptions) -> None:
    if not options.folder.is_dir():
        raise ConfigError(f"{options.folder}: is no folder. Name the folder that holds the scans.")
    if options.out.resolve().is_relative_to(options.folder.resolve()):
        raise ConfigError(
            f"{options.out}: lies inside {options.folder}, which is only ever read. Choose another --out."
        )


def _check_anybody(imported: Imported, folder: Path, problems: Sequence[ImagingError]) -> None:
    if any(patient.ct or patient.pet for patient in imported.patients):
        return
    reasons = [str(problem) for problem in problems] + [f"{left.path}: {left.reason}" for left in imported.left]
    shown = "".join(f"\n  - {reason}" for reason in reasons[:10])
    more = f"\n  ... and {len(reasons) - 10} more" if len(reasons) > 10 else ""
    raise CohortError(f"{folder}: no scan of any patient can be used." + shown + more)


def _write(options: InitOptions, imported: Imported, problems: Sequence[ImagingError], console: Console) -> Path:
    manifest, study = options.out / "manifest.csv", options.out / "study.yaml"
    columns, rows = merged_manifest(manifest, imported.patients, options.clinical, options.id_column)
    write_rows(manifest, columns, rows)
    write_problems(options.out / "problems.csv", problems)
    write_left(options.out / "left.csv", imported.left)
    for problem in problems:
        console.say(f"problem: {problem}")
    console.say(_found(imported.patients))
    if study.exists():
        console.say(f"{study} is there already and was not changed")
    else:
        title = options.folder.resolve().name
        text = study_text(
            imported.patients,
            title=title,
            file_name=study.name,
            manifest=manifest.name,
            id_column=options.id_column,
        )
        write_text(study, text)
    return study


def _found(patients: Sequence[ImportedPatient]) -> str:
    both = sum(patient.ct is not None and patient.pet is not None for patient in patients)
    ct = sum(patient.ct is not None for patient in patients) - both
    pet = sum(patient.pet is not None for patient in patients) - both
    neither, plural = len(patients) - both - pet - ct, "s" * (len(patients) != 1)
    return (
        f"{len(patients)} patient{plural}: {both} with PET and CT, {pet} with PET alone, {ct} with CT alone, "
        f"{neither} with neither"
    )
