"""The model of one fold, for those whom it never trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.config import StudyConfig
from engram.errors import CohortError
from engram.evaluation.fold_fit import FittedModel, visible
from engram.evaluation.models import DeepSurvModel
from engram.evaluation.preprocess import keys_of
from engram.evaluation.rows import RowSpec
from engram.jobs import torch_threads
from engram.survival.deepsurv import FittedDeepSurv
from engram.survival.inputs import ModelInputs
from engram.survival.splits import Fold
from engram.table import EmbeddingKey, FloatArray, PatientFeatures

RiskArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class FoldModel:
    """One row on one fold.

    config: the study's, with the settings of `training` that this model has. number: of the fold, from 0.
    train_ids, test_ids: in the order of the fold's index. test_risk: log-risk (n,) of the test patients as the
    study has it, higher is worse. fingerprint: of the fitted pipeline, before it saw a test patient.
    control: what was spoiled on purpose, for a sanity check; None for the model of the study.
    """

    spec: RowSpec
    config: StudyConfig
    number: int
    fold: Fold
    seed: int
    fitted: FittedModel
    train_ids: tuple[str, ...]
    test_ids: tuple[str, ...]
    test_risk: RiskArray
    fingerprint: str
    control: str | None = None

    @property
    def test_index(self) -> IndexArray:
        """Positions in the table of the patients who were held out."""
        return self.fold.test_index

    @property
    def train_index(self) -> IndexArray:
        """Positions in the table of the patients who trained it."""
        return self.fold.train_index

    @property
    def deepsurv(self) -> FittedDeepSurv | None:
        """Its networks; None for ridge Cox."""
        survival = self.fitted.pipeline.named_steps["survival"]
        return survival.fitted_ if isinstance(survival, DeepSurvModel) else None

    @property
    def epochs(self) -> int | None:
        """How long its networks were trained; None for ridge Cox."""
        return None if self.deepsurv is None else self.deepsurv.epochs

    def risk(self, features: PatientFeatures, *, allow_training: bool = False) -> RiskArray:
        """Log-risk (n,), higher is worse.

        Patients are predicted one at a time, on one thread: a risk is the same to the last bit whoever else is
        asked for. It may differ from `test_risk`, which is of all test patients at once, by the rounding of
        float32 (2e-5 of the risks' spread was the most seen): take differences of what this gives. Raises
        CohortError where one of them trained this model.
        """
        self._check(features.ids, allow_training=allow_training)
        seen = visible(features, self.spec)
        with torch_threads(1):
            risks = [self.fitted.predict(seen.subset(np.array([i]))) for i in range(len(seen))]
        return np.concatenate(risks) if risks else np.empty(0)

    def risk_of_versions(
        self,
        patient: PatientFeatures,
        changed: Mapping[EmbeddingKey, FloatArray],
        *,
        allow_training: bool = False,
    ) -> RiskArray:
        """Log-risk (n,) of n versions of one patient whose covariates, and embeddings that are not named, stay.

        patient: one alone. changed: the n versions of an embedding, (n, ...) each, as the table has them; several
        are changed together. Raises ValueError where they do not go together or the row sees none of them, and
        CohortError as `risk`.
        """
        numbers = {len(array) for array in changed.values()}
        if len(patient) != 1 or len(numbers) != 1:
            raise ValueError(f"expected versions of one patient, got {len(patient)} patients, {numbers} versions")
        unseen = changed.keys() - set(keys_of(self.spec))
        if unseen:
            raise ValueError(f"row '{self.spec.name}' does not see {sorted(unseen)}")
        versions = [
            PatientFeatures(
                patient.ids,
                patient.covariates,
                {**patient.embeddings, **{key: array[i : i + 1] for key, array in changed.items()}},
                patient.declared,
            )
            for i in range(numbers.pop())
        ]
        risks = [self.risk(version, allow_training=allow_training) for version in versions]
        return np.concatenate(risks) if risks else np.empty(0)

    def inputs(self, features: PatientFeatures, *, allow_training: bool = False) -> ModelInputs:
        """What the survival model is given of these patients. Raises CohortError as `risk`."""
        self._check(features.ids, allow_training=allow_training)
        inputs: ModelInputs = self.fitted.pipeline.named_steps["preprocess"].transform(visible(features, self.spec))
        return inputs

    def _check(self, ids: Sequence[str], *, allow_training: bool) -> None:
        trained = sorted(set(ids).intersection(self.train_ids))
        if trained and not allow_training:
            raise CohortError(
                f"row '{self.spec.name}', fold {self.number + 1}: {len(trained)} of {len(ids)} patients trained "
                f"this model, '{trained[0]}' among them. Explain a patient by the model of the fold that held him "
                "out, whose test_ids name him."
            )
