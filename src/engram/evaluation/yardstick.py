"""What the training part of a fold fixes before its test patients are measured: weights, horizon, curve to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.evaluation.fold_fit import FoldResult
from engram.outcome import SurvivalOutcome
from engram.survival.baseline import BreslowBaseline
from engram.survival.brier import accuracy_gain, brier_grid, brier_scores, integrated_brier, training_curve
from engram.survival.censoring import Censoring
from engram.survival.discrimination import DynamicAuc, dynamic_auc, uno_c
from engram.survival.measure import Measure
from engram.survival.splits import Fold

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """One row on one test fold. ibs: lower is better; everything else: higher."""

    uno_c: Measure
    auc: DynamicAuc
    ibs: float
    ipa: Measure


@dataclass(frozen=True)
class Yardstick:
    """Outcomes of a fold, and what its training patients fix. grid: times (k,) in months of the Brier score.
    ibs_without_covariates: of the training patients' Kaplan-Meier curve, on the test patients."""

    training: SurvivalOutcome
    test: SurvivalOutcome
    censoring: Censoring
    grid: FloatArray
    ibs_without_covariates: float

    @classmethod
    def of(cls, outcome: SurvivalOutcome, fold: Fold) -> Yardstick:
        """The yardstick of one fold of these patients."""
        training, test = outcome.subset(fold.train_index), outcome.subset(fold.test_index)
        censoring = Censoring.of(training)
        grid = brier_grid(censoring)
        curve = training_curve(training, grid, len(test))
        scores = brier_scores(curve, test, censoring, grid)
        return cls(training, test, censoring, grid, integrated_brier(scores, grid))

    def _gain(self, ibs: float) -> Measure:
        """IPA. Among test patients who all stay without event, the higher survival a model gives to everybody, the
        more it gains: that tells nothing of the model."""
        if not (self.test.event & (self.test.time_months < self.censoring.tau_months)).any():
            return Measure.absent("no test patient has the event before the horizon")
        return accuracy_gain(ibs, self.ibs_without_covariates)

    def baseline(self, result: FoldResult) -> BreslowBaseline:
        """The baseline hazard that turns the row's log-risks into survival; from training risks alone."""
        return BreslowBaseline.of(result.train_risk, self.training)

    def scores(self, result: FoldResult, times_months: Sequence[float]) -> Scores:
        """Measure the test risks of one row; AUC at these times, all before the horizon."""
        survival = self.baseline(result).survival(result.test_risk, self.grid)
        ibs = integrated_brier(brier_scores(survival, self.test, self.censoring, self.grid), self.grid)
        return Scores(
            uno_c(result.test_risk, self.test, self.censoring),
            dynamic_auc(result.test_risk, self.test, self.censoring, times_months),
            ibs,
            self._gain(ibs),
        )
