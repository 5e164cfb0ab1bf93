"""The study file on the evaluation: folds, strata, and the times that are looked at."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from engram.config_section import Section


class Evaluation(Section):
    """Stratified cross-validation (paper 2.4.1)."""

    folds: int = Field(5, ge=2)
    time_quantiles: int = Field(4, ge=1, description="strata: event x time quantile")
    seed: int = 0
    max_missing: float = Field(0.4, ge=0, le=1, description="a covariate missing more often in training is dropped")
    times_months: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (12.0, 24.0, 36.0), description="times of the time-dependent AUC, ascending"
    )
    horizon_months: float = Field(24.0, gt=0, description="time of calibration and of decision curves")

    @model_validator(mode="after")
    def _ascending(self) -> Evaluation:
        if list(self.times_months) != sorted(set(self.times_months)):
            raise ValueError(f"times_months must ascend, got {list(self.times_months)}")
        return self
