"""The corrections table: what a user states about PET series whose headers are missing or wrong.

A CSV file with the columns patient_id, series, field, value, source. series is the short id that series.csv
shows; empty means every PET series of the patient. source says where the value comes from (a dose sheet, a
letter), and must not be empty: a correction without a source is a guess.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from engram.cohort.cells import Row, parse_number, read_sheet
from engram.errors import ManifestError, Problem

COLUMNS = ("patient_id", "series", "field", "value", "source")
_ID_LENGTH = 10  # hex digits: of a million series, two share an id with a chance of one in two


def series_id(uid: str) -> str:
    """The short name of a series: the first 10 hex digits of SHA-256 of its Series Instance UID."""
    return hashlib.sha256(uid.encode()).hexdigest()[:_ID_LENGTH]


@dataclass(frozen=True)
class Stated:
    """What the table states about one series; None where it says nothing.

    injected: start of the injection. decay_reference: the moment to which the images are decay corrected. Both
    are local times of the scanner's room, as the headers are.
    """

    weight_kg: float | None = None
    dose_mbq: float | None = None
    half_life_s: float | None = None
    injected: datetime | None = None
    decay_reference: datetime | None = None


@dataclass(frozen=True)
class Correction:
    """One line of the table.

    row: its line in the file. series: a short id, "" for all of the patient. value: as in `Stated`; bool of "take".
    """

    row: int
    patient_id: str
    series: str
    field: str
    value: float | datetime | bool
    source: str

    def is_about(self, patient_id: str, series: str) -> bool:
        """Whether it speaks of this series (a short id) of this patient."""
        return self.patient_id == patient_id and self.series in ("", series)


@dataclass(frozen=True)
class Corrections:
    """All lines of a corrections table, in their order."""

    lines: tuple[Correction, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Corrections:
        """Read a table. Raises ManifestError with every problem in it, by line and column."""
        if not path.is_file():
            mend = "Write it with the columns " + ", ".join(COLUMNS) + ", or do not name it."
            raise ManifestError(str(path), [Problem("there is no such corrections table", mend)])
        sheet = read_sheet(path)
        problems = [
            Problem("this column is missing", f"The columns are {', '.join(COLUMNS)}.", row=1, column=name)
            for name in COLUMNS
            if name not in sheet.columns
        ]
        if problems:
            raise ManifestError(str(path), problems)
        lines = [_line(row, problems) for row in sheet.rows]
        kept = [line for line in lines if line is not None]
        problems += _repeated(kept)
        if problems:
            raise ManifestError(str(path), problems)
        return cls(tuple(kept))

    def stated(self, patient_id: str, uid: str) -> Stated:
        """What is stated about a series (its full UID). A line that names the series wins over one for all."""
        short = series_id(uid)
        about = [line for line in self.lines if line.is_about(patient_id, short) and line.field != "take"]
        values: dict[str, Any] = {line.field: line.value for line in sorted(about, key=lambda line: line.series)}
        return Stated(**values)

    def take(self, patient_id: str) -> Mapping[str, bool]:
        """By short series id: whether the user takes (True) or leaves (False) a series of this patient."""
        return {
            line.series: bool(line.value)
            for line in self.lines
            if line.patient_id == patient_id and line.field == "take"
        }

    def unused(self, series: Iterable[tuple[str, str]]) -> tuple[Correction, ...]:
        """The lines that speak of none of these (patient id, full series UID): most likely misspelt."""
        known = [(patient_id, series_id(uid)) for patient_id, uid in series]
        return tuple(line for line in self.lines if not any(line.is_about(*pair) for pair in known))


def correction_line(patient_id: str, uid: str, field: str) -> str:
    """The line a user adds to state `field` of this series, value and source left open."""
    text = io.StringIO()
    row = [patient_id, series_id(uid), field, f"<{_FIELDS[field].example}>", "<where it comes from>"]
    csv.writer(text, lineterminator="").writerow(row)
    return text.getvalue()


def _positive(text: str) -> float | None:
    number = parse_number(text)
    return number if number is not None and number > 0 else None


def _moment(text: str) -> datetime | None:
    """A date with a time of day: a date alone would mean midnight, which nobody states."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if len(text) > len("2024-05-31") and moment.tzinfo is None else None


def _yes_or_no(text: str) -> bool | None:
    return {"yes": True, "no": False}.get(text.lower())


@dataclass(frozen=True)
class _Field:
    """How a field is read (None where it cannot be), what it is, and what stands for it in a line to fill in."""

    read: Callable[[str], float | datetime | bool | None]
    meaning: str
    example: str


_FIELDS = {
    "weight_kg": _Field(_positive, "a weight in kg, above 0", "kg"),
    "dose_mbq": _Field(_positive, "an injected activity in MBq, above 0", "MBq"),
    "half_life_s": _Field(_positive, "a half-life in seconds, above 0", "seconds"),
    "injected": _Field(_moment, "a date and local time like 2024-05-31T09:15:00", "YYYY-MM-DDThh:mm:ss"),
    "decay_reference": _Field(_moment, "a date and local time like 2024-05-31T10:15:00", "YYYY-MM-DDThh:mm:ss"),
    "take": _Field(_yes_or_no, "yes or no", "yes"),
}


def _line(row: Row, problems: list[Problem]) -> Correction | None:
    """The correction on a row; None, with its problems added, where it has any."""
    cells = {name: row.cells[name] or "" for name in COLUMNS}
    found = [
        Problem("the cell is empty", "Fill it in.", row=row.number, column=name)
        for name in ("patient_id", "field", "value", "source")
        if not cells[name]
    ] or _wrong(row.number, cells)
    problems += found
    if found:
        return None
    value = _FIELDS[cells["field"]].read(cells["value"])
    assert value is not None  # `_wrong` has read it once
    return Correction(
        row.number, cells["patient_id"], cells["series"].lower(), cells["field"], value, cells["source"]
    )


def _wrong(number: int, cells: Mapping[str, str]) -> list[Problem]:
    """What is wrong with filled cells; the value is not judged where its field is unknown."""
    where: dict[str, Any] = {"row": number, "patient_id": cells["patient_id"]}
    found = []
    short, field, value = cells["series"].lower(), cells["field"], cells["value"]
    if short and (len(short) != _ID_LENGTH or set(short) - set("0123456789abcdef")):
        mend = f"Copy the {_ID_LENGTH} characters that series.csv shows, or leave it empty for every PET series."
        found.append(Problem("this is no short series id", mend, column="series", value=short, **where))
    if field not in _FIELDS:
        mend = f"The fields are {', '.join(_FIELDS)}."
        return [*found, Problem("unknown field", mend, column="field", value=field, **where)]
    if field == "take" and not short:
        found.append(Problem("'take' needs a series", "Name one series.", column="series", **where))
    if _FIELDS[field].read(value) is None:
        mend = f"'{field}' is {_FIELDS[field].meaning}."
        found.append(Problem("the value cannot be read", mend, column="value", value=value, **where))
    return found


def _repeated(lines: Iterable[Correction]) -> list[Problem]:
    first: dict[tuple[str, str, str], int] = {}
    problems = []
    for line in lines:
        earlier = first.setdefault((line.patient_id, line.series, line.field), line.row)
        if earlier != line.row:
            what = f"line {earlier} states the same field already"
            mend = "Keep one of the two."
            problems.append(Problem(what, mend, row=line.row, column="field", patient_id=line.patient_id))
    return problems
