"""The survival models as last steps of a scikit-learn pipeline: `ModelInputs` in, log-risk out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from engram.config import Training
from engram.outcome import SurvivalOutcome
from engram.survival.deepsurv import FittedDeepSurv, fit_deepsurv
from engram.survival.inputs import ModelInputs
from engram.survival.ridge_cox import RidgeCox


class CoxModel(BaseEstimator):  # type: ignore[misc]
    """Ridge Cox on the covariates. After `fit`: cox_, and notes_ (none)."""

    def __init__(self, penalty: float) -> None:
        self.penalty = penalty

    def fit(self, inputs: ModelInputs, y: npt.NDArray[np.void]) -> CoxModel:
        """y: structured (event, time). Raises CohortError where the fit fails."""
        self.cox_ = RidgeCox(self.penalty).fit(_covariates(inputs), y)
        self.notes_: tuple[str, ...] = ()
        return self

    def predict(self, inputs: ModelInputs) -> npt.NDArray[np.float64]:
        """Log-risk (n,), higher is worse."""
        return self.cox_.predict(_covariates(inputs))


class DeepSurvModel(BaseEstimator):  # type: ignore[misc]
    """DeepSurv on whatever the inputs hold. After `fit`: fitted_, and notes_ on its training."""

    def __init__(self, settings: Training, time_quantiles: int, seed: int) -> None:
        self.settings, self.time_quantiles, self.seed = settings, time_quantiles, seed

    def fit(self, inputs: ModelInputs, y: npt.NDArray[np.void]) -> DeepSurvModel:
        """y: structured (event, time). Raises CohortError where there is nothing to learn from."""
        outcome = SurvivalOutcome.from_structured(y)
        self.fitted_: FittedDeepSurv = fit_deepsurv(
            inputs, outcome, self.settings, self.seed, time_quantiles=self.time_quantiles
        )
        self.notes_ = self.fitted_.notes
        return self

    def predict(self, inputs: ModelInputs) -> npt.NDArray[np.float64]:
        """Log-risk (n,), higher is worse."""
        return self.fitted_.predict(inputs)


def _covariates(inputs: ModelInputs) -> npt.NDArray[Any]:
    if inputs.clinical is None:
        raise ValueError("ridge Cox needs covariates")
    return inputs.clinical
