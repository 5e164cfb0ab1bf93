"""The manifest: the CSV table with one row a patient, read and checked in one go (paper 2.1).

Problems of the table as a whole stop the study (ManifestError, with all of them). Problems of one patient
exclude that patient, with all of them, and the others go on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from engram.cohort.cells import read_sheet
from engram.cohort.columns import check_columns
from engram.cohort.patient import Reading, read_patient
from engram.cohort.records import Cohort, PatientRecord, TrueHazard, check_analysable
from engram.config import StudyConfig
from engram.errors import ClinicalError, ImagingError, ManifestError, PatientError

__all__ = ["Cohort", "PatientRecord", "TrueHazard", "check_analysable", "read_manifest"]


def read_manifest(config: StudyConfig) -> Cohort:
    """Read the cohort table of a study.

    Relative paths in it start at its own folder. Raises ManifestError with every problem of the table as a
    whole; problems of single patients are in `Cohort.excluded`. Whether those who remain are enough is for
    `check_analysable` to say, once the voxels have been read too.
    """
    path = config.resolve(config.manifest)
    sheet = read_sheet(path)
    problems = check_columns(config, sheet)
    if problems:
        raise ManifestError(str(path), problems)
    readings = [read_patient(row, config, path.parent) for row in sheet.rows]
    excluded = sorted(_errors(config, readings), key=lambda error: error.row or 0)
    gone = {error.row for error in excluded}
    records = tuple(r.record for r in readings if r.record is not None and r.row not in gone)
    others = tuple(r.images for r in readings if r.row in gone)
    return Cohort(records, tuple(excluded), len(readings), sheet.digest, others)


def _errors(config: StudyConfig, readings: Sequence[Reading]) -> Iterator[PatientError]:
    yield from _duplicated_ids(config.patient_id, readings)
    for reading in readings:
        yield from reading.problems
    yield from _shared_files(readings)


def _duplicated_ids(column: str | None, readings: Sequence[Reading]) -> Iterator[PatientError]:
    same: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        if reading.patient_id:
            same[reading.patient_id.casefold()].append(reading)
    for sharing in same.values():
        for reading in sharing if len(sharing) > 1 else ():
            rows = _listed([other.row for other in sharing])
            yield ClinicalError(
                reading.patient_id,
                "duplicated patient id",
                mend=f"Rows {rows} have this id (case apart): keep one row a patient.",
                column=column,
                value=reading.patient_id,
                row=reading.row,
            )


def _shared_files(readings: Sequence[Reading]) -> Iterator[PatientError]:
    """One scan in two rows would let a patient be in training and in test at once."""
    users: dict[Path, list[tuple[Reading, str]]] = defaultdict(list)
    for reading in readings:
        for column, path in reading.files.items():
            users[path.resolve()].append((reading, column))
    for path, uses in users.items():
        rows = sorted({reading.row for reading, _ in uses})
        for reading, column in uses if len(rows) > 1 else ():
            yield ImagingError(
                reading.patient_id,
                "image file of another patient",
                mend=f"Rows {_listed(rows)} name this file: each patient needs files of their own.",
                column=column,
                value=str(path),
                row=reading.row,
            )


def _listed(rows: Sequence[int]) -> str:
    return ", ".join(str(row) for row in rows)
