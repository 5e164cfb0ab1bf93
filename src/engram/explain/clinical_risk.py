"""The risk of one patient as a function of the clinical columns alone, his images staying as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from engram.errors import ConfigError
from engram.evaluation.models import CoxModel
from engram.evaluation.preprocess import Preprocess
from engram.explain.fold_model import FoldModel
from engram.survival.deepsurv import FittedDeepSurv
from engram.survival.inputs import ModelInputs
from engram.survival.network import Batch

Float64 = npt.NDArray[np.float64]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ClinicalRisk:
    """Log-risk of a patient with other clinical columns, as a model sees them (encoded and scaled).

    Towers are passed once: many thousand columns cost what the last layers cost.
    """

    model: CoxModel | FittedDeepSurv
    patient: ModelInputs

    @classmethod
    def of(cls, model: FoldModel, patient: ModelInputs) -> ClinicalRisk:
        """patient: what the model is given of one patient, as of `FoldModel.inputs`."""
        survival = model.fitted.pipeline.named_steps["survival"]
        return cls(survival if isinstance(survival, CoxModel) else survival.fitted_, patient)

    def __call__(self, clinical: FloatArray) -> Float64:
        """clinical: float32 (m, c). Gives (m,), higher is worse."""
        if isinstance(self.model, CoxModel):
            vectors = {k: np.repeat(one, len(clinical), axis=0) for k, one in self.patient.vectors.items()}
            return self.model.predict(ModelInputs(clinical, vectors=vectors))
        return self._of_networks(self.model, clinical)

    @torch.no_grad()
    def _of_networks(self, fitted: FittedDeepSurv, clinical: FloatArray) -> Float64:
        batch, columns = Batch(self.patient), torch.from_numpy(clinical)
        risks = []
        for net in fitted.nets:
            vectors = [one.expand(len(columns), -1) for one in net.eval().vectors(batch)]
            risks.append(net.risk(net.fusion(vectors, columns)).double().numpy())
        return np.asarray(np.mean(risks, axis=0), dtype=np.float64)


def clinical_columns(inputs: ModelInputs) -> FloatArray:
    """The clinical columns (n, c) of some patients. Raises ConfigError where the model sees none."""
    if inputs.clinical is None:
        raise ConfigError("a model without covariates has no values of them. Take a row that sees covariates.")
    return inputs.clinical


def columns_of_covariates(model: FoldModel) -> dict[str, BoolArray]:
    """Which clinical columns (c,) each declared covariate that the row sees has become, in the order of the study
    file; none for one that was dropped. Raises ConfigError where the row sees no covariate."""
    preprocess: Preprocess = model.fitted.pipeline.named_steps["preprocess"]
    if preprocess.columns_ is None:
        raise ConfigError(
            f"row '{model.spec.name}' sees no covariates. Take a row of the family 'clinical' or 'multimodal'."
        )
    made = np.full(len(preprocess.kept_), "", dtype=object)
    for number, _, (name,) in preprocess.columns_.transformers_:
        made[preprocess.columns_.output_indices_[number]] = name
    kept = made[preprocess.kept_]
    return {name: np.asarray(kept == name, dtype=np.bool_) for name in preprocess.covariates}
