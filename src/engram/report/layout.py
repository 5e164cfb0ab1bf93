"""What a table of the page is, and how it is written as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Column:
    """`kind` decides how cells are set: numbers align right, an error follows its number after a ± sign."""

    title: str
    kind: Literal["text", "number", "error"] = "text"


@dataclass(frozen=True)
class Table:
    """A table of text. name: stem of its CSV file. notes: what must be read with it. untrained: see labels."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    untrained: bool = False

    def to_csv(self) -> str:
        """The same cells as the page shows, comma-separated, with a header."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([column.title for column in self.columns])
        writer.writerows(self.rows)
        return stream.getvalue()
