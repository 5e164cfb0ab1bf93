"""Where the two columns meet: the study table from the cohort and the embedding store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from engram.cohort.records import PatientRecord
from engram.config import StudyConfig
from engram.memory.store import EmbeddingStore
from engram.outcome import SurvivalOutcome
from engram.pipeline.embedded import Embedded
from engram.table import EmbeddingKey, PatientFeatures, StudyTable

FINAL_ENTRIES = 2  # "memory layers" of the paper's 2 x 32 x 64 x 64


@dataclass(frozen=True)
class AssembledTable:
    """The study table. padded: embeddings that had fewer entries than the read-out takes."""

    table: StudyTable
    padded: int


def study_table(config: StudyConfig, records: Sequence[PatientRecord], embedded: Embedded | None) -> AssembledTable:
    """One row a patient, in the order of the manifest. Raises StorageError where an embedding cannot be read."""
    covariates = pd.DataFrame(
        [[record.covariates[name] for name in config.covariates] for record in records],
        columns=list(config.covariates),
    )
    outcome = SurvivalOutcome(
        np.array([r.event for r in records], dtype=bool), np.array([r.time for r in records]), config.outcome.unit
    )
    memories = _memories(config, records, embedded) if embedded is not None else {}
    embeddings = {key: np.stack([final_entries(memory) for memory in found]) for key, found in memories.items()}
    features = PatientFeatures(tuple(r.patient_id for r in records), covariates, embeddings)
    padded = sum(len(memory) < FINAL_ENTRIES for found in memories.values() for memory in found)
    return AssembledTable(StudyTable(features, outcome), padded)


def _memories(
    config: StudyConfig, records: Sequence[PatientRecord], embedded: Embedded
) -> dict[EmbeddingKey, list[npt.NDArray[np.float32]]]:
    store = EmbeddingStore(config.store_dir)
    return {
        EmbeddingKey(modality, roi): [
            store.load(embedded.keys[record.patient_id][f"{modality}|{roi}"]).memory for record in records
        ]
        for modality in config.modalities
        for roi in config.rois
    }


def final_entries(memory: npt.NDArray[np.float32], entries: int = FINAL_ENTRIES) -> npt.NDArray[np.float32]:
    """The last `entries` memory entries (entries, channels, h, w), zeros in front where there are fewer (paper
    2.3.1: cropped or padded)."""
    kept = memory[-entries:]
    missing = entries - len(kept)
    return np.pad(kept, [(missing, 0), (0, 0), (0, 0), (0, 0)])
