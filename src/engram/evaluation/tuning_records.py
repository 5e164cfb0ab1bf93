"""What is saved of tuning: the ranges, the best values, and what tuning on the test folds pretends."""

from __future__ import annotations

from engram.evaluation.record import Record

Value = float | int | str


class SameFolds(Record):
    """One row tuned on its own test folds (paper 2.4.1): optimistic, and so labelled wherever it is printed.

    gap: its mean minus that of the row's headline protocol; None where there is no other. chosen_on: the row whose
    c-index chose the settings, where rows share a search; None where it was this row's own.
    """

    c_index: list[float | None]
    mean: float | None
    se: float | None
    p: float | None  # one-sided, as in the paper
    gap: float | None = None
    chosen_on: str | None = None


class Untuned(Record):
    """One row with the settings of `training`, beside itself when tuned. gap: its mean minus the headline's."""

    c_index: list[float | None]
    mean: float | None
    gap: float | None = None


class TunedParameter(Record):
    """The range that one hyperparameter was looked for in: from `low` to `high`, or one of `choices`."""

    name: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: list[Value] | None = None


class BestTrial(Record):
    """What a search found. fold: from 1, None for the protocol 'paper', which looks at all folds at once.

    score: mean c-index over the folds that judged it. epochs: of the refit, None where the model has none.
    """

    fold: int | None
    trial: int
    score: float | None
    values: dict[str, Value]
    epochs: int | None = None


class Search(Record):
    """One search: `row` is what it was made on, `rows` are all that use what it found.

    trials: points of the sequence, beside trial 0, which is the study file's own settings. pruned: of all folds.
    """

    group: str  # as "averaging, DeepSurv, image"
    protocol: str
    row: str
    rows: list[str]
    trials: int
    pruned: int
    space: list[TunedParameter]
    best: list[BestTrial]
