"""The index of the embedding store: one row a file. It is derived, so it may be deleted at any time."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engram.files import atomic_write
from engram.memory.store_format import ABOUT_FIELDS, read_header

# bytes: of the file without its picture. mtime_ns: with the bytes, it says whether a file has changed.
COLUMNS: dict[str, type] = {"key": str, **ABOUT_FIELDS, "bytes": int, "sha256": str, "mtime_ns": int}
SCHEMA = pa.schema([(name, pa.int64() if kind is int else pa.string()) for name, kind in COLUMNS.items()])


def build_index(files: Mapping[str, Path], known: pa.Table) -> pa.Table:
    """The rows of these files, by key; those unchanged since `known` was made are not read again.

    A file that is damaged, that says another key of itself, or that vanishes meanwhile, has no row.
    """
    before = {row["key"]: row for row in known.to_pylist()}
    rows = (_row(key, files[key], before.get(key)) for key in sorted(files))
    return pa.Table.from_pylist([row for row in rows if row is not None], schema=SCHEMA)


def _row(key: str, path: Path, before: dict[str, Any] | None) -> dict[str, Any] | None:
    try:
        state = path.stat()
        now = {"bytes": state.st_size, "mtime_ns": state.st_mtime_ns}
        if before is not None and all(before[name] == value for name, value in now.items()):
            return before
        header = read_header(path)
    except (OSError, ValueError):  # 'engram store verify' names it
        return None
    about = {"protocol": "", **header.about}
    return {"key": key, **about, "sha256": header.sha256, **now} if header.key == key else None


def read_index(path: Path) -> pa.Table:
    """The index as it was saved; empty where there is none, or it is damaged or of another version."""
    try:
        table = pq.read_table(BytesIO(path.read_bytes()), page_checksum_verification=True)
    except (OSError, ValueError, pa.ArrowException):
        return SCHEMA.empty_table()
    return table if table.schema.equals(SCHEMA) else SCHEMA.empty_table()


def write_index(path: Path, table: pa.Table) -> None:
    """Write the index atomically. Raises StorageError."""
    content = BytesIO()
    pq.write_table(table, content, write_page_checksum=True)
    atomic_write(path, lambda stream: stream.write(content.getvalue()))
