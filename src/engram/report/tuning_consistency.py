"""Refuses protocols, absent rows and searches that contradict the rest of the results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from engram.evaluation.results import RowResult, StudyResults
from engram.evaluation.tuning_records import SameFolds, Search, Untuned

_ROUNDING = 1e-6  # of numbers that were summed in another order
_NUMBERS = (
    "mean",
    "se",
    "p",
    "p_two_sided",
    "p_corrected",
    "p_adjusted",
    "ci_lower",
    "ci_upper",
    "same_folds",
    "untuned",
)
_HOW = {"fixed": "not tuned", "nested": "tuned in each fold", "paper": "tuned on its test folds"}


def check_tuning(results: StudyResults) -> Iterator[str]:
    """Each contradiction in words: absent rows with numbers, gaps that are no difference, searches of no row."""
    names = {row.name for row in results.rows}
    for row in results.rows:
        if row.absent is not None:
            yield from _absent(row)
            continue
        for beside in (row.same_folds, row.untuned):
            if beside is not None:
                yield from _beside(row, beside)
    for search in results.searches:
        yield from _search(search, names, len(results.folds))


def _absent(row: RowResult) -> Iterator[str]:
    known = [name for name in _NUMBERS if getattr(row, name) is not None]
    if known or any(value is not None for value in row.c_index):
        yield f"row '{row.name}': absent ({row.absent}), and yet with numbers ({', '.join(known) or 'c_index'})"


def _beside(row: RowResult, other: SameFolds | Untuned) -> Iterator[str]:
    """The row by another protocol, which must be another, on the same folds, and as far off as is said."""
    what = _HOW["paper" if isinstance(other, SameFolds) else "fixed"]
    if _HOW[row.protocol] == what:
        yield f"row '{row.name}': {what}, and beside that {what}"
    if len(other.c_index) != len(row.c_index):
        yield f"row '{row.name}', {what}: {len(other.c_index)} c-indices for {len(row.c_index)} test folds"
    known = [value for value in other.c_index if value is not None]
    if not _same(other.mean, statistics.fmean(known) if known else None):
        yield f"row '{row.name}', {what}: a mean that is not that of its folds"
    gap = None if other.mean is None or row.mean is None else other.mean - row.mean
    if not _same(other.gap, gap):
        yield f"row '{row.name}', {what}: a gap of {other.gap} that is not the difference of the two means"


def _same(saved: float | None, found: float | None) -> bool:
    return saved == found if saved is None or found is None else math.isclose(saved, found, abs_tol=_ROUNDING)


def _search(search: Search, names: set[str], folds: int) -> Iterator[str]:
    what = f"search of '{search.group}' ({search.protocol})"
    strangers = sorted({search.row, *search.rows} - names)
    if strangers:
        yield f"{what}: no such row as '{strangers[0]}'"
    at_most = (search.trials + 1) * max(1, len(search.best))  # trial 0 is the study file's own settings
    if not 0 <= search.pruned <= at_most:
        yield f"{what}: {search.pruned} trials pruned of {at_most}"
    known = {parameter.name for parameter in search.space}
    for best in search.best:
        if best.fold is not None and not 1 <= best.fold <= folds:
            yield f"{what}: a best trial of fold {best.fold} of {folds}"
        if not best.values.keys() <= known:
            yield f"{what}: values of {', '.join(sorted(best.values.keys() - known))}, which were not looked for"
