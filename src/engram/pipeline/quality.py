"""Does the model see the bone, in every study: quality.csv, and what the report says of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engram.cohort.records import PatientRecord
from engram.config import StudyConfig
from engram.evaluation.results import DrawnMasks
from engram.files import write_text
from engram.memory.quality import QUALITY, DrawnQuality
from engram.memory.store import EmbeddingStore
from engram.pipeline.embedded import Embedded
from engram.pipeline.requests import readouts_of, request_name

_BINS = 32  # of the curve, from the top of the region to its end


@dataclass(frozen=True)
class StudyQuality:
    """One scan and region of one patient. key: in the store, where its picture is."""

    record: PatientRecord
    modality: str
    roi: str
    key: str
    drawn: DrawnQuality

    def flagged(self, limit: float) -> bool:
        """Whether its Dice lies below the limit."""
        return not self.drawn.overall_dice >= limit


def load_quality(config: StudyConfig, records: Sequence[PatientRecord], embedded: Embedded) -> list[StudyQuality]:
    """The quality of every study, by modality and region, then in the order of the records; empty where the study
    file turned it off. Raises StorageError where it cannot be read."""
    return list(_load(config, records, embedded)) if QUALITY in readouts_of(config) else []


def _load(config: StudyConfig, records: Sequence[PatientRecord], embedded: Embedded) -> Iterator[StudyQuality]:
    store = EmbeddingStore(config.store_dir)
    for modality in config.modalities:
        for roi in config.rois:
            for record in records:
                key = embedded.keys[record.patient_id][request_name(modality, roi, QUALITY)]
                drawn = DrawnQuality.of(store.load(key).arrays)
                yield StudyQuality(record, modality, roi, key, drawn)


def write_quality(studies: Sequence[StudyQuality], limit: float, path: Path) -> Path:
    """CSV: one line a study, with patient ids."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        [
            "row",
            "patient_id",
            "modality",
            "roi",
            "slices",
            "dice",
            "lowest_slice_dice",
            "mean_object_score",
            "flagged",
        ]
    )
    for study in studies:
        drawn = study.drawn
        numbers = (drawn.overall_dice, drawn.dice.min(), drawn.object_scores.mean())
        writer.writerow(
            [study.record.row, study.record.patient_id, study.modality, study.roi, len(drawn.slices)]
            + [f"{number:.4f}" for number in numbers]
            + [int(study.flagged(limit))]
        )
    return write_text(path, stream.getvalue())


def summarise_quality(studies: Sequence[StudyQuality], limit: float) -> list[DrawnMasks]:
    """Quartiles of the Dice over patients, and of its curve down the region, for each scan and region."""
    groups: dict[tuple[str, str], list[StudyQuality]] = {}
    for study in studies:
        groups.setdefault((study.modality, study.roi), []).append(study)
    return [_summary(modality, roi, group, limit) for (modality, roi), group in groups.items()]


def _summary(modality: str, roi: str, group: Sequence[StudyQuality], limit: float) -> DrawnMasks:
    quartiles = np.quantile([study.drawn.overall_dice for study in group], [0.25, 0.5, 0.75])
    curves = np.quantile([_curve(study.drawn) for study in group], [0.25, 0.5, 0.75], axis=0)
    return DrawnMasks(
        modality=modality,
        roi=roi,
        n=len(group),
        flagged=sum(study.flagged(limit) for study in group),
        limit=limit,
        dice_quartiles=_listed(quartiles),
        curve_lower=_listed(curves[0]),
        curve_median=_listed(curves[1]),
        curve_upper=_listed(curves[2]),
    )


def _curve(drawn: DrawnQuality) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Dice at the middle of each bin between the first slice read (0) and the last (1)."""
    place = np.linspace(0.0, 1.0, len(drawn.slices))
    return np.interp((np.arange(_BINS) + 0.5) / _BINS, place, drawn.dice)


def _listed(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    return [float(value) for value in values]
