"""Refuses measures beyond the c-index that contradict the rest of the results."""

from __future__ import annotations

import math
from collections.abc import Iterator

from engram.evaluation.performance_records import Performance, RowPerformance
from engram.evaluation.results import StudyResults


def check_performance(results: StudyResults, found: Performance) -> Iterator[str]:
    """Each contradiction in words: other rows or folds than the study's, lists of different lengths."""
    folds, names = len(results.folds), [row.name for row in results.rows if row.absent is None]
    if [row.row for row in found.rows] != names:
        yield "performance: rows that are not those of the study, in their order"
    if len(found.tau_months) != folds:
        yield f"performance: {len(found.tau_months)} horizons for {folds} folds"
    for row in found.rows:
        yield from _row(row, folds, len(found.auc_months))
    for curves in found.curves:
        if curves.row not in names or len(curves.predicted) != len(curves.observed):
            yield f"performance: curves of '{curves.row}' that do not fit its row"
    for benefits in (found.treat_all, *(curves.net_benefit for curves in found.curves)):
        if len(benefits) != len(found.thresholds):
            yield f"performance: {len(benefits)} net benefits at {len(found.thresholds)} thresholds"


def _row(row: RowPerformance, folds: int, times: int) -> Iterator[str]:
    if len(row.auc) != times:
        yield f"performance of '{row.row}': {len(row.auc)} AUC at {times} times"
    for measure in (row.uno_c, row.mean_auc, row.ibs, row.ipa, *row.auc):
        known = [value for value in measure.values if value is not None]
        if len(measure.values) != folds:
            yield f"performance of '{row.row}': {len(measure.values)} values for {folds} folds"
        elif known and not math.isclose(measure.mean or 0.0, sum(known) / len(known), abs_tol=1e-6):
            yield f"performance of '{row.row}': a mean of {measure.mean} that is not that of its folds"
