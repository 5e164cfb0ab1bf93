"""Tables of tuning: what was looked for, what was found, and what tuning on the test folds pretends."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from engram.evaluation.results import RowResult, StudyResults
from engram.evaluation.tuning_records import BestTrial, Search, TunedParameter
from engram.report import labels, protocols
from engram.report.formats import EN_DASH, number, p_value, signed
from engram.report.layout import Column, Table

RANGES, BEST = "tuning_ranges", "tuning"
_GAP_NOTE = (
    "A gap above 0 is what choosing settings on the test folds adds. Where a row carries no signal at all, the "
    "c-index of the paper's protocol still tends to lie above 0.5. SE and p of the test-tuned c: over folds, "
    "one-sided against 0.5, both optimistic."
)
_UNTUNED_NOTE = (
    "c, not tuned: the same row on the same folds with the settings of the study file. Difference: that less the "
    "tuned c-index; above 0, tuning did harm."
)
_SAME = (
    Column(protocols.OPTIMISTIC, "number"),
    Column("SE of the test-tuned c", "error"),
    Column("p of the test-tuned c", "number"),
    Column("Gap", "number"),
)
_UNTUNED = (Column("c, not tuned", "number"), Column("Difference", "number"))


def tuning_tables(results: StudyResults) -> list[Table]:
    """All of them, those without rows included."""
    return [protocol_table(results), searches_table(results), ranges_table(results), best_table(results)]


def protocol_table(results: StudyResults) -> Table:
    """The protocols side by side, for every row that has more than one; the widest gap first."""
    rows = [row for row in labels.were_run(results.rows) if row.same_folds is not None or row.untuned is not None]
    rows.sort(key=lambda row: (-(_gap(row) or 0.0), row.name))
    same, untuned = protocols.has_gap(rows), any(row.untuned is not None for row in rows)
    first = (Column("Row"), Column("c-index", "number"), Column("SE", "error"), Column("p, corrected", "number"))
    columns = (*first, *_SAME * same, *_UNTUNED * untuned)
    lines = [
        (
            *(row.name, number(row.mean), number(row.se), p_value(row.p_corrected)),
            *_same(row) * same,
            *_untuned(row) * untuned,
        )
        for row in rows
    ]
    notes = (*protocols.notes(rows), *[_GAP_NOTE] * same, *[_UNTUNED_NOTE] * untuned)
    return Table("protocols", columns, tuple(lines), notes, labels.needs_untrained_label(results, rows))


def _gap(row: RowResult) -> float | None:
    return None if row.same_folds is None else row.same_folds.gap


def _same(row: RowResult) -> tuple[str, ...]:
    same = row.same_folds
    if same is None:
        return (EN_DASH,) * 4
    return number(same.mean), number(same.se), p_value(same.p), protocols.gap(row)


def _untuned(row: RowResult) -> tuple[str, ...]:
    return (EN_DASH,) * 2 if row.untuned is None else (number(row.untuned.mean), signed(row.untuned.gap))


def gap_in_words(results: StudyResults) -> str | None:
    """What tuning on the test folds adds over all rows; None where the two protocols were not both run."""
    rows = [row for row in labels.were_run(results.rows) if _gap(row) is not None]
    own = [row for row in rows if not protocols.is_shared(row)]
    gaps = [gap for row in own if (gap := _gap(row)) is not None]
    if not gaps:
        return None
    nested = all(row.protocol == "nested" for row in own)
    other = "tuned without looking at them" if nested else "with the settings of the study file"
    left = len(rows) - len(own)
    more = (
        f" Left out: {left} that took settings chosen by the c-index of another row (marked * below)."
        if left
        else ""
    )
    return (
        f"Tuned on their own test folds, as in the paper, the c-index of {len(gaps)} rows differs by "
        f"{signed(statistics.fmean(gaps))} on average (from {signed(min(gaps))} to {signed(max(gaps))}) from that "
        f"of the same rows {other}. Whatever that adds is not there in new patients.{more}"
    )


def tuned_in_words(results: StudyResults) -> str | None:
    """What tuning gained over the study file's own settings; None where these were not run beside it."""
    beside = [row.untuned for row in labels.were_run(results.rows)]
    gains = [-untuned.gap for untuned in beside if untuned is not None and untuned.gap is not None]
    if not gains:
        return None
    better = sum(gain > 0 for gain in gains)
    return (
        f"Tuned inside each training part, the c-index of {len(gains)} rows differs by "
        f"{signed(statistics.fmean(gains))} on average "
        f"(from {signed(min(gains))} to {signed(max(gains))}) from that of the same rows with the settings of the "
        f"study file; it is higher in {better} of them."
    )


def searches_table(results: StudyResults) -> Table:
    """One line a search: what it was made on, who uses what it found, how many trials were ended early."""
    heads = ("Folds", "Trials", "Ended early")
    columns = (Column("Search"), Column("Protocol"), Column("Made on"), Column("Used by"))
    lines = [
        (
            search.group,
            protocols.NAMES.get(search.protocol, search.protocol),
            search.row,
            "itself" if search.rows == [search.row] else f"{len(search.rows)} rows",
            str(len(search.best)) if search.best and search.best[0].fold is not None else "all at once",
            str(search.trials),
            str(search.pruned),
        )
        for search in results.searches
    ]
    notes = (
        "Trials: points of the Sobol sequence in each fold, beside the study file's own settings. Ended early: "
        "those, in all folds, whose mean lay below the median of the completed ones after the same folds. Used by: "
        "rows that "
        "train the same head share one search.",
    )
    return Table("searches", (*columns, *(Column(head, "number") for head in heads)), tuple(lines), notes)


def ranges_table(results: StudyResults) -> Table:
    """The range of each hyperparameter of each search."""
    columns = (Column("Search"), Column("Protocol"), Column("Setting"), Column("Range"), Column("Scale"))
    lines = [
        (search.group, search.protocol, parameter.name, range_of(parameter), _scale(parameter))
        for search in results.searches
        for parameter in search.space
    ]
    return Table(RANGES, columns, tuple(lines))


def range_of(parameter: TunedParameter) -> str:
    """Its values, or from what to what."""
    if parameter.choices is not None:
        return ", ".join(map(str, parameter.choices))
    if parameter.low is None or parameter.high is None:
        return EN_DASH
    return f"{parameter.low:g} to {parameter.high:g}"


def _scale(parameter: TunedParameter) -> str:
    return "choices" if parameter.choices is not None else "logarithmic" if parameter.log else "linear"


def best_table(results: StudyResults) -> Table:
    """The best settings of each search and fold, one line a setting of it."""
    first = (Column("Search"), Column("Protocol"), Column("Made on"))
    found = (Column(head, "number") for head in ("Fold", "Trial", "c-index of the search", "Epochs"))
    columns = (*first, *found, Column("Setting"), Column("Value", "number"))
    lines = [
        (*_of_search(search, best), name, value_as_text(value))
        for search in results.searches
        for best in search.best
        for name, value in best.values.items()
    ]
    return Table(BEST, columns, tuple(lines))


def _of_search(search: Search, best: BestTrial) -> Sequence[str]:
    fold = "all" if best.fold is None else str(best.fold)
    epochs = EN_DASH if best.epochs is None else str(best.epochs)
    return (search.group, search.protocol, search.row, fold, str(best.trial), number(best.score), epochs)


def value_as_text(value: float | int | str) -> str:
    """A setting to four digits, as the page, the CSV file and the spreadsheet have it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
