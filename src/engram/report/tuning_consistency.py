"""Refuses protocols, absent rows and searches that contradict the rest of the results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from engram.evaluation.results import RowResult, StudyResults
from engram.evaluation.tuning_records import SameFolds, Search

_ROUNDING = 1e-6  # of numbers that were summed in another order
_NUMBERS = ("mean", "se", "p", "p_two_sided", "p_corrected", "p_adjusted", "ci_lower", "ci_upper", "same_folds")


def check_tuning(results: StudyResults) -> Iterator[str]:
    """Each contradiction in words: absent rows with numbers, gaps that are no difference, searches of no row."""
    names = {row.name for row in results.rows}
    for row in results.rows:
        yield from _absent(row) if row.absent is not None else _same_folds(row)
    for search in results.searches:
        yield from _search(search, names, len(results.folds))


def _absent(row: RowResult) -> Iterator[str]:
    known = [name for name in _NUMBERS if getattr(row, name) is not None]
    if known or any(value is not None for value in row.c_index):
        yield f"row '{row.name}': absent ({row.absent}), and yet with numbers ({', '.join(known) or 'c_index'})"


def _same_folds(row: RowResult) -> Iterator[str]:
    same = row.same_folds
    if same is None:
        return
    if row.protocol == "paper":
        yield f"row '{row.name}': tuned on its test folds, and beside that on its test folds"
    if len(same.c_index) != len(row.c_index):
        yield f"row '{row.name}': {len(same.c_index)} c-indices tuned on {len(row.c_index)} test folds"
    yield from _numbers(row, same)


def _numbers(row: RowResult, same: SameFolds) -> Iterator[str]:
    known = [value for value in same.c_index if value is not None]
    mean = statistics.fmean(known) if known else None
    if not _same(same.mean, mean):
        yield f"row '{row.name}': mean of tuning on the test folds that is not that of its folds"
    gap = None if same.mean is None or row.mean is None else same.mean - row.mean
    if not _same(same.gap, gap):
        yield f"row '{row.name}': a gap of {same.gap} that is not the difference of the two means"


def _same(saved: float | None, found: float | None) -> bool:
    return saved == found if saved is None or found is None else math.isclose(saved, found, abs_tol=_ROUNDING)


def _search(search: Search, names: set[str], folds: int) -> Iterator[str]:
    what = f"search of '{search.group}' ({search.protocol})"
    strangers = sorted({search.row, *search.rows} - names)
    if strangers:
        yield f"{what}: no such row as '{strangers[0]}'"
    if not 0 <= search.pruned <= search.trials * max(1, len(search.best)):
        yield f"{what}: {search.pruned} trials pruned, of {search.trials} in {len(search.best)} searches"
    known = {parameter.name for parameter in search.space}
    for best in search.best:
        if best.fold is not None and not 1 <= best.fold <= folds:
            yield f"{what}: a best trial of fold {best.fold} of {folds}"
        if not best.values.keys() <= known:
            yield f"{what}: values of {', '.join(sorted(best.values.keys() - known))}, which were not looked for"
