"""What is saved of splits, repeats, and analyses beside the main one (documented in docs/results.md)."""

from __future__ import annotations

from typing import Literal

from engram.evaluation.record import Record

MissingnessAnalysis = Literal["main", "multiple imputation", "complete cases", "missing indicators"]


class Splits(Record):
    """How patients were divided. Lists have one item a fold, in fold order.

    test: what is held out, as "sites A, C" or "2018 to 2020"; empty for stratified folds.
    """

    kind: Literal["stratified", "grouped", "temporal"]
    column: str | None  # of the manifest
    tested: int  # patients who test once; the others (of a first window) only train
    train_n: list[int]
    train_events: list[int]
    test: list[str]
    repeats: int = 1  # that the study file asks for; sites may be dealt in fewer ways


class RepeatedRow(Record):
    """One row over repeated cross-validation; the first repeat is the main analysis.

    c_index: one list a repeat, one value a fold. means: of each repeat.
    """

    row: str
    c_index: list[list[float | None]]
    means: list[float | None]
    mean: float | None  # over the repeats
    sd: float | None  # of the means: how far the split alone moves the result
    se_corrected: float | None  # over all r k test folds, for folds that share training patients
    p_corrected: float | None  # two-sided, of c against 0.5


class RepeatedComparison(Record):
    """Two rows over repeated cross-validation: c-index of `row` minus that of `other`, on the same folds.

    differences: the mean of each repeat; the first is the main analysis.
    """

    row: str
    other: str
    differences: list[float | None]
    mean: float | None  # over the repeats
    sd: float | None  # of the differences: how far the split alone moves them
    se_corrected: float | None  # over all r k test folds, for folds that share training patients
    p_corrected: float | None  # two-sided, of no difference
    p_adjusted: float | None  # Holm, over these pairs


class PermutationNull(Record):
    """One row where outcomes say nothing: events and times permuted over patients, folds drawn anew.

    null_quantiles: 2.5, 50 and 97.5 % of the mean c-indices.
    """

    row: str
    c_index: float | None  # of the main analysis
    permutations: int
    not_evaluable: int = 0  # permutations left out: their folds, or a fit, had too few events
    null_mean: float | None
    null_sd: float | None
    null_quantiles: list[float] | None
    p: float | None  # (1 + permutations with a c as high) / (permutations + 1), one-sided


class MissingnessRow(Record):
    """One row under another way to treat missing covariates.

    difference: its mean c minus that of the main analysis, on the same test patients of the same folds.
    """

    row: str
    analysis: MissingnessAnalysis
    n: int  # patients who test
    events: int
    imputations: int | None
    c_index: float | None  # mean over the folds
    difference: float | None
    sd_imputations: float | None  # of c between single imputations
    absent: str | None = None  # why there are no numbers


class MissingVariable(Record):
    """How often one covariate is missing, and whether that goes with the event."""

    variable: str
    missing: int
    share: float
    events_missing: float | None  # share of patients with the event, of those who lack it ...
    events_known: float | None  # ... and of those who have it
