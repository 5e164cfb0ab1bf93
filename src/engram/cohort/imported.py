"""What an importer finds in a folder: the files of each patient, and every file that it left with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ImportedPatient:
    """Files of one patient. labels: by label scheme (see `engram.roi.labels`). masks: ready masks by their name."""

    patient_id: str
    ct: Path | None = None
    pet: Path | None = None
    labels: Mapping[str, Path] = field(default_factory=dict)
    masks: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftFile:
    """A file or folder that was not taken. reason: a sentence a user can act on."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Imported:
    """patients: by patient_id. left: by path."""

    patients: tuple[ImportedPatient, ...]
    left: tuple[LeftFile, ...] = ()
