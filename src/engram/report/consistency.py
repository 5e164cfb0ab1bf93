"""Refuses results that contradict themselves, rather than print them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence

from engram.errors import StorageError
from engram.evaluation.results import (
    Comparison,
    Curve,
    DrawnMasks,
    Flow,
    RiskGroups,
    RowResult,
    StudyResults,
)
from engram.report.performance_consistency import check_performance
from engram.report.sensitivity_consistency import check_sensitivity
from engram.report.tuning_consistency import check_tuning

_ROUNDING = 1e-6  # of numbers that were summed in another order


def check_results(results: StudyResults) -> None:
    """Raises StorageError naming every contradiction: counts that do not add up, lists of different lengths,
    a mean that is not that of its folds.
    """
    found = [*_flow(results.flow), *_cohort(results)] + ["no folds"] * (not results.folds)
    for row in results.rows:
        found += _row(row, len(results.folds))
    for group in results.drawn_masks:
        found += _drawn_masks(group)
    for one in results.comparisons:
        found += _comparison(one, {row.name: row for row in results.rows})
    found += [*check_tuning(results), *check_sensitivity(results)]
    if results.performance is not None:
        found += check_performance(results, results.performance)
    if results.risk_groups is not None:
        found += _groups(results.risk_groups)
    if found:
        lines = "\n".join(f"  - {line}" for line in found)
        raise StorageError(
            f"results of '{results.study}' contradict themselves. Run 'engram evaluate' again.\n{lines}"
        )


def _flow(flow: Flow) -> Iterator[str]:
    left = flow.pool
    for step in flow.steps:
        if sum(step.reasons.values()) != step.excluded:
            yield f"flow, {step.stage}: {step.excluded} excluded, but reasons for {sum(step.reasons.values())}"
        left -= step.excluded
        if left != step.remaining:
            yield f"flow, {step.stage}: {step.remaining} remaining, but {left} by the counts above"
    if left != flow.analysed:
        yield f"flow: {flow.analysed} analysed, but {left} by the counts above"


def _cohort(results: StudyResults) -> Iterator[str]:
    cohort = results.cohort
    if cohort.n != results.flow.analysed:
        yield f"cohort: {cohort.n} patients, but {results.flow.analysed} analysed in the flow"
    if cohort.events + cohort.censored != cohort.n:
        yield f"cohort: {cohort.events} events and {cohort.censored} censored of {cohort.n} patients"


def _row(row: RowResult, folds: int) -> Iterator[str]:
    for what, values in (("c-indices", row.c_index), ("true c-indices", row.true_c_index)):
        if values is None:
            continue
        if len(values) != folds:
            yield f"row '{row.name}': {len(values)} {what} for {folds} folds"
        if not _finite(value for value in values if value is not None):
            yield f"row '{row.name}': {what} that are not numbers"
    known = (row.mean, row.se, row.p, row.p_corrected, row.ci_lower, row.ci_upper, row.true_mean)
    if not _finite(value for value in known if value is not None):
        yield f"row '{row.name}': mean, SE or p that is not a number"
    else:
        yield from _statistics(row)


def _statistics(row: RowResult) -> Iterator[str]:
    """What is printed of a row must be what its folds give, to rounding."""
    mean, se = _mean_and_se(row.c_index)
    true_mean = None if row.true_c_index is None else _mean_and_se(row.true_c_index)[0]
    printed = (("mean", row.mean, mean), ("SE", row.se, se), ("true mean", row.true_mean, true_mean))
    for what, saved, found in printed:
        if not _same(saved, found):
            yield f"row '{row.name}': {what} {_or_none(saved)}, but {_or_none(found)} by its folds"


def _comparison(one: Comparison, rows: Mapping[str, RowResult]) -> Iterator[str]:
    """A difference must be that of two rows that are there, fold by fold."""
    what = f"comparison of '{one.row}' with '{one.other}'"
    if not {one.row, one.other} <= rows.keys():
        yield f"{what}: no such row"
        return
    pairs = zip(rows[one.row].c_index, rows[one.other].c_index, strict=False)
    mean, se = _mean_and_se([None if a is None or b is None else a - b for a, b in pairs])
    for name, saved, found in (("difference", one.difference, mean), ("SE", one.se, se)):
        if not _same(saved, found):
            yield f"{what}: {name} {_or_none(saved)}, but {_or_none(found)} by the folds"


def _same(saved: float | None, found: float | None) -> bool:
    return saved == found if saved is None or found is None else math.isclose(saved, found, abs_tol=_ROUNDING)


def _mean_and_se(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    known = [value for value in values if value is not None]
    if not known:
        return None, None
    return statistics.fmean(known), statistics.stdev(known) / math.sqrt(len(known)) if len(known) > 1 else None


def _or_none(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _groups(groups: RiskGroups) -> Iterator[str]:
    for curve in groups.curves:
        if len({len(curve.time_months), len(curve.survival), len(curve.lower), len(curve.upper)}) != 1:
            yield f"risk group '{curve.label}': times, survival and limits differ in length"
        if len(curve.at_risk) != len(groups.ticks_months):
            yield f"risk group '{curve.label}': {len(curve.at_risk)} counts at {len(groups.ticks_months)} times"
        if not _finite(_values(curve)):
            yield f"risk group '{curve.label}': values that are not numbers"


def _drawn_masks(group: DrawnMasks) -> Iterator[str]:
    what = f"drawn masks of {group.modality}, {group.roi}"
    curves = (group.curve_lower, group.curve_median, group.curve_upper)
    if len(group.dice_quartiles) != 3 or not group.curve_median or len({len(curve) for curve in curves}) != 1:
        yield f"{what}: quartiles that are not three, or curves that differ in length"
    if not all(0 <= value <= 1 for values in (group.dice_quartiles, *curves) for value in values):
        yield f"{what}: Dice outside 0 to 1"
    if not 0 <= group.flagged <= group.n:
        yield f"{what}: {group.flagged} flagged of {group.n} patients"


def _values(curve: Curve) -> list[float]:
    return [*curve.time_months, *curve.survival, *curve.lower, *curve.upper]


def _finite(values: Iterable[float]) -> bool:
    return all(math.isfinite(value) for value in values)
