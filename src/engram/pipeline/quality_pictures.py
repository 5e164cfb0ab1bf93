"""The pictures of quality.html: quality.csv says what was measured, the store holds what was seen."""

from __future__ import annotations

import csv
from pathlib import Path

from engram.config import StudyConfig
from engram.errors import StorageError
from engram.memory.quality import QUALITY, DrawnQuality
from engram.memory.store import EmbeddingStore
from engram.pipeline.folders import RunFolder
from engram.pipeline.requests import request_name
from engram.report.page import StudyPicture

Keys = dict[str, dict[str, str]]  # patient id -> name of the read-out -> key in the store


def study_pictures(config: StudyConfig, keys: Keys) -> list[StudyPicture]:
    """One for each line of quality.csv; its picture is None where the store does not hold that reading.

    Raises StorageError where quality.csv is damaged.
    """
    path, store = RunFolder.of(config).quality, EmbeddingStore(config.store_dir)
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return [_study(line, keys, store) for line in csv.DictReader(stream, strict=True)]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise StorageError(f"{path}: damaged ({error}). Run 'engram evaluate' again.") from error


def _study(line: dict[str, str], keys: Keys, store: EmbeddingStore) -> StudyPicture:
    key = keys.get(line["patient_id"], {}).get(request_name(line["modality"], line["roi"], QUALITY))
    return StudyPicture(
        modality=line["modality"],
        roi=line["roi"],
        row=int(line["row"]),
        dice=_dice(line["dice"]),
        slices=int(line["slices"]),
        flagged=bool(int(line["flagged"])),
        png=_picture(store, key, line["dice"]) if key is not None else None,
    )


def _dice(text: str) -> float:
    dice = float(text)
    if not 0 <= dice <= 1:
        raise ValueError(f"a Dice of {text}")
    return dice


def _picture(store: EmbeddingStore, key: str, dice: str) -> Path | None:
    """None, too, where the scans were read again since: the picture beside a Dice must be the one it is of."""
    if not store.sound(key) or not store.picture_path(key).is_file():
        return None
    found = DrawnQuality.of(store.load(key).arrays).overall_dice
    return store.picture_path(key) if f"{found:.4f}" == dice else None
