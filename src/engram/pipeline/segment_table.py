"""The patients that a segmenter shall work on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from engram.cohort.cells import Row, Sheet, read_sheet
from engram.config import StudyConfig
from engram.errors import ConfigError, ImagingError, ManifestError, PatientError, Problem


@dataclass(frozen=True)
class Candidate:
    """A row with a CT. has_map: whether the table names a map of the scheme for it already."""

    patient_id: str
    ct: Path
    has_map: bool


@dataclass(frozen=True)
class Candidates:
    """Who can be segmented, and who cannot, each with its row and mend."""

    patients: tuple[Candidate, ...]
    problems: tuple[PatientError, ...]


def read_candidates(config: StudyConfig, scheme: str) -> Candidates:
    """Every row of the manifest with its CT; outcome and covariates are not looked at.

    Raises ConfigError where the study has no CT, ManifestError where the table is wrong as a whole.
    """
    if config.images is None or config.images.ct is None:
        raise ConfigError("the study has no CT to segment: name its column under images.ct.")
    path = config.resolve(config.manifest)
    sheet = read_sheet(path)
    column = config.images.ct
    _check_columns(sheet, [column, *([config.patient_id] if config.patient_id else [])], path)
    known = config.images.label_columns.get(scheme)
    patients, problems = [], []
    times = Counter(id_of(row, config).casefold() for row in sheet.rows)
    for row in sheet.rows:
        try:
            patients.append(_candidate(row, config, column, known, times))
        except ImagingError as error:
            problems.append(error.placed(row=row.number, column=column))
    return Candidates(tuple(patients), tuple(problems))


def _check_columns(sheet: Sheet, columns: list[str], path: Path) -> None:
    mend = f"The table has: {', '.join(sheet.columns)}. Correct the study file, or the header."
    problems = [Problem("the column is not there", mend, column=c) for c in columns if c not in sheet.columns]
    if problems:
        raise ManifestError(str(path), problems)


def id_of(row: Row, config: StudyConfig) -> str:
    """The id of a row as the manifest has it: its line where the table has no ids, "" where it is missing."""
    return f"row-{row.number}" if config.patient_id is None else row.cells[config.patient_id] or ""


def _candidate(row: Row, config: StudyConfig, column: str, known: str | None, times: Counter[str]) -> Candidate:
    patient_id, text = id_of(row, config), row.cells[column]
    if not patient_id or times[patient_id.casefold()] > 1:
        reason = "duplicated patient id" if patient_id else "patient id missing"
        raise ImagingError(patient_id, reason, mend="Give each row an id of its own.", value=patient_id)
    if text is None:
        raise ImagingError(patient_id, "CT missing", mend="Write the path of its NIfTI file.")
    ct = config.resolve(config.manifest).parent / text
    if not ct.is_file():
        mend = "Relative paths start at the folder of the manifest; convert a DICOM series first (engram init)."
        raise ImagingError(patient_id, "CT file not found", file=str(ct), mend=mend)
    return Candidate(patient_id, ct, known is not None and row.cells.get(known) is not None)
