"""The tables that `engram init` writes: the manifest, series.csv, scans.csv and problems.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from engram.cohort.cells import Sheet, read_sheet
from engram.cohort.imported import ImportedPatient, LeftFile
from engram.errors import ImagingError, ManifestError, Problem
from engram.files import write_text

OUTCOME_COLUMNS = ("time_months", "event")

Rows = list[dict[str, str]]


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Path:
    """CSV with a header and one line a row; what a row does not have is an empty cell."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    return write_text(path, stream.getvalue())


def image_columns(patients: Sequence[ImportedPatient]) -> list[str]:
    """ct and pet; then labels_<scheme> and mask_<name>, by name, of all that anybody has."""
    labels = sorted({f"labels_{column_name(scheme)}" for patient in patients for scheme in patient.labels})
    masks = sorted({f"mask_{column_name(name)}" for patient in patients for name in patient.masks})
    return ["ct", "pet", *labels, *masks]


def column_name(name: str) -> str:
    """A name as part of a column: letters, digits, point and minus stay, all else is one underscore."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in ".-") else "_" for c in name)
    return "_".join(filter(None, kept.split("_")))


def merged_manifest(
    path: Path, patients: Sequence[ImportedPatient], clinical: Path | None, id_column: str
) -> tuple[list[str], Rows]:
    """Columns and rows of the manifest: the images of `patients`, and every cell that the user has written.

    clinical: a table with one row a patient, joined by id; what a manifest at `path` holds beyond it is kept.
    Empty outcome columns are made where there is neither. Patients that only these tables know keep their row,
    without images: the exclusion flow counts them. Raises ManifestError where an id is there twice.
    """
    images = image_columns(patients)
    tables = ([path] if path.exists() else []) + ([clinical] if clinical is not None else [])
    written = [(table, read_sheet(table)) for table in tables]
    columns = [id_column, *images]
    rows: dict[str, dict[str, str]] = {}
    for source, sheet in written:
        columns += [name for name in sheet.columns if name not in columns]
        for patient_id, cells in _by_id(sheet, id_column, source).items():
            rows[patient_id] = {**rows.get(patient_id, {}), **cells}
    if not written:
        columns += OUTCOME_COLUMNS
    for patient in patients:
        own = {id_column: patient.patient_id, **_cells(patient, path.parent)}
        rows[patient.patient_id] = {**rows.get(patient.patient_id, {}), **own}
    return columns, list(rows.values())


def _cells(patient: ImportedPatient, folder: Path) -> dict[str, str]:
    files: dict[str, Path | None] = {"ct": patient.ct, "pet": patient.pet}
    files |= {f"labels_{column_name(scheme)}": path for scheme, path in patient.labels.items()}
    files |= {f"mask_{column_name(name)}": path for name, path in patient.masks.items()}
    return {column: _relative(path, folder) if path is not None else "" for column, path in files.items()}


def _relative(path: Path, folder: Path) -> str:
    """From the manifest's folder where the file lies below it: such a study can be moved."""
    resolved, base = path.resolve(), folder.resolve()
    return resolved.relative_to(base).as_posix() if resolved.is_relative_to(base) else str(resolved)


def _by_id(sheet: Sheet, id_column: str, path: Path) -> dict[str, dict[str, str]]:
    if id_column not in sheet.columns:
        mend = f"Name the column with --id; the table has {', '.join(sheet.columns)}."
        raise ManifestError(str(path), [Problem("the table has no such column", mend, column=id_column)])
    rows: dict[str, dict[str, str]] = {}
    problems = []
    for row in sheet.rows:
        text = row.cells[id_column]
        if text is None or text in rows:
            what = "this id is there twice" if text is not None else "the id is missing"
            problems.append(Problem(what, "Keep one row with an id for each patient.", row.number, id_column, text))
            continue
        rows[text] = {name: cell for name, cell in row.cells.items() if cell is not None}
    if problems:
        raise ManifestError(str(path), problems)
    return rows


def write_problems(path: Path, problems: Sequence[ImagingError]) -> Path:
    """CSV: one line for each scan or mask that could not be made."""
    columns = ["patient_id", "reason", "value", "file", "mend"]
    return write_rows(path, columns, ({name: getattr(p, name) for name in columns} for p in problems))


def write_left(path: Path, left: Sequence[LeftFile]) -> Path:
    """CSV: every file that no series or patient was made of."""
    return write_rows(path, ["file", "reason"], ({"file": item.path, "reason": item.reason} for item in left))
