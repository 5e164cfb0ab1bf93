"""The study table: the one record at which the image column and the statistics column meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from engram.config_embedding import ReadOutName
from engram.outcome import SurvivalOutcome

# What a patient's embedding is: memory entries, which a CNN reads as maps, or a vector of numbers.
MAP_READOUTS: Final[tuple[ReadOutName, ...]] = ("final", "volume_map")
VECTOR_READOUTS: Final[tuple[ReadOutName, ...]] = tuple(
    name for name in get_args(ReadOutName) if name not in MAP_READOUTS
)
PET_NUMBERS: Final = (
    "pet_numbers"  # what nuclear medicine measures in a region, no memory of a model: a vector, too
)
RADIOMICS: Final = "radiomics"  # IBSI features of a region, made by another tool: a vector
ENCODERS: Final = ("resnet50", "vit", "hiera")  # image encoders without a memory, pooled inside the region: vectors
BASELINES: Final = (PET_NUMBERS, RADIOMICS, *ENCODERS)
READOUTS: Final = (*MAP_READOUTS, *VECTOR_READOUTS, *BASELINES)


class EmbeddingKey(NamedTuple):
    """Names one embedding of every patient."""

    modality: str  # "PET" or "CT"
    roi: str
    readout: str = "final"  # one of READOUTS


FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PatientFeatures:
    """All that a model may look at: no outcome in it.

    ids: n patient ids, unique.
    covariates: (n, p) raw, un-imputed covariates; columns are named by the study file.
    embeddings: for each key, in the order of `ids`: float32 (n, entries, channels, height, width) for a map
    read-out, (n, p) for a vector read-out (NaN: the patient has no such region, or number; `regions` and
    `pet_numbers` only).
    """

    ids: tuple[str, ...]
    covariates: pd.DataFrame
    embeddings: Mapping[EmbeddingKey, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.ids)
        if len(set(self.ids)) != n:
            raise ValueError("patient ids must be unique")
        if len(self.covariates) != n:
            raise ValueError(f"{len(self.covariates)} rows of covariates for {n} patients")
        for key, array in self.embeddings.items():
            _check_shape(key, array, n)

    def __len__(self) -> int:
        return len(self.ids)

    def subset(self, index: npt.NDArray[np.intp]) -> PatientFeatures:
        """The patients of `index`, in that order, as a copy that shares no memory with the whole."""
        return PatientFeatures(
            tuple(self.ids[i] for i in index),
            self.covariates.iloc[index].reset_index(drop=True).copy(),
            {key: array[index] for key, array in self.embeddings.items()},
        )


def _check_shape(key: EmbeddingKey, array: FloatArray, n: int) -> None:
    if key.readout not in READOUTS:
        raise ValueError(f"embedding {key}: unknown read-out; there are {', '.join(READOUTS)}")
    ndim, expected = (5, f"({n}, entries, channels, h, w)") if key.readout in MAP_READOUTS else (2, f"({n}, p)")
    if array.ndim != ndim or array.shape[0] != n:
        raise ValueError(f"embedding {key}: expected {expected}, got {array.shape}")


@dataclass(frozen=True)
class StudyTable:
    """One row a patient: what a model may see (`features`) and what happened (`outcome`).

    groups, order: the site of each patient (n,), and a finite number (n,) that is higher for patients of later: the
    folds are made from them, and no model sees them.
    """

    features: PatientFeatures
    outcome: SurvivalOutcome
    groups: tuple[str, ...] | None = None
    order: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        n = len(self.features)
        if n != len(self.outcome):
            raise ValueError(f"{n} patients but {len(self.outcome)} outcomes")
        for name, values in (("groups", self.groups), ("order", self.order)):
            if values is not None and len(values) != n:
                raise ValueError(f"{n} patients but {len(values)} values of {name}")
        if self.order is not None and not np.isfinite(self.order).all():
            raise ValueError("every value of order must be finite")

    def __len__(self) -> int:
        return len(self.outcome)

    def subset(self, index: npt.NDArray[np.intp] | Sequence[int]) -> StudyTable:
        """The patients of `index`, in that order, as a copy that shares no memory with the whole."""
        chosen = np.asarray(index, dtype=np.intp)
        groups = None if self.groups is None else tuple(self.groups[i] for i in chosen)
        order = None if self.order is None else tuple(self.order[i] for i in chosen)
        return StudyTable(self.features.subset(chosen), self.outcome.subset(chosen), groups, order)
