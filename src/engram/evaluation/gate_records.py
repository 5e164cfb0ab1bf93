"""What is saved of gates: how rows that have one mix their two images (paper 2.3.2)."""

from __future__ import annotations

from engram.evaluation.record import Record


class GateShare(Record):
    """The share that the first image, PET, has in the mixture of each test patient of one row; 0 to 1.

    It says how the two are mixed, not which of them tells the risk: each image's vector has a scale of its own.
    quartiles: lower quartile, median, upper quartile over patients. fold_means: of each fold, whose gate is
    its own.
    """

    row: str
    first: str  # the image whose share it is
    n: int
    mean: float
    quartiles: list[float]
    fold_means: list[float]
