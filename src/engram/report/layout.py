"""What a table of the page is, and how it is written as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from typing import Literal

from engram.report.formats import EN_DASH


@dataclass(frozen=True)
class Column:
    """`kind` decides how cells are set: numbers align right, an error follows its number after a ± sign."""

    title: str
    kind: Literal["text", "number", "error"] = "text"


@dataclass(frozen=True)
class Table:
    """A table of text. name: stem of its files. notes: what must be read with it. untrained: see labels.

    A row with fewer cells than columns: its last cell stands across the rest (a row that was not run, and why).
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    untrained: bool = False

    def without_empty(self) -> Table:
        """The same without columns of text that say nothing in any row."""
        kept = [
            place
            for place, column in enumerate(self.columns)
            if column.kind != "text" or any(_says(row, place) for row in self.rows)
        ]
        rows = tuple(tuple(row[place] for place in kept if place < len(row)) for row in self.rows)
        return replace(self, columns=tuple(self.columns[place] for place in kept), rows=rows)

    def to_csv(self) -> str:
        """The same cells as the page shows, comma-separated, with a header; short rows are filled up."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([column.title for column in self.columns])
        writer.writerows((*row, *[""] * (len(self.columns) - len(row))) for row in self.rows)
        return stream.getvalue()


def _says(row: tuple[str, ...], place: int) -> bool:
    return place < len(row) and row[place] not in ("", EN_DASH)
