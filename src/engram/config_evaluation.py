"""The study file on the evaluation: folds, strata, and the times that are looked at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from engram.config_section import Section

# 'stratified': events and times alike in every fold. 'grouped': no site both trains and tests. 'temporal': the
# earlier train, the later test, in windows that expand.
SplitName = Literal["stratified", "grouped", "temporal"]
RepeatRows = Literal["cheap", "all"]  # 'cheap': rows whose model is ridge Cox


class Evaluation(Section):
    """Cross-validation (paper 2.4.1: stratified, once)."""

    splits: SplitName = "stratified"
    folds: int = Field(5, ge=1, description="one is a single split by time")
    group: str | None = Field(None, description="column of the site, for grouped splits; no model sees it")
    order: str | None = Field(None, description="column of year or date, for temporal splits; no model sees it")
    first_window: float = Field(0.5, gt=0, lt=1, description="share of patients that trains first (temporal)")
    repeats: int = Field(1, ge=1, description="of the whole cross-validation, each on folds of its own")
    repeat_rows: RepeatRows = "cheap"
    time_quantiles: int = Field(4, ge=1, description="strata: event x time quantile")
    seed: int = 0
    max_missing: float = Field(0.4, ge=0, le=1, description="a covariate missing more often in training is dropped")
    times_months: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (12.0, 24.0, 36.0), description="times of the time-dependent AUC, ascending"
    )
    horizon_months: float = Field(24.0, gt=0, description="time of calibration and of decision curves")

    @field_validator("folds")
    @classmethod
    def _enough(cls, folds: int, info: ValidationInfo) -> int:
        if folds < 2 and info.data.get("splits") != "temporal":
            raise ValueError(
                f"must be a whole number of at least 2, not {folds}: one split is for splits: temporal"
            )
        return folds

    @model_validator(mode="after")
    def _ascending(self) -> Evaluation:
        if list(self.times_months) != sorted(set(self.times_months)):
            raise ValueError(f"times_months must ascend, got {list(self.times_months)}")
        return self

    @model_validator(mode="after")
    def _columns_of_splits(self) -> Evaluation:
        for field, splits in (("group", "grouped"), ("order", "temporal")):
            named, used = getattr(self, field) is not None, self.splits == splits
            if used and not named:
                raise ValueError(f"splits: {splits} needs evaluation.{field}, a column of the manifest")
            if named and not used:
                raise ValueError(f"{field} is for splits: {splits} only; here splits is {self.splits}")
        return self

    @model_validator(mode="after")
    def _one_way_in_time(self) -> Evaluation:
        if self.splits == "temporal" and self.repeats > 1:
            raise ValueError("splits: temporal are the same every time: leave repeats at 1")
        return self
