"""A table of radiomics to arrays: checked line by line, whoever made it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from engram.cohort.cells import Row, Sheet, read_sheet
from engram.config import StudyConfig
from engram.config_models import Modality
from engram.errors import ConfigError, ManifestError, Problem
from engram.evaluation.radiomics_records import RadiomicsProvenance
from engram.pipeline.folders import RunFolder
from engram.pipeline.radiomics_files import KEYS, check_made_for, made_by
from engram.pipeline.segment_table import id_of
from engram.table import RADIOMICS, EmbeddingKey

ABSENT = "features absent: run 'engram radiomics' or set radiomics.table"

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LARGEST = 1e30  # zone sizes squared reach 1e14; far within float32
_SHOWN = 20  # problems that are told of a table

Float32 = npt.NDArray[np.float32]
Place = tuple[str, str, str]  # patient, region, scan


class LoadedRadiomics(NamedTuple):
    """arrays: float32 (n, p) by key, NaN where a feature is missing. absent: why a key has none. made: by what."""

    arrays: dict[EmbeddingKey, Float32]
    absent: dict[EmbeddingKey, str]
    made: RadiomicsProvenance | None = None


def load_radiomics(
    config: StudyConfig, ids: Sequence[str], digests: Mapping[str, Mapping[str, str]] | None = None
) -> LoadedRadiomics:
    """The features of every region and scan of the study, in the order of `ids`, the analysed patients.

    Of `radiomics.table`, or of radiomics.csv in the run folder; nothing where the baseline is not run. digests: of
    each patient's files as other rows read them; features of other files are refused.
    Raises ConfigError where the named table is not there, ManifestError with what is wrong in it (unknown ids or
    scans, double or lacking lines, cells that are no numbers), and the errors of `check_made_for`.
    """
    if RADIOMICS not in config.baselines:
        return LoadedRadiomics({}, {})
    keys = [EmbeddingKey(modality, roi, RADIOMICS) for modality in config.modalities for roi in config.rois]
    path = _path(config)
    if not path.is_file():
        return LoadedRadiomics({}, dict.fromkeys(keys, ABSENT))
    if config.radiomics.table is None:
        check_made_for(config, path, {one: (digests or {})[one] for one in ids if one in (digests or {})})
    sheet = read_sheet(path)
    features = [name for name in sheet.columns if name not in KEYS]
    lines, problems = _lines(sheet, features, _known(config, ids))
    problems += _lacking(lines, keys, ids) if not problems else []
    if problems:
        raise ManifestError(str(path), problems[:_SHOWN])
    numbers = {place: [_number(row.cells[name]) for name in features] for place, row in lines.items()}
    return LoadedRadiomics({key: _array(numbers, key, ids) for key in keys}, {}, made_by(config, path))


def why_absent(config: StudyConfig) -> str | None:
    """Why rows of radiomics will have no numbers; None where they will, or where nobody asks for them. Raises
    ConfigError as `load_radiomics`."""
    return ABSENT if RADIOMICS in config.baselines and not _path(config).is_file() else None


def _path(config: StudyConfig) -> Path:
    named = config.radiomics.table
    if named is None:
        return RunFolder.of(config).radiomics
    path = config.resolve(named)
    if not path.is_file():
        raise ConfigError(f"radiomics.table: {path} is not there. Correct the path, or leave it out.")
    return path


def _known(config: StudyConfig, ids: Sequence[str]) -> set[str]:
    """Everybody of the manifest, for a table may hold patients who are not analysed."""
    return {*ids, *(id_of(row, config) for row in read_sheet(config.resolve(config.manifest)).rows)}


def _lines(sheet: Sheet, features: Sequence[str], known: set[str]) -> tuple[dict[Place, Row], list[Problem]]:
    absent = [name for name in KEYS if name not in sheet.columns]
    if absent or not features:
        what = f"the column {absent[0]} is not there" if absent else "the table has no features"
        mend = f"It needs {', '.join(KEYS)}, and a column a feature."
        return {}, [Problem(what, mend, row=1)]
    lines: dict[Place, Row] = {}
    problems: list[Problem] = []
    for row in sheet.rows:
        patient, roi, modality = place = tuple(row.cells[name] or "" for name in KEYS)
        found = _of_line(row, place, lines, features, known)
        problems += found
        if not found:
            lines[patient, roi, modality] = row
    return lines, problems


def _of_line(
    row: Row, place: tuple[str, ...], lines: Mapping[Place, Row], features: Sequence[str], known: set[str]
) -> list[Problem]:
    patient, roi, modality = place
    if patient not in known:
        mend = "Write the ids of the manifest."
        return [Problem("no patient of the manifest", mend, row.number, "patient_id", patient)]
    if modality not in get_args(Modality):
        mend = "Write PET or CT."
        return [Problem("no scan", mend, row.number, "modality", modality, patient)]
    if (patient, roi, modality) in lines:
        first = lines[patient, roi, modality].number
        what = f"a second line of {modality}, {roi}, after line {first}"
        return [Problem(what, "Remove one of them.", row.number, patient_id=patient)]
    wrong = [name for name in features if (text := row.cells[name]) is not None and _parsed(text) is None]
    mend = "Write a number with a decimal point, or leave the cell empty where it is missing."
    return [Problem("no number", mend, row.number, name, row.cells[name], patient) for name in wrong]


def _parsed(text: str) -> float | None:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if abs(value) <= _LARGEST else None


def _number(text: str | None) -> float:
    value = None if text is None else _parsed(text)
    return math.nan if value is None else value


def _lacking(lines: Mapping[Place, Row], keys: Sequence[EmbeddingKey], ids: Sequence[str]) -> list[Problem]:
    mend = "Add it, or leave the patient out; 'engram radiomics' says why it could not be made."
    return [
        Problem(f"no line of {key.modality}, {key.roi}", mend, patient_id=patient)
        for patient in ids
        for key in keys
        if (patient, key.roi, key.modality) not in lines
    ]


def _array(numbers: Mapping[Place, Sequence[float]], key: EmbeddingKey, ids: Sequence[str]) -> Float32:
    return np.array([numbers[patient, key.roi, key.modality] for patient in ids], dtype=np.float32)
