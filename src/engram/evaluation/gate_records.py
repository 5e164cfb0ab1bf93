"""What is saved of gates: how rows that have one mix their two images (paper 2.3.2)."""

from __future__ import annotations

from pydantic import Field

from engram.evaluation.record import Record


class GateShare(Record):
    """The share that the first image, PET, has in the mixture of each test patient of one row; 0 to 1.

    It says how the two are mixed, not which of them tells the risk: each image's vector has a scale of its own.
    quartiles: lower quartile, median, upper quartile over patients. fold_means: of each fold, whose gate is
    its own. shares to events: one item a test patient, by ascending share, so that the study's order is lost;
    empty in results of before. spearman: rank correlation of share and risk within test folds, mean over these;
    c_index: Harrell's c of the share, taken for a risk, likewise; each with its 95 % interval.
    """

    row: str
    first: str  # the image whose share it is
    n: int
    mean: float
    quartiles: list[float]
    fold_means: list[float]
    shares: list[float] = Field(default_factory=list)
    standardised_risks: list[float] = Field(default_factory=list)  # by the training risks of the patient's fold
    times_months: list[float] = Field(default_factory=list)
    events: list[bool] = Field(default_factory=list)  # False: censored
    spearman: float | None = None
    spearman_lower: float | None = None
    spearman_upper: float | None = None
    c_index: float | None = None
    c_lower: float | None = None
    c_upper: float | None = None
