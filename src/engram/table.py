"""The study table: the one record at which the image column and the statistics column meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from engram.array_covariates import covariate_columns, declared_covariates
from engram.array_embeddings import MAP, VECTOR, checked_embedding
from engram.array_leaks import check_covariates_tell_nothing, check_embedding_tells_nothing
from engram.array_outcome import checked_outcome
from engram.arrays import checked_groups, checked_ids, checked_order, in_order_of_ids
from engram.config import Covariate
from engram.config_embedding import ReadOutName
from engram.errors import ConfigError
from engram.outcome import SurvivalOutcome

# What a patient's embedding is: memory entries, which a CNN reads as maps, or a vector of numbers.
OWN_MAP: Final = "map"  # maps of the user's own, which no reading of ours made
OWN_VECTOR: Final = "vector"  # and vectors
OWN: Final = (OWN_MAP, OWN_VECTOR)
NOWHERE: Final = "-"  # their region
MAP_READOUTS: Final[tuple[str, ...]] = ("final", "volume_map", OWN_MAP)
VECTOR_READOUTS: Final[tuple[ReadOutName, ...]] = tuple(
    name for name in get_args(ReadOutName) if name not in MAP_READOUTS
)
PET_NUMBERS: Final = (
    "pet_numbers"  # what nuclear medicine measures in a region, no memory of a model: a vector, too
)
RADIOMICS: Final = "radiomics"  # IBSI features of a region, made by another tool: a vector
ENCODERS: Final = ("resnet50", "vit", "hiera")  # image encoders without a memory, pooled inside the region: vectors
BASELINES: Final = (PET_NUMBERS, RADIOMICS, *ENCODERS)
READOUTS: Final = (*MAP_READOUTS, *VECTOR_READOUTS, *BASELINES, OWN_VECTOR)
# Where NaN has a meaning: the patient has no such region, or no such number.
MAY_LACK: Final = ("regions", PET_NUMBERS, RADIOMICS)
_NO_NAMES: Final = frozenset({"clinical", NOWHERE, *READOUTS})


class EmbeddingKey(NamedTuple):
    """Names one embedding of every patient."""

    modality: str  # "PET" or "CT", or the name of an embedding of the user's
    roi: str
    readout: str = "final"  # one of READOUTS

    @property
    def called(self) -> str:
        """Its name in rows: the user's, or as 'PET spine volume'."""
        return self.modality if self.readout in OWN else " ".join(self)


FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PatientFeatures:
    """All that a model may look at: no outcome in it.

    ids: n patient ids, unique.
    covariates: (n, p) raw, un-imputed covariates; columns are named by the study file.
    embeddings: for each key, in the order of `ids`: float32 (n, entries, channels, height, width) for a map
    read-out, (n, p) for a vector read-out (NaN where the patient has no such region or number, in those of
    MAY_LACK).
    declared: what each covariate is, where it was said together with the data; elsewhere the study file says it.
    """

    ids: tuple[str, ...]
    covariates: pd.DataFrame
    embeddings: Mapping[EmbeddingKey, FloatArray] = field(default_factory=dict)
    declared: Mapping[str, Covariate] = field(default_factory=dict)

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
            self.declared,
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

    @classmethod
    def from_arrays(
        cls,
        ids: Sequence[object],
        covariates: pd.DataFrame | None = None,
        outcome: SurvivalOutcome | npt.NDArray[Any] | None = None,
        embeddings: Mapping[str | EmbeddingKey, Any] | None = None,
        *,
        time: Any = None,
        event: Any = None,
        unit: str | None = None,
        kinds: Mapping[str, Covariate] | None = None,
        groups: Sequence[object] | None = None,
        order: Sequence[object] | None = None,
    ) -> StudyTable:
        """A table from what is in memory; everything in the order of `ids`.

        covariates: one row a patient, NaN or None where missing; kinds: what its columns are, see
        `engram.array_covariates`. outcome: a SurvivalOutcome, or a structured array (event, time) with
        `unit`; or give time (greater than zero), event (1 where it was observed) and unit (days, weeks, months or
        years). embeddings: by a name of yours or by an EmbeddingKey, numbers (n, p), or maps (n, h, w) or
        (n, entries, channels, h, w); kept as float32. groups, order: for splits by site or time, see StudyTable;
        order may be dates. A column that says exactly what the outcome says is refused.
        Raises ConfigError, or the PatientError of whoever has a value that cannot be used.
        """
        known = checked_ids(ids)
        frame = pd.DataFrame(index=range(len(known))) if covariates is None else covariates
        in_order_of_ids("covariates", frame, known)
        declared = declared_covariates(frame, kinds or {})
        frame = covariate_columns(frame, declared, known)
        found = dict(_named(name, array, known) for name, array in (embeddings or {}).items())
        what = checked_outcome(known, outcome, time=time, event=event, unit=unit)
        check_covariates_tell_nothing(frame, declared, what)
        for key, array in found.items():
            check_embedding_tells_nothing(key.called, array, what)
        sites = None if groups is None else checked_groups(groups, known)
        times = None if order is None else checked_order(order, known)
        return cls(PatientFeatures(known, frame, found, declared), what, sites, times)


def _named(name: str | EmbeddingKey, array: Any, ids: Sequence[str]) -> tuple[EmbeddingKey, FloatArray]:
    """An embedding under its key: the one given, or one of the user's own."""
    if isinstance(name, EmbeddingKey):
        return name, _of_key(name, array, ids)
    if not isinstance(name, str) or name != name.strip() or not name or name.lower() in _NO_NAMES:
        raise ConfigError(_no_name(name))
    if set(name) & set("+,."):
        raise ConfigError(_no_name(name))
    found = checked_embedding(name, array, ids)
    return EmbeddingKey(name, NOWHERE, OWN_MAP if found.ndim == 5 else OWN_VECTOR), found


def _of_key(key: EmbeddingKey, array: Any, ids: Sequence[str]) -> FloatArray:
    if key.readout not in READOUTS:
        raise ConfigError(f"embedding {key}: unknown read-out; there are {', '.join(READOUTS)}.")
    axes = MAP if key.readout in MAP_READOUTS else VECTOR
    return checked_embedding(key.called, array, ids, axes=axes, may_lack=key.readout in MAY_LACK)


def _no_name(name: object) -> str:
    return (
        f"embedding {name!r}: not a name for it. Take a text without '+', ',' and '.' that is none of "
        f"{', '.join(sorted(_NO_NAMES))}, or an engram.table.EmbeddingKey."
    )
