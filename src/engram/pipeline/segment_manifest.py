"""The manifest with the maps of a segmenter: a table beside the user's, never over it."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engram.cohort.cells import Sheet, read_sheet
from engram.config import StudyConfig
from engram.errors import StorageError
from engram.files import file_digest, read_json, write_json, write_text
from engram.pipeline.init_tables import column_name
from engram.pipeline.segment_table import id_of

_STEM = "manifest_with_labels"
_MEMORY = "manifests.json"


@dataclass(frozen=True)
class _Memory:
    """What was written before. tables: digest by name; another table is the user's. columns: by label scheme."""

    tables: dict[str, str]
    columns: dict[str, str]


def write_manifest(config: StudyConfig, folder: Path, scheme: str, maps: Mapping[str, Path]) -> Path:
    """The user's table with a column of the maps, and those of earlier runs; a table that was changed stays.

    maps: file by patient id. A cell that names a map already is kept. Rows keep their line numbers.
    Raises ManifestError where the table cannot be read, StorageError where it cannot be written.
    """
    source = config.resolve(config.manifest)
    sheet, memory = read_sheet(source), _recall(folder)
    target = _target(source, memory.tables)
    found = _earlier(target, config, memory) if target.exists() else {}
    found[labels_column(config, scheme)] = {
        name: os.path.relpath(path, source.parent) for name, path in maps.items()
    }
    write_text(target, _text(sheet, config, found))
    kept = {"columns": {**memory.columns, scheme: labels_column(config, scheme)}}
    write_json(folder / _MEMORY, {**kept, "tables": {**memory.tables, target.name: file_digest(target)}})
    return target


def labels_column(config: StudyConfig, scheme: str) -> str:
    """The column of the maps of a scheme: as the study file says, else by the scheme's name."""
    return _known(config).get(scheme) or f"labels_{column_name(scheme)}"


def study_lines(config: StudyConfig, folder: Path, manifest: Path) -> list[str]:
    """What to write in the study file, so that all maps are used."""
    columns = {**_recall(folder).columns, **_known(config)}
    shown = ", ".join(f"{scheme}: {column}" for scheme, column in columns.items())
    return [f"manifest: {os.path.relpath(manifest, config.folder)}", f"images: {{labels: {{{shown}}}}}"]


def _known(config: StudyConfig) -> dict[str, str]:
    return config.images.label_columns if config.images is not None else {}


def _text(sheet: Sheet, config: StudyConfig, found: Mapping[str, Mapping[str, str]]) -> str:
    """CSV text. found: cells by column and patient id; an empty line stands where the user's table has one."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    columns = [*sheet.columns, *(column for column in found if column not in sheet.columns)]
    writer.writerow(columns)
    for row in sheet.rows:
        written = stream.getvalue().count("\n")
        stream.write("\n" * (row.number - 1 - written))
        added = {column: cells.get(id_of(row, config)) for column, cells in found.items()}
        writer.writerow([row.cells.get(name) or added.get(name) or "" for name in columns])
    return stream.getvalue()


def _earlier(target: Path, config: StudyConfig, memory: _Memory) -> dict[str, dict[str, str]]:
    """Maps of other schemes that an earlier run wrote into the table, where their files are still there."""
    sheet, cells = read_sheet(target), {}
    for column in memory.columns.values():
        named = {id_of(row, config): row.cells.get(column) for row in sheet.rows}
        cells[column] = {name: text for name, text in named.items() if text and (target.parent / text).is_file()}
    return cells


def _target(source: Path, tables: Mapping[str, str]) -> Path:
    """The first name beside the user's table that is free, or that holds what was written here and not changed."""
    number = 1
    while True:
        path = source.with_name(f"{_STEM}{f'_{number}' if number > 1 else ''}.csv")
        ours = path != source and path.is_file() and tables.get(path.name) == file_digest(path)
        if ours or not path.exists():
            return path
        number += 1


def _recall(folder: Path) -> _Memory:
    """Nothing where it is not there or damaged: new names are taken then, and nothing is overwritten."""
    try:
        kept = read_json(folder / _MEMORY)
        return _Memory(dict(kept["tables"]), dict(kept["columns"]))
    except (StorageError, KeyError, TypeError, ValueError):
        return _Memory({}, {})
