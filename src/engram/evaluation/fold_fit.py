"""One model on one fold. What can fit has no way to see a test patient: it is given the training table alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline

from engram.config import StudyConfig
from engram.errors import CohortError
from engram.evaluation.fingerprint import fingerprint
from engram.evaluation.preprocess import build_pipeline, keys_of, seen_covariates
from engram.evaluation.rows import DEEPSURV, GATE, RowSpec
from engram.evaluation.trials import Judged
from engram.outcome import SurvivalOutcome
from engram.survival.deepsurv import SplitPatients, best_epochs_and_risks
from engram.survival.metrics import harrell_c
from engram.survival.splits import Fold
from engram.table import PatientFeatures, StudyTable

DIVERGED = "the training diverged, a risk is not finite. Set a lower training.learning_rate."
RiskArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FittedModel:
    """A row fitted on training patients. notes: what was dropped, how the training went."""

    pipeline: Pipeline
    notes: tuple[str, ...]

    def predict(self, features: PatientFeatures) -> RiskArray:
        """Log-risk (n,), higher is worse."""
        return np.asarray(self.pipeline.predict(features), dtype=np.float64)

    def gate(self, features: PatientFeatures) -> RiskArray | None:
        """The share of PET (n,) in each patient's mixture; None where the row has no gate."""
        preprocess, survival = self.pipeline.named_steps.values()
        share: RiskArray | None = survival.gate(preprocess.transform(features))
        return share


@dataclass(frozen=True)
class FoldRisks:
    """Risks of the test and of the training patients of a fold, each in the order of the fold's index.

    gate: share of PET in the mixture of each test patient; None where the row has no gate. fingerprint: of the
    fitted pipeline with its settings, bit for bit.
    """

    test_risk: RiskArray
    train_risk: RiskArray
    notes: tuple[str, ...]
    gate: RiskArray | None = None
    fingerprint: str = ""


@dataclass(frozen=True)
class FoldResult:
    """What one row gives on one fold. c_index: Harrell's on the test patients, None without comparable pairs; gate:
    as of `FoldRisks`."""

    test_risk: RiskArray
    train_risk: RiskArray
    c_index: float | None
    notes: tuple[str, ...]
    gate: RiskArray | None = None
    fingerprint: str = ""


def job_seed(seed: int, row: str, fold: int) -> int:
    """The seed of one row on one fold; it does not depend on which other rows run, nor where."""
    sha = hashlib.sha256(f"{seed}|{row}|{fold}".encode()).digest()
    return int.from_bytes(sha[:4], "big")


def visible(features: PatientFeatures, spec: RowSpec) -> PatientFeatures:
    """Only what a row is meant to see: no covariate for an image row, no other region or modality."""
    covariates = features.covariates[seen_covariates(spec, list(features.covariates.columns))]
    embeddings = {key: array for key, array in features.embeddings.items() if key in keys_of(spec)}
    return PatientFeatures(features.ids, covariates, embeddings)


def fit_model(
    training: StudyTable, spec: RowSpec, config: StudyConfig, *, seed: int, epochs: int | None = None
) -> FittedModel:
    """Fit a row on these patients. epochs: how long DeepSurv trains, where tuning has found it; by default an inner
    split tells. Raises the errors of preprocessing and of the survival models."""
    pipeline = build_pipeline(spec, config, seed=seed, epochs=epochs)
    pipeline.fit(visible(training.features, spec), training.outcome.to_structured())
    notes = pipeline.named_steps["preprocess"].notes_ + pipeline.named_steps["survival"].notes_
    return FittedModel(pipeline, notes)


def fold_risks(
    training: StudyTable,
    test: PatientFeatures,
    spec: RowSpec,
    config: StudyConfig,
    *,
    seed: int,
    epochs: int | None = None,
) -> FoldRisks:
    """Fit on `training`, then predict both. `test` has no outcome in it. epochs: as of `fit_model`."""
    model = fit_model(training, spec, config, seed=seed, epochs=epochs)
    made = fingerprint(model.pipeline)  # before it sees a test patient
    seen, shown = visible(training.features, spec), visible(test, spec)
    train_risk, test_risk = model.predict(seen), model.predict(shown)
    if not (np.isfinite(test_risk).all() and np.isfinite(train_risk).all()):
        raise CohortError(DIVERGED)
    gate = model.gate(shown) if spec.fusion == GATE else None
    return FoldRisks(test_risk, train_risk, model.notes, gate, made)


@dataclass(frozen=True)
class InnerSplit:
    """Two parts of one training part, for tuning. seed: of the model that is fitted on the first."""

    training: StudyTable
    validation: StudyTable
    seed: int


def validated(splits: Sequence[InnerSplit], spec: RowSpec, config: StudyConfig) -> list[Judged]:
    """How well a row fitted on each `training` ranks its `validation`.

    DeepSurv, one network a split here, stops early where it does best on `validation`. Networks that can be stacked
    are trained side by side, so that the last bits of a result depend on all the splits.
    """
    if spec.survival != DEEPSURV:
        return [_validated_cox(split, spec, config) for split in splits]
    design = build_pipeline(spec, config, seed=0).named_steps["survival"].design
    ready = [_made_ready(split, spec, config) for split in splits]
    known = [(one, split.seed) for one, split in zip(ready, splits, strict=True) if isinstance(one, SplitPatients)]
    parts, seeds = [one for one, _ in known], [seed for _, seed in known]
    looks = iter(best_epochs_and_risks(parts, config.training, seeds, design=design))
    return [one if isinstance(one, Judged) else _ranked(next(looks), one.validation_outcome) for one in ready]


def _made_ready(split: InnerSplit, spec: RowSpec, config: StudyConfig) -> SplitPatients | Judged:
    """Both parts as a network sees them, by statistics of `training`; or why no network can be judged."""
    training, validation = split.training, split.validation
    if not _comparable(validation):
        return Judged(None)
    preprocess = build_pipeline(spec, config, seed=split.seed).named_steps["preprocess"]
    seen, shown = visible(training.features, spec), visible(validation.features, spec)
    try:
        preprocess.fit(seen, training.outcome.to_structured())
        inputs = preprocess.transform(seen), preprocess.transform(shown)
    except CohortError as error:
        return Judged(None, failed=str(error))
    return SplitPatients(inputs[0], training.outcome, inputs[1], validation.outcome)


def _ranked(look: tuple[int, RiskArray] | None, outcome: SurvivalOutcome) -> Judged:
    """How one network did; None where nothing could be learned or nobody be ranked."""
    if look is None:
        return Judged(None)
    epochs, risk = look
    if not np.isfinite(risk).all():
        return Judged(None, failed=DIVERGED)
    return Judged(harrell_c(risk, outcome), epochs)


def _validated_cox(split: InnerSplit, spec: RowSpec, config: StudyConfig) -> Judged:
    training, validation = split.training, split.validation
    if not _comparable(validation):
        return Judged(None)
    pipeline = build_pipeline(spec, config, seed=split.seed)
    try:
        pipeline.fit(visible(training.features, spec), training.outcome.to_structured())
        risk = pipeline.predict(visible(validation.features, spec))
    except CohortError as error:
        return Judged(None, failed=str(error))
    if not np.isfinite(risk).all():
        return Judged(None, failed=DIVERGED)
    return Judged(harrell_c(risk, validation.outcome))


def _comparable(table: StudyTable) -> bool:
    return harrell_c(np.zeros(len(table)), table.outcome) is not None


def scored(risks: FoldRisks, table: StudyTable, fold: Fold) -> FoldResult:
    """Add the c-index on the test patients: the first and only look at their outcomes."""
    c_index = harrell_c(risks.test_risk, table.outcome.subset(fold.test_index))
    return FoldResult(risks.test_risk, risks.train_risk, c_index, risks.notes, risks.gate, risks.fingerprint)


def fit_fold(table: StudyTable, spec: RowSpec, fold: Fold, config: StudyConfig, *, number: int = 0) -> FoldResult:
    """One row on one fold, in this process and without a cache. number: of the fold, for the seed."""
    seed = job_seed(config.evaluation.seed, spec.name, number)
    training, test = table.subset(fold.train_index), table.features.subset(fold.test_index)
    return scored(fold_risks(training, test, spec, config, seed=seed), table, fold)
