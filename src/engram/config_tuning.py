"""The study file on tuning: which protocol finds the settings of a model, and how long it looks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from engram.config_section import Section

# 'fixed': the settings of `training`, declared before any result. 'nested': tuned inside each training part.
# 'paper': tuned on the test folds themselves (paper 2.4.1), which is optimistic.
ProtocolName = Literal["fixed", "nested", "paper"]
HEADLINE: tuple[ProtocolName, ...] = ("nested", "fixed", "paper")  # the first of these that is run is the headline


class Tuning(Section):
    """How hyperparameters are found (paper 2.4.1)."""

    protocols: tuple[ProtocolName, ...] = Field(("fixed",), min_length=1)
    trials: int = Field(16, ge=1, le=4096, description="points of the Sobol sequence; a power of two")
    inner_folds: int = Field(3, ge=2, description="folds inside a training part that judge a trial (nested)")
    share: bool = Field(
        True,
        description="rows of one head that train a CNN share one search, made on one of them; false: each its own",
    )
    prune: bool = Field(True, description="a trial below the median of the earlier ones after a fold is ended")

    @field_validator("trials")
    @classmethod
    def _power_of_two(cls, trials: int) -> int:
        if trials & (trials - 1):
            raise ValueError("must be a power of two: Sobol sequences are balanced at these only")
        return trials

    @property
    def headline(self) -> ProtocolName:
        """The protocol whose numbers are the results; those of 'paper' beside another are shown as optimistic."""
        return next(name for name in HEADLINE if name in self.protocols)
