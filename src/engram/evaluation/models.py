"""The survival models as last steps of a scikit-learn pipeline: `ModelInputs` in, log-risk out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from engram.config_models import Training
from engram.outcome import SurvivalOutcome
from engram.survival.deepsurv import FittedDeepSurv, fit_deepsurv
from engram.survival.inputs import ModelInputs
from engram.survival.network import AVERAGED, Design
from engram.survival.ridge_cox import RidgeCox


class CoxModel(BaseEstimator):  # type: ignore[misc]
    """Ridge Cox on covariates, vectors, or both, under one penalty. After `fit`: cox_, and notes_ (none)."""

    def __init__(self, penalty: float) -> None:
        self.penalty = penalty

    def fit(self, inputs: ModelInputs, y: npt.NDArray[np.void]) -> CoxModel:
        """y: structured (event, time). Raises CohortError where the fit fails."""
        self.cox_ = RidgeCox(self.penalty).fit(inputs.columns, y)
        self.notes_: tuple[str, ...] = ()
        return self

    def predict(self, inputs: ModelInputs) -> npt.NDArray[np.float64]:
        """Log-risk (n,), higher is worse."""
        return self.cox_.predict(inputs.columns)

    def gate(self, inputs: ModelInputs) -> None:  # noqa: ARG002
        """No gate: None."""
        return


class DeepSurvModel(BaseEstimator):  # type: ignore[misc]
    """DeepSurv on covariates, images, vectors, or covariates beside one of these. After `fit`: fitted_, and notes_
    on its training. epochs: how long to train; None: as inner splits of the training patients say."""

    def __init__(
        self,
        settings: Training,
        time_quantiles: int,
        seed: int,
        design: Design = AVERAGED,
        epochs: int | None = None,
    ) -> None:
        self.settings, self.time_quantiles, self.seed = settings, time_quantiles, seed
        self.design, self.epochs = design, epochs

    def fit(self, inputs: ModelInputs, y: npt.NDArray[np.void]) -> DeepSurvModel:
        """y: structured (event, time). Raises CohortError where there is nothing to learn from."""
        self.fitted_: FittedDeepSurv = fit_deepsurv(
            inputs,
            SurvivalOutcome.from_structured(y),
            self.settings,
            self.seed,
            time_quantiles=self.time_quantiles,
            design=self.design,
            epochs=self.epochs,
        )
        self.notes_ = self.fitted_.notes
        return self

    def predict(self, inputs: ModelInputs) -> npt.NDArray[np.float64]:
        """Log-risk (n,), higher is worse."""
        return self.fitted_.predict(inputs)

    def gate(self, inputs: ModelInputs) -> npt.NDArray[np.float64] | None:
        """The share of PET (n,) in each patient's mixture; None without a gate."""
        return self.fitted_.gate(inputs)
