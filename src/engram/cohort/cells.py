"""The cohort table as text: a CSV file read cell by cell, nothing inferred, every row with its line number."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engram.dates import date_of, years_of
from engram.errors import ManifestError, Problem
from engram.limits import LARGEST_NUMBER

MISSING_MARKERS = frozenset({"", "na", "n/a", "nan", "null", "."})

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SAVE_AS_CSV = "Save the table as 'CSV UTF-8 (comma delimited)'."


@dataclass(frozen=True)
class Row:
    """One row of the table. number: its line in the file, the header being line 1. A missing cell is None."""

    number: int
    cells: Mapping[str, str | None]


@dataclass(frozen=True)
class Sheet:
    """The whole table as text; columns without a name are left out. digest: SHA-256 (hex) of the file."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    digest: str


def is_missing(text: str) -> bool:
    """Whether a cell counts as missing: empty, NA, N/A, NaN, null or '.', in any case."""
    return text.strip().lower() in MISSING_MARKERS


def parse_number(text: str) -> float | None:
    """A number written with a decimal point; None where the text is none, or is beyond 1e12 either way."""
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if abs(value) <= LARGEST_NUMBER else None


def is_date(text: str) -> bool:
    """Whether a cell is a date written as 2019-03-31."""
    return date_of(text) is not None


def parse_when(text: str) -> float | None:
    """A number as it stands, or a date as 2019-03-31 in years (2019.24...); None where the text is neither."""
    day = date_of(text)
    return parse_number(text) if day is None else years_of(day)


def read_sheet(path: Path) -> Sheet:
    """Read a comma-separated UTF-8 file, with or without byte order mark; rows without any value are skipped.

    Raises ManifestError with every problem found: the file is not there, is no UTF-8 text or no CSV, has no
    patients, names a column twice, or has rows of another length than its header.
    """
    content = _read_bytes(path)
    lines = list(_lines(path, _decode(path, content)))
    if not lines:
        raise ManifestError(str(path), [Problem("the table is empty", "Write a header and a row a patient.")])
    columns, body = tuple(lines[0][1]), lines[1:]
    problems = _separator_problems(columns)
    problems = problems or [*_header_problems(columns, body), *_length_problems(len(columns), body)]
    if problems:
        raise ManifestError(str(path), problems)
    rows = tuple(Row(number, _cells(columns, texts)) for number, texts in body)
    return Sheet(tuple(filter(None, columns)), rows, hashlib.sha256(content).hexdigest())


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        problem = Problem(
            f"the cohort table cannot be read: {why}", "Set 'manifest' in the study file to a CSV file."
        )
        raise ManifestError(str(path), [problem]) from error


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        value = repr(content[error.start : error.start + 8])
        problem = Problem("the table is not UTF-8 text", _SAVE_AS_CSV, row=row, value=value)
        raise ManifestError(str(path), [problem]) from error


def _lines(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line where it starts (a quoted cell may hold line breaks); blank ones left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    start = 1
    try:
        for texts in reader:
            stripped = [cell.strip() for cell in texts]
            if any(stripped):
                yield start, stripped
            start = reader.line_num + 1
    except csv.Error as error:
        problem = Problem(
            f"the table is not well-formed CSV: {error}", f"Check the quotes here. {_SAVE_AS_CSV}", row=start
        )
        raise ManifestError(str(path), [problem]) from error


def _separator_problems(columns: tuple[str, ...]) -> list[Problem]:
    if columns[0].lower().startswith("sep="):
        what = "the first line is a note to a spreadsheet, not the names of the columns"
        return [Problem(what, "Remove this line.", row=1, value=columns[0] + "," * (len(columns) > 1))]
    if len(columns) > 1 or not re.search(r"[;\t]", columns[0]):
        return []
    return [Problem("the table is not separated by commas", _SAVE_AS_CSV, row=1, value=columns[0])]


def _header_problems(columns: tuple[str, ...], body: list[tuple[int, list[str]]]) -> list[Problem]:
    problems = [
        Problem(f"{count} columns have this name", "Rename or remove all but one.", row=1, column=name)
        for name, count in Counter(columns).items()
        if count > 1 and name
    ]
    if not body:
        problems.append(Problem("the table has a header but no patients", "Write one row a patient."))
    return problems


def _length_problems(width: int, body: list[tuple[int, list[str]]]) -> list[Problem]:
    return [
        Problem(
            f"the row has {len(texts)} cells but the header has {width}",
            'Write decimals with a point (12.5), put cells that hold a comma between double quotes ("a, b"), '
            "and give every row all its commas.",
            row=number,
            value=",".join(texts)[:80],
        )
        for number, texts in body
        if len(texts) < width or any(texts[width:])
    ]


def _cells(columns: tuple[str, ...], texts: list[str]) -> dict[str, str | None]:
    return {name: None if is_missing(text) else text for name, text in zip(columns, texts, strict=False) if name}
