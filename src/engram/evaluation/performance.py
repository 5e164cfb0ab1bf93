"""Every row beyond its c-index, from the risks that were kept: nothing is fitted to features again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.config_evaluation import Evaluation
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.held_out import held_out_patients
from engram.evaluation.out_of_fold import OutOfFold, out_of_fold
from engram.evaluation.performance_records import FoldMeasure, Performance, RowPerformance, UtilityCurves
from engram.evaluation.statistics import fold_statistics, held_out_ratio
from engram.evaluation.yardstick import Scores, Yardstick
from engram.outcome import SurvivalOutcome
from engram.survival.calibration import CalibrationCurve, calibration_curve, calibration_slope
from engram.survival.d_calibration import d_calibration
from engram.survival.measure import Measure
from engram.survival.net_benefit import net_benefit
from engram.survival.splits import Fold

THRESHOLDS = tuple(round(0.02 * step, 2) for step in range(1, 50))


@dataclass(frozen=True)
class _Reach:
    """The times that the weights of every fold reach, of those asked for. notes: what was left out, and why."""

    months: tuple[float, ...]
    horizon: float | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, yardsticks: Sequence[Yardstick], settings: Evaluation) -> _Reach:
        tau = min(yardstick.censoring.tau_months for yardstick in yardsticks)
        far = [month for month in settings.times_months if month >= tau]
        why = f"fewer than a tenth of the training patients of a fold are at risk beyond {tau:.1f} months"
        notes = [f"No AUC at {', '.join(f'{month:g}' for month in far)} months: {why}."] * bool(far)
        near = settings.horizon_months < tau
        notes += (
            [] if near else [f"No calibration and decision curve at {settings.horizon_months:g} months: {why}."]
        )
        months = tuple(month for month in settings.times_months if month < tau)
        return cls(months, settings.horizon_months if near else None, tuple(notes))


def performance(
    names: Sequence[str],
    results: Sequence[Sequence[FoldResult]],
    folds: Sequence[Fold],
    outcome: SurvivalOutcome,
    settings: Evaluation,
    *,
    drawn: Sequence[str],
) -> Performance:
    """Measure each row (outer sequence) on each fold (inner one), and its out-of-fold predictions together.

    Censoring weights, horizons and baseline hazards are of the training patients of each fold. drawn: names of the
    rows whose curves are saved, in that order.
    """
    yardsticks = [Yardstick.of(outcome, fold) for fold in folds]
    reach = _Reach.of(yardsticks, settings)
    found = [
        _row(name, result, folds, yardsticks, outcome, reach) for name, result in zip(names, results, strict=True)
    ]
    tested = outcome.subset(held_out_patients(folds))
    return Performance(
        tau_months=[yardstick.censoring.tau_months for yardstick in yardsticks],
        auc_months=list(reach.months),
        horizon_months=reach.horizon,
        rows=[row.record for row in found],
        thresholds=list(THRESHOLDS),
        treat_all=_benefits(np.ones(len(tested)), tested, reach.horizon),
        curves=[_curves(found[names.index(name)], tested, reach.horizon) for name in dict.fromkeys(drawn)],
        notes=list(reach.notes),
    )


@dataclass(frozen=True)
class _Row:
    record: RowPerformance
    pooled: OutOfFold
    curve: CalibrationCurve


def _row(
    name: str,
    results: Sequence[FoldResult],
    folds: Sequence[Fold],
    yardsticks: Sequence[Yardstick],
    outcome: SurvivalOutcome,
    reach: _Reach,
) -> _Row:
    scores = [y.scores(result, reach.months) for y, result in zip(yardsticks, results, strict=True)]
    ratio = held_out_ratio(folds)
    pooled = out_of_fold(results, folds, yardsticks, reach.horizon)
    outcome = outcome.subset(pooled.patients)
    slope = calibration_slope(pooled.risk, outcome, pooled.fold)
    spread = d_calibration(pooled.survival_at_time, outcome)
    curve = _calibration(pooled, outcome, reach.horizon)
    record = RowPerformance(
        row=name,
        uno_c=_over_folds([score.uno_c for score in scores], ratio),
        auc=[_over_folds([score.auc.at[i] for score in scores], ratio) for i in range(len(reach.months))],
        mean_auc=_over_folds([score.auc.mean for score in scores], ratio),
        ibs=_over_folds([Measure(score.ibs) for score in scores], ratio),
        ipa=_over_folds([score.ipa for score in scores], ratio),
        ici=curve.ici.value,
        e50=curve.e50.value,
        slope=slope.value.value,
        slope_lower=slope.lower.value,
        slope_upper=slope.upper.value,
        d_calibration=spread.shares.tolist(),
        d_calibration_p=spread.p,
        missing=[*_missing(scores, reach), *_missing_pooled(curve, slope.value, reach)],
    )
    return _Row(record, pooled, curve)


def _calibration(pooled: OutOfFold, outcome: SurvivalOutcome, horizon: float | None) -> CalibrationCurve:
    if horizon is None:
        return CalibrationCurve.absent("the horizon is out of reach")
    return calibration_curve(pooled.event_by, outcome, horizon)


def _over_folds(measures: Sequence[Measure], ratio: float) -> FoldMeasure:
    values = [measure.value for measure in measures]
    statistics = fold_statistics(values, held_out_ratio=ratio)
    return FoldMeasure(values=values, mean=statistics.mean, se=statistics.se)


def _missing(scores: Sequence[Scores], reach: _Reach) -> list[str]:
    """What a fold lacks, once for each fold and reason."""
    found = []
    for number, score in enumerate(scores, 1):
        named = [("Uno's c", score.uno_c), ("IPA", score.ipa)]
        named += [(f"AUC at {m:g} months", a) for m, a in zip(reach.months, score.auc.at, strict=True)]
        found += [f"{what}, fold {number}: {measure.reason}" for what, measure in named if measure.reason]
    return found


def _missing_pooled(curve: CalibrationCurve, slope: Measure, reach: _Reach) -> list[str]:
    named = [("calibration curve", curve.ici)] if reach.horizon is not None else []
    return [f"{what}: {measure.reason}" for what, measure in [*named, ("slope", slope)] if measure.reason]


def _curves(row: _Row, outcome: SurvivalOutcome, horizon: float | None) -> UtilityCurves:
    return UtilityCurves(
        row=row.record.row,
        predicted=row.curve.predicted.tolist(),
        observed=row.curve.observed.tolist(),
        net_benefit=_benefits(row.pooled.event_by, outcome, horizon),
    )


def _benefits(
    event_by: npt.NDArray[np.float64], outcome: SurvivalOutcome, horizon: float | None
) -> list[float | None]:
    if horizon is None:
        return [None] * len(THRESHOLDS)
    return [measure.value for measure in net_benefit(event_by, outcome, horizon, THRESHOLDS)]
