"""tuning.xlsx: ranges and best values, as the paper's supplementary spreadsheet; equal results give equal bytes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from engram.evaluation.results import StudyResults
from engram.evaluation.tuning_records import Search

_Value = str | int | float | bool | None
_Row = tuple[_Value, ...]

_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold
_DATES = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*(</dcterms:)")
_RANGES: _Row = ("search", "protocol", "setting", "low", "high", "logarithmic", "choices")
_BEST: _Row = ("search", "protocol", "made_on", "fold", "trial", "c_index", "epochs")


def tuning_workbook(results: StudyResults) -> bytes:
    """Sheets `ranges` (one line a search and setting), `best values` (one a search and fold) and `rows`."""
    book = Workbook(write_only=True)
    _sheet(book.create_sheet("ranges"), _RANGES, _ranges(results.searches))
    settings = tuple(dict.fromkeys(name for search in results.searches for p in search.space for name in (p.name,)))
    _sheet(book.create_sheet("best values"), (*_BEST, *settings), _best(results.searches, settings))
    _sheet(
        book.create_sheet("rows"),
        ("search", "protocol", "made_on", "row"),
        ((search.group, search.protocol, search.row, row) for search in results.searches for row in search.rows),
    )
    stream = io.BytesIO()
    book.save(stream)
    return _without_dates(stream.getvalue())


def _ranges(searches: Sequence[Search]) -> Iterable[_Row]:
    for search in searches:
        for one in search.space:
            choices = None if one.choices is None else ", ".join(map(str, one.choices))
            yield (search.group, search.protocol, one.name, one.low, one.high, one.log, choices)


def _best(searches: Sequence[Search], settings: tuple[str, ...]) -> Iterable[_Row]:
    for search in searches:
        for best in search.best:
            fold = "all" if best.fold is None else best.fold
            values = (best.values.get(name) for name in settings)
            yield (search.group, search.protocol, search.row, fold, best.trial, best.score, best.epochs, *values)


def _sheet(sheet: WriteOnlyWorksheet, head: _Row, rows: Iterable[_Row]) -> None:
    sheet.freeze_panes = "A2"
    sheet.append([_cell(sheet, value, bold=True) for value in head])
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])


def _cell(sheet: WriteOnlyWorksheet, value: _Value, *, bold: bool = False) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, value=value)
    if isinstance(value, str):
        cell.data_type = "s"  # a name that begins with '=' is a name, not a formula
    if bold:
        cell.font = Font(bold=True)
    return cell


def _without_dates(file: bytes) -> bytes:
    """The same workbook, with the date that every zip file can hold in place of today."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(file)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            content = _DATES.sub(rb"\g<1>1980-01-01T00:00:00Z\g<3>", old.read(name))
            entry = zipfile.ZipInfo(name, _FIRST_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, content)
    return stream.getvalue()
