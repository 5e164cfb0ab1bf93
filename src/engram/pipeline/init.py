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
from engram.pipeline.init_dicom import (
    DicomRules,
    import_dicom,
    read_corrections,
    tell_flagged,
    tell_unused,
    write_scans,
    write_series,
)
from engram.pipeline.init_folders import convert_folders
from engram.pipeline.init_record import InitRecord, text_digest
from engram.pipeline.init_study_file import study_text, unused_columns
from engram.pipeline.init_tables import image_columns, merged_manifest, write_left, write_problems, write_rows

FolderLayout = Literal["moose", "nnunet", "bids"]
Layout = Literal["auto", "dicom"] | FolderLayout


@dataclass(frozen=True)
class InitOptions:
    """What `engram init` is asked for. out: the folder of the new study, outside of `folder`.

    patient_from: None takes the headers' ids, but not where one id stands for the scans of several folders.
    """

    folder: Path
    out: Path
    layout: Layout = "auto"
    patient_from: Literal["header", "folder"] | None = None
    pairing: PairingRules = field(default_factory=PairingRules)
    corrections: Path | None = None
    folders: FolderOptions = field(default_factory=FolderOptions)
    clinical: Path | None = None
    id_column: str = "patient_id"


def init(options: InitOptions, *, workers: int, console: Console) -> Path:
    """Write manifest.csv, study.yaml and the tables beside them into `options.out`; return the study file.

    Run again it goes on where it was, keeps what the user wrote into the manifest, and never touches a study file
    that the user has edited. Raises ConfigError where folders are wrong, CohortError where there is nobody.
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
    converted = convert_folders(
        found.patients, options.out / "images", options.pairing, corrections, workers=workers, console=console
    )
    made, pairings = [one for one, _ in converted], [pairing for _, pairing in converted if pairing is not None]
    write_series(options.out / "series.csv", pairings)
    write_scans(options.out / "scans.csv", made)
    tell_unused(corrections, pairings, options.corrections, console)
    tell_flagged(options.out / "scans.csv", made, console)
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
    record = InitRecord.read(options.out)
    if record is not None and record.source != _source(options.folder):
        raise ConfigError(
            f"{options.out}: was made from another folder. Choose another --out, or put all scans below one folder."
        )


def _check_anybody(imported: Imported, folder: Path, problems: Sequence[ImagingError]) -> None:
    if any(patient.ct or patient.pet for patient in imported.patients):
        return
    reasons = [str(problem) for problem in problems] + [f"{left.path}: {left.reason}" for left in imported.left]
    shown = "".join(f"\n  - {reason}" for reason in reasons[:10])
    more = f"\n  ... and {len(reasons) - 10} more" if len(reasons) > 10 else ""
    raise CohortError(f"{folder}: no scan of any patient can be used." + shown + more)


def _write(options: InitOptions, imported: Imported, problems: Sequence[ImagingError], console: Console) -> Path:
    out, patients = options.out, imported.patients
    manifest = merged_manifest(out / "manifest.csv", patients, options.clinical, options.id_column, options.folder)
    write_rows(out / "manifest.csv", manifest.columns, manifest.rows)
    write_problems(out / "problems.csv", problems)
    write_left(out / "left.csv", imported.left)
    for line in (*(f"problem: {problem}" for problem in problems), *manifest.notes, _found(patients)):
        console.say(line)
    if imported.left:
        console.say(f"{len(imported.left)} files belong to no patient: {out / 'left.csv'} says why")
    return _write_study(options, patients, console)


def _write_study(options: InitOptions, patients: Sequence[ImportedPatient], console: Console) -> Path:
    """A study file that the user has edited stays as it is, and what it does not use is told."""
    study, record = options.out / "study.yaml", InitRecord.read(options.out)
    text = study_text(
        patients,
        title=options.folder.resolve().name,
        file_name=study.name,
        manifest="manifest.csv",
        id_column=options.id_column,
    )
    written = text_digest(text)
    if study.exists() and (record is None or text_digest(study.read_text("utf-8")) != record.study):
        unused = unused_columns(study, image_columns(patients))
        console.say(
            f"{study} is yours and was not changed"
            + (f"; it does not use these columns of the manifest: {', '.join(unused)}" if unused else "")
        )
        written = record.study if record is not None else ""
    else:
        write_text(study, text)
    InitRecord(_source(options.folder), written).write(options.out)
    return study


def _source(folder: Path) -> str:
    return text_digest(str(folder.resolve()))


def _found(patients: Sequence[ImportedPatient]) -> str:
    both = sum(patient.ct is not None and patient.pet is not None for patient in patients)
    ct = sum(patient.ct is not None for patient in patients) - both
    pet = sum(patient.pet is not None for patient in patients) - both
    neither, plural = len(patients) - both - pet - ct, "s" * (len(patients) != 1)
    return (
        f"{len(patients)} patient{plural}: {both} with PET and CT, {pet} with PET alone, {ct} with CT alone, "
        f"{neither} with neither"
    )
