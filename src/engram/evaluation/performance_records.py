"""The saved measures beyond the c-index (documented in docs/results.md)."""

from __future__ import annotations

from engram.evaluation.record import Record


class FoldMeasure(Record):
    """One measure on each test fold, None where a fold allows none; mean and SE are over the folds that have it."""

    values: list[float | None]
    mean: float | None
    se: float | None


class RowPerformance(Record):
    """One row beyond its c-index. The first measures are one a fold; those from `ici` on are of the out-of-fold
    predictions of all patients, at the horizon. missing: what does not exist, and why."""

    row: str
    uno_c: FoldMeasure
    auc: list[FoldMeasure]  # one for each of `auc_months`
    mean_auc: FoldMeasure
    ibs: FoldMeasure
    ipa: FoldMeasure
    ici: float | None
    e50: float | None
    slope: float | None
    slope_lower: float | None
    slope_upper: float | None
    d_calibration: list[float]  # share of patients in each tenth of predicted survival
    d_calibration_p: float
    missing: list[str]


class UtilityCurves(Record):
    """How predicted probabilities of one row come true by the horizon, and what acting on them is worth."""

    row: str
    predicted: list[float]
    observed: list[float]
    net_benefit: list[float | None]  # at each of `thresholds`


class Performance(Record):
    """All rows beyond the c-index. tau_months: administrative horizon of each fold, set by its training part."""

    tau_months: list[float]
    auc_months: list[float]
    horizon_months: float | None
    rows: list[RowPerformance]
    thresholds: list[float]
    treat_all: list[float | None]
    curves: list[UtilityCurves]
    notes: list[str]
