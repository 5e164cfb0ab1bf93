"""The tables that `engram init` writes: the manifest, series.csv, scans.csv and problems.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engram.cohort.cells import read_sheet
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
    """ct and pet where anybody has one; then labels_<scheme> and mask_<name>, by name."""
    scans = [use for use in ("ct", "pet") if any(getattr(patient, use) for patient in patients)]
    labels = sorted({f"labels_{column_name(scheme)}" for patient in patients for scheme in patient.labels})
    masks = sorted({f"mask_{column_name(name)}" for patient in patients for name in patient.masks})
    return [*scans, *labels, *masks]


def column_name(name: str) -> str:
    """A name as part of a column: letters, digits, point and minus stay, all else is one underscore."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in ".-") else "_" for c in name)
    return "_".join(filter(None, kept.split("_")))


@dataclass(frozen=True)
class Manifest:
    """notes: what the user should know of how tables were joined."""

    columns: list[str]
    rows: Rows
    notes: tuple[str, ...] = ()


def merged_manifest(
    path: Path, patients: Sequence[ImportedPatient], clinical: Path | None, id_column: str, source: Path
) -> Manifest:
    """The images of `patients`, and every cell that the user has written.

    clinical: a table with one row a patient, joined by id; a manifest at `path` wins over it, for it is the user's
    to edit. source: the folder of the scans; cells of an earlier run that name a file of it, or one made of it, do
    not stay. Empty outcome columns are made where there is neither table. Patients that only these tables know keep
    their row, without images: the exclusion flow counts them. Raises ManifestError where an id is there twice.
    """
    columns = [id_column, "ct", "pet", *(c for c in image_columns(patients) if c not in ("ct", "pet"))]
    written, clinic = (_read(table, id_column) for table in (path if path.exists() else None, clinical))
    columns = list(dict.fromkeys((*columns, *written.columns, *clinic.columns)))
    made = [folder.resolve() for folder in (path.parent / "images", path.parent / "labels", source)]
    kept = {patient_id: _without(made, path.parent, cells) for patient_id, cells in written.rows.items()}
    table = clinic.rows
    if not (written.columns or clinic.columns):
        columns += OUTCOME_COLUMNS
    rows = {patient_id: {**table.get(patient_id, {}), **kept.get(patient_id, {})} for patient_id in [*kept, *table]}
    for patient in patients:
        own = {id_column: patient.patient_id, **_cells(patient, path.parent)}
        rows[patient.patient_id] = {**rows.get(patient.patient_id, {}), **own}
    known = {patient.patient_id for patient in patients}
    return Manifest(columns, list(rows.values()), tuple(_notes(table, kept, known)))


def _notes(
    table: Mapping[str, Mapping[str, str]], kept: Mapping[str, Mapping[str, str]], known: Collection[str]
) -> Iterator[str]:
    if table:
        yield f"{len(known & table.keys())} of {len(known)} patients with scans are in the clinical table"
        if alone := table.keys() - known:
            yield f"{len(alone)} of its {len(table)} patients have no scan, '{min(alone)}' for example"
    differing = sum(
        text != table[patient_id].get(name, text)
        for patient_id, cells in kept.items()
        if patient_id in table
        for name, text in cells.items()
    )
    if differing:
        yield f"{differing} cells of manifest.csv differ from the clinical table: those of manifest.csv were kept"


def _without(made: Sequence[Path], folder: Path, cells: Mapping[str, str]) -> dict[str, str]:
    """The cells that name no file below the folders `made`."""
    return {name: text for name, text in cells.items() if not (_is_of_init(name) and _below(made, folder / text))}


def _is_of_init(column: str) -> bool:
    return column in ("ct", "pet") or column.startswith(("labels_", "mask_"))


def _below(folders: Sequence[Path], path: Path) -> bool:
    try:
        resolved = path.resolve()
    except (OSError, ValueError):
        return False
    return any(resolved.is_relative_to(folder) for folder in folders)


def _cells(patient: ImportedPatient, folder: Path) -> dict[str, str]:
    files: dict[str, Path | None] = {"ct": patient.ct, "pet": patient.pet}
    files |= {f"labels_{column_name(scheme)}": path for scheme, path in patient.labels.items()}
    files |= {f"mask_{column_name(name)}": path for name, path in patient.masks.items()}
    return {column: _relative(path, folder) if path is not None else "" for column, path in files.items()}


def _relative(path: Path, folder: Path) -> str:
    """From the manifest's folder where the file lies below it: such a study can be moved."""
    resolved, base = path.resolve(), folder.resolve()
    return resolved.relative_to(base).as_posix() if resolved.is_relative_to(base) else str(resolved)


@dataclass(frozen=True)
class _Table:
    """A table of the user: its cells by patient id."""

    columns: tuple[str, ...] = ()
    rows: Mapping[str, dict[str, str]] = field(default_factory=dict)


def _read(path: Path | None, id_column: str) -> _Table:
    """None: an empty table."""
    if path is None:
        return _Table()
    sheet = read_sheet(path)
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
    return _Table(sheet.columns, rows)


def write_problems(path: Path, problems: Sequence[ImagingError]) -> Path:
    """CSV: one line for each scan or mask that could not be made."""
    columns = ["patient_id", "reason", "value", "file", "mend"]
    return write_rows(path, columns, ({name: getattr(p, name) for name in columns} for p in problems))


def write_left(path: Path, left: Sequence[LeftFile]) -> Path:
    """CSV: every file that no series or patient was made of."""
    return write_rows(path, ["file", "reason"], ({"file": item.path, "reason": item.reason} for item in left))
