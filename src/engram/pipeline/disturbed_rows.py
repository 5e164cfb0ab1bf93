"""Every variant against the study's own reading: embeddings patient by patient, then rows on the same folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from engram.config import StudyConfig
from engram.config_robustness import ModelUse
from engram.errors import CohortError
from engram.evaluation.disturbed import (
    OtherReading,
    PairedRisks,
    c_index_change,
    frozen_risks,
    restricted,
    retrained_risks,
)
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.fold_jobs import averaged, fold_outcomes
from engram.evaluation.multiplicity import benjamini_hochberg
from engram.evaluation.preprocess import keys_of
from engram.evaluation.protocols import headline_rows
from engram.evaluation.robustness_records import CIndexChange, VariantResult
from engram.evaluation.rows import RowSpec
from engram.evaluation.statistics import held_out_ratio
from engram.evaluation.variants import is_cheap
from engram.explain.prompt_variants import PromptVariant
from engram.jobs import Progress
from engram.memory.store import EmbeddingStore
from engram.pipeline.console import Console
from engram.pipeline.disturbed import LeftOut
from engram.pipeline.folders import RunFolder
from engram.pipeline.reading_agreement import ReadingAgreement, agreements, write_patients
from engram.pipeline.study_table import entries_of, last_entries
from engram.survival.splits import Fold
from engram.table import MAP_READOUTS, EmbeddingKey, StudyTable

Keys = dict[str, dict[EmbeddingKey, str]]  # patient -> embedding -> its address
Float32 = npt.NDArray[np.float32]

_FEWEST = 0.5  # share of the patients that a variant must be made of, to be compared at all


def protocol_of_rows(config: StudyConfig) -> Literal["fixed", "nested"]:
    """How the settings of rows are found: as in the study. But what was tuned on the test folds is not taken, for
    these are to judge."""
    return "nested" if config.tuning.headline == "nested" else "fixed"


def under_protocol(config: StudyConfig) -> StudyConfig:
    """The study under that protocol alone."""
    tuning = config.tuning.model_copy(update={"protocols": (protocol_of_rows(config),)})
    return config.model_copy(update={"tuning": tuning})


@dataclass(frozen=True, eq=False)
class Disturbances:
    """What is compared. table: of the study; specs: rows of it, on `folds`. keys: of each variant. left_out: where
    a variant could not be made."""

    config: StudyConfig
    table: StudyTable
    specs: Sequence[RowSpec]
    folds: Sequence[Fold]
    variants: Sequence[PromptVariant]
    keys: Mapping[str, Keys]
    left_out: Sequence[LeftOut]

    @property
    def rois(self) -> list[str]:
        """Regions of the rows, in their order."""
        return list(dict.fromkeys(spec.roi for spec in self.specs))

    def present(self, variant: PromptVariant, roi: str) -> npt.NDArray[np.intp]:
        """Positions of the patients of whom the variant could be made."""
        gone = {one.patient_id for one in self.left_out if (one.variant, one.roi) == (variant.name, roi)}
        return np.array([i for i, one in enumerate(self.table.features.ids) if one not in gone], dtype=np.intp)


def compared(given: Disturbances, *, workers: int, console: Console) -> list[VariantResult]:
    """Every variant in its order; writes sensitivity_patients.csv, where patients are numbers. Raises as
    'engram evaluate'."""
    fits = {"frozen": 1, "retrained": len(given.variants) + 1}
    runs = len(given.rois) * sum(fits[model] for model in given.config.robustness.models)
    found: list[_OfRegion] = []
    with console.stage("Comparing rows") as tell:
        work = _Work(given, workers, tell, runs)
        for roi in given.rois:
            found += _Region(given, roi, work).compared()
        tell(runs, runs)
    write_patients(
        [one for part in found for one in part.agreements], RunFolder.of(given.config).sensitivity_patients
    )
    return _adjusted([_joined(given, variant, found) for variant in given.variants])


@dataclass(frozen=True, eq=False)
class _OfRegion:
    """What was found of one variant and region. absent: why there are no numbers, or not all."""

    variant: str
    agreements: list[ReadingAgreement]
    changes: list[CIndexChange]
    absent: list[str]


class _Work:
    """Runs rows as the study does, and counts the runs as one stage."""

    def __init__(self, given: Disturbances, workers: int, tell: Progress, runs: int) -> None:
        self._config = under_protocol(given.config)
        self._workers, self._tell, self._runs, self._done = workers, tell, runs, 0

    def run(self, table: StudyTable, specs: Sequence[RowSpec], folds: Sequence[Fold]) -> list[list[FoldResult]]:
        """Each row on each fold. Rows that train in milliseconds are not worth the start of a worker."""

        def progress(done: float, of: int) -> None:
            self._tell(min(self._done + done / of, self._runs), self._runs)

        cache = RunFolder.of(self._config).folds
        workers = 0 if all(is_cheap(spec) for spec in specs) else self._workers
        found = headline_rows(
            table, specs, folds, self._config, workers=workers, cache_dir=cache, progress=progress
        )
        self._done += 1
        return found


class _Region:
    """The rows of one region under every variant."""

    def __init__(self, given: Disturbances, roi: str, work: _Work) -> None:
        self._given, self._roi, self._work = given, roi, work
        self._specs = [spec for spec in given.specs if spec.roi == roi]
        self._keys = list(dict.fromkeys(key for spec in self._specs for key in keys_of(spec)))
        embeddings = {key: given.table.features.embeddings[key] for key in self._keys}
        self._own = self._slim(_with(given.table, embeddings))

    def compared(self) -> list[_OfRegion]:
        """One item a variant."""
        found, readings = [], []
        for variant in self._given.variants:
            present = self._given.present(variant, self._roi)
            one = _OfRegion(variant.name, [], [], self._too_few(present))
            found.append(one)
            if not one.absent:
                embeddings = self._embeddings(variant, present)
                one.agreements.extend(agreements(variant.name, self._specs, self._given.table, present, embeddings))
                table = self._slim(_with(self._given.table.subset(present), embeddings))
                readings.append(OtherReading(variant.name, present, table))
        parts = {one.variant: one for one in found}
        for model in self._given.config.robustness.models:
            for name, changes in self._frozen(readings) if model == "frozen" else self._retrained(readings, parts):
                parts[name].changes.extend(changes)
        return found

    def _too_few(self, present: npt.NDArray[np.intp]) -> list[str]:
        """Why a variant is not compared, empty where it is."""
        n, least = len(self._given.table), 2 * len(self._given.folds)
        if len(present) >= max(_FEWEST * n, least):
            return []
        return [f"{self._roi}: could be made of {len(present)} of {n} patients, too few to be compared"]

    def _embeddings(self, variant: PromptVariant, present: npt.NDArray[np.intp]) -> dict[EmbeddingKey, Float32]:
        """Of these patients, each (n, ...) as in the study table. Raises StorageError."""
        store, entries = EmbeddingStore(self._given.config.store_dir), entries_of(self._given.config)
        keys, ids = self._given.keys[variant.name], self._given.table.features.ids

        def one(patient: str, key: EmbeddingKey) -> Float32:
            arrays = store.load(keys[patient][key]).arrays
            array = np.asarray(arrays["memory" if key.readout in MAP_READOUTS else "vector"])
            return last_entries(array, entries) if key.readout == "final" else array

        return {key: np.stack([one(ids[i], key) for i in present]) for key in self._keys}

    def _slim(self, table: StudyTable) -> StudyTable:
        """Of memories their mean alone, which is all that most rows see and a hundredth of the size."""
        whole = any(spec.reads_memory for spec in self._specs)
        return table if whole else averaged(table, self._given.config)

    def _frozen(self, readings: Sequence[OtherReading]) -> Iterator[tuple[str, list[CIndexChange]]]:
        found = (
            frozen_risks(self._own, readings, self._specs, self._given.folds, self._work.run) if readings else []
        )
        for reading, risks in zip(readings, found, strict=True):
            yield reading.name, self._changes("frozen", risks, self._given.folds)

    def _retrained(
        self, readings: Sequence[OtherReading], parts: Mapping[str, _OfRegion]
    ) -> Iterator[tuple[str, list[CIndexChange]]]:
        """A variant that leaves too few events of some fold says so and stops no other."""
        mine: dict[bytes, list[list[FoldResult]]] = {}
        for reading in readings:
            who = reading.index.tobytes()
            folds = restricted(self._given.folds, reading.index, len(self._own))
            try:
                if who not in mine:
                    mine[who] = self._work.run(self._own.subset(reading.index), self._specs, folds)
                theirs = self._work.run(reading.table, self._specs, folds)
            except CohortError as error:
                parts[reading.name].absent.append(f"{self._roi}, retrained: {error}")
                continue
            risks = retrained_risks(mine[who], theirs, fold_outcomes(reading.table, folds))
            yield reading.name, self._changes("retrained", risks, folds)

    def _changes(self, model: ModelUse, risks: Sequence[PairedRisks], folds: Sequence[Fold]) -> list[CIndexChange]:
        ratio, seed = held_out_ratio(folds), self._given.config.evaluation.seed
        return [
            c_index_change(spec.name, model, of_row, held_out_ratio=ratio, seed=seed)
            for spec, of_row in zip(self._specs, risks, strict=True)
        ]


def _with(table: StudyTable, embeddings: Mapping[EmbeddingKey, Float32]) -> StudyTable:
    return replace(table, features=replace(table.features, embeddings=embeddings))


def _joined(given: Disturbances, variant: PromptVariant, found: Sequence[_OfRegion]) -> VariantResult:
    """One variant over its regions."""
    parts = [one for one in found if one.variant == variant.name]
    reasons = Counter(one.error.reason for one in given.left_out if one.variant == variant.name)
    return VariantResult(
        name=variant.name,
        kind=variant.kind,
        control=variant.control,
        left_out=dict(sorted(reasons.items())),
        absent=[text for part in parts for text in part.absent],
        stability=[one.record for part in parts for one in part.agreements],
        changes=[change for part in parts for change in part.changes],
    )


def _adjusted(variants: Sequence[VariantResult]) -> list[VariantResult]:
    """With p adjusted over all rows and variants of one way of using models; a control asks another question."""
    asked = [(v, i) for v, one in enumerate(variants) if not one.control for i in range(len(one.changes))]
    adjusted: dict[tuple[int, int], float | None] = {}
    for model in ("frozen", "retrained"):
        places = [(v, i) for v, i in asked if variants[v].changes[i].model == model]
        p = benjamini_hochberg([variants[v].changes[i].p_corrected for v, i in places])
        adjusted |= dict(zip(places, p, strict=True))
    return [
        one.model_copy(
            update={
                "changes": [
                    c.model_copy(update={"p_adjusted": adjusted.get((v, i))}) for i, c in enumerate(one.changes)
                ]
            }
        )
        for v, one in enumerate(variants)
    ]
