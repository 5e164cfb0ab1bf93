"""Where the two columns meet: the study table from the cohort and the embedding store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from engram.cohort.records import PatientRecord
from engram.config import StudyConfig
from engram.errors import StorageError
from engram.memory.store import EmbeddingStore
from engram.pipeline.embedded import Embedded
from engram.pipeline.radiomics_table import LoadedRadiomics
from engram.pipeline.regional_pet import RegionalPet, baseline_vectors
from engram.pipeline.requests import request_name
from engram.pipeline.split_table import for_splits, outcome_of
from engram.table import MAP_READOUTS, PET_NUMBERS, EmbeddingKey, PatientFeatures, StudyTable

Float32 = npt.NDArray[np.float32]

_NO_RADIOMICS = LoadedRadiomics({}, {})


@dataclass(frozen=True)
class AssembledTable:
    """The study table. padded: embeddings that had fewer entries than the read-out takes; absent: why others that
    rows ask for are not there."""

    table: StudyTable
    padded: int
    absent: dict[EmbeddingKey, str] = field(default_factory=dict)


def study_table(
    config: StudyConfig,
    records: Sequence[PatientRecord],
    embedded: Embedded | None,
    regional_pet: RegionalPet | None = None,
    radiomics: LoadedRadiomics = _NO_RADIOMICS,
) -> AssembledTable:
    """One row a patient, in the order of the manifest. regional_pet: where the study file asks for that baseline.
    radiomics: of the same patients, in the order of the records.

    Raises StorageError where an embedding cannot be read, or is of other files than the PET numbers, CohortError
    where a patient's PET was not measured.
    """
    if embedded is not None and regional_pet is not None:
        _refuse_other_files(records, embedded, regional_pet)
    covariates = pd.DataFrame(
        [[record.covariates[name] for name in config.covariates] for record in records],
        columns=list(config.covariates),
    )
    loaded = _load(config, records, embedded) if embedded is not None else {}
    entries = entries_of(config)
    embeddings = {
        key: np.stack([last_entries(memory, entries) if key.readout == "final" else memory for memory in found])
        for key, found in loaded.items()
    }
    ids = tuple(record.patient_id for record in records)
    if regional_pet is not None:
        for roi in config.rois:
            embeddings[EmbeddingKey("PET", roi, PET_NUMBERS)] = baseline_vectors(regional_pet.numbers, ids, roi)
    features = PatientFeatures(ids, covariates, {**embeddings, **radiomics.arrays})
    padded = sum(len(m) < entries for key, found in loaded.items() if key.readout == "final" for m in found)
    absent = {**_absent(config, embedded), **radiomics.absent}
    return AssembledTable(StudyTable(features, outcome_of(records, config), *for_splits(records)), padded, absent)


def _absent(config: StudyConfig, embedded: Embedded | None) -> dict[EmbeddingKey, str]:
    """Of encoders whose weights were not on the machine that embedded."""
    return {
        EmbeddingKey(modality, roi, encoder): why
        for encoder, why in (embedded.absent if embedded is not None else {}).items()
        for modality in config.modalities
        for roi in config.rois
    }


def entries_of(config: StudyConfig) -> int:
    """Entries of the final read-out: of each pass, where there are two."""
    return config.embedding.final_entries * (2 if config.embedding.direction == "both" else 1)


def _load(
    config: StudyConfig, records: Sequence[PatientRecord], embedded: Embedded
) -> dict[EmbeddingKey, list[Float32]]:
    store = EmbeddingStore(config.store_dir)

    def one(record: PatientRecord, modality: str, roi: str, readout: str) -> Float32:
        key = embedded.keys[record.patient_id][request_name(modality, roi, readout)]
        return np.asarray(store.load(key).arrays["memory" if readout in MAP_READOUTS else "vector"])

    return {
        EmbeddingKey(modality, roi, readout): [one(record, modality, roi, readout) for record in records]
        for readout in (*config.embedding.readouts, *embedded.encoders)
        for modality in config.modalities
        for roi in config.rois
    }


def _refuse_other_files(records: Sequence[PatientRecord], embedded: Embedded, regional_pet: RegionalPet) -> None:
    """Rows are compared with each other, so all must see the same bytes."""
    for patient in (record.patient_id for record in records):
        read, measured = embedded.digests.get(patient, {}), regional_pet.digests.get(patient, {})
        changed = sorted(use for use in read.keys() | measured.keys() if read.get(use) != measured.get(use))
        if changed:
            raise StorageError(
                f"patient {patient}: {', '.join(changed)}: embeddings and PET numbers are of different files: "
                "replaced between 'engram embed' and 'engram check'. Run 'engram embed' again."
            )


def last_entries(memory: Float32, entries: int) -> Float32:
    """The last `entries` memory entries (entries, channels, h, w), zeros in front where there are fewer (paper
    2.3.1: cropped or padded)."""
    kept = memory[-entries:]
    return np.pad(kept, [(entries - len(kept), 0), (0, 0), (0, 0), (0, 0)])
