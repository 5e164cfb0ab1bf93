"""A study table as one file without pickles, for worker processes; and digests of what a model sees."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from engram.evaluation.rows import RowSpec
from engram.files import atomic_write, canonical_json
from engram.outcome import SurvivalOutcome
from engram.table import EmbeddingKey, PatientFeatures, StudyTable


def save_table(table: StudyTable, path: Path) -> Path:
    """Write a table as .npz, atomically; floats keep every bit. Raises StorageError."""
    keys = list(table.features.embeddings)
    header = {
        "ids": table.features.ids,
        "unit": table.outcome.unit,
        "columns": [str(column) for column in table.features.covariates.columns],
        "cells": _cells(table.features.covariates),
        "keys": [list(key) for key in keys],
    }
    arrays: dict[str, npt.NDArray[Any]] = {"event": table.outcome.event, "time": table.outcome.time}
    arrays |= {f"embedding_{number}": table.features.embeddings[key] for number, key in enumerate(keys)}
    text = np.frombuffer(json.dumps(header, allow_nan=False).encode(), dtype=np.uint8)
    return atomic_write(path, lambda stream: np.savez(stream, allow_pickle=False, header=text, **arrays))


def save_row_tables(
    table: StudyTable, averaged: StudyTable, specs: Sequence[RowSpec], folder: Path
) -> dict[RowSpec, Path]:
    """The file that each row reads. Rows that read whole memories get those of their own region and read-out, one
    file for all of them; the others share the averaged table, a hundredth of the size."""
    paths: dict[tuple[str, str] | None, Path] = {}
    for place in dict.fromkeys((spec.roi, spec.readout) if spec.reads_memory else None for spec in specs):
        whole = averaged if place is None else _of_place(table, *place)
        paths[place] = save_table(whole, folder / f"table_{len(paths)}.npz")
    return {spec: paths[(spec.roi, spec.readout) if spec.reads_memory else None] for spec in specs}


def _of_place(table: StudyTable, roi: str, readout: str) -> StudyTable:
    of_place = {key: a for key, a in table.features.embeddings.items() if (key.roi, key.readout) == (roi, readout)}
    return replace(table, features=replace(table.features, embeddings=of_place))


def load_table(path: Path) -> StudyTable:
    """Read back what `save_table` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        header = json.loads(stored["header"].tobytes())
        keys = [EmbeddingKey(*key) for key in header["keys"]]
        embeddings = {key: stored[f"embedding_{number}"] for number, key in enumerate(keys)}
        outcome = SurvivalOutcome(stored["event"], stored["time"], header["unit"])
    columns = {n: pd.Series(c, dtype=object) for n, c in zip(header["columns"], header["cells"], strict=True)}
    covariates = pd.DataFrame(columns, index=range(len(header["ids"])))
    return StudyTable(PatientFeatures(tuple(header["ids"]), covariates, embeddings), outcome)


def features_digest(features: PatientFeatures) -> str:
    """SHA-256 (hex) of everything a model could see of these patients, in their order."""
    covariates = features.covariates
    text = {"ids": features.ids, "columns": [str(c) for c in covariates.columns], "cells": _cells(covariates)}
    sha = hashlib.sha256(canonical_json(text).encode())
    for key, array in sorted(features.embeddings.items()):
        _add_array(sha, canonical_json(key), array)
    return sha.hexdigest()


def outcome_digest(outcome: SurvivalOutcome) -> str:
    """SHA-256 (hex) of events and times, in their order."""
    sha = hashlib.sha256(outcome.unit.encode())
    _add_array(sha, "event", outcome.event)
    _add_array(sha, "time", outcome.time)
    return sha.hexdigest()


def _add_array(sha: Any, name: str, array: npt.NDArray[Any]) -> None:
    sha.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
    sha.update(np.ascontiguousarray(array).data)


def _cells(covariates: pd.DataFrame) -> list[list[float | str | None]]:
    return [[_cell(value) for value in covariates.iloc[:, i].tolist()] for i in range(covariates.shape[1])]


def _cell(value: Any) -> float | str | None:
    """A float, a text, or None where missing; infinite numbers travel as text and are refused by the model."""
    if value is None or value is pd.NA:
        return None
    if isinstance(value, str):
        return value
    number = float(value)
    return None if math.isnan(number) else number if math.isfinite(number) else str(number)
