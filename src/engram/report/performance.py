"""The table beyond the c-index, and the sentences that must be read with it."""

from __future__ import annotations

from engram.evaluation.performance_records import FoldMeasure, Performance, RowPerformance
from engram.evaluation.results import StudyResults
from engram.report import labels
from engram.report.formats import EN_DASH, interval, number, p_value
from engram.report.layout import Column, Table

NAME = "beyond_c_index"

_MEANINGS = (
    "Means over test folds; every measure with – does not exist for this row (reasons below). Censoring weights, "
    "horizons and baseline hazards are those of the training patients of each fold.",
    "Uno's c: as the c-index, but with weights that undo what censoring does to it; 0.5 is chance. AUC: of those "
    "with the event by a time (in months) against those without it, at that time; 0.5 is chance.",
    "IBS: integrated Brier score, mean squared error of predicted survival up to the horizon, lower is better. "
    "IPA: its gain over the training patients' Kaplan-Meier curve; 0 is none, below 0 is worse than no model.",
    "ICI (E50): mean (median) distance between predicted and observed probability of the event, 0 is best. Slope: "
    "1 is calibrated, below 1 risks are too extreme, above 1 too timid (95 % limits). D-cal. p: small where "
    "predicted survival is not spread as it should be. These three are of the out-of-fold predictions of all "
    "patients, whose models share training patients: limits and p are approximate.",
)


def performance_table(results: StudyResults) -> Table:
    """One line a row, highest c-index first; no lines where nothing was saved."""
    found = results.performance
    if found is None:
        return Table(NAME, (), ())
    by_row = {row.row: row for row in found.rows}
    rows = labels.by_c_index(labels.were_run(results.rows))
    lines = [_line(by_row[row.name]) for row in rows if row.name in by_row]
    auc = [Column(f"AUC {months:g}", "number") for months in found.auc_months]
    heads = ("Mean AUC", "IBS", "IPA", "ICI (E50)", "Slope", "D-cal. p")
    columns = (
        Column("Row"),
        Column("Uno's c", "number"),
        Column("SE", "error"),
        *auc,
        *(Column(head, "number") for head in heads),
    )
    return Table(NAME, columns, tuple(lines), _notes(found), labels.needs_untrained_label(results, rows))


def _line(row: RowPerformance) -> tuple[str, ...]:
    return (
        row.row,
        number(row.uno_c.mean),
        number(row.uno_c.se),
        *(_mean(measure) for measure in row.auc),
        _mean(row.mean_auc),
        _mean(row.ibs),
        _mean(row.ipa),
        f"{number(row.ici)} ({number(row.e50)})" if row.ici is not None else EN_DASH,
        _slope(row),
        p_value(row.d_calibration_p),
    )


def _mean(measure: FoldMeasure) -> str:
    return number(measure.mean)


def _slope(row: RowPerformance) -> str:
    if row.slope is None:
        return EN_DASH
    return f"{number(row.slope, 2)} ({interval(row.slope_lower, row.slope_upper, 2)})"


def _notes(found: Performance) -> tuple[str, ...]:
    tau = sorted({f"{tau:.1f}" for tau in (min(found.tau_months), max(found.tau_months))}, key=float)
    horizon = (
        f"Horizon of weights and IBS: {' to '.join(tau)} months, where a tenth of the training patients of a fold "
        "are still at risk."
    )
    return (*_MEANINGS, horizon, *found.notes, *_missing(found.rows))


def _missing(rows: list[RowPerformance]) -> list[str]:
    """Each reason once, with one row as an example."""
    of: dict[str, list[str]] = {}
    for row in rows:
        for reason in row.missing:
            of.setdefault(reason, []).append(row.row)
    return [f"Missing: {reason} ({_example(names)})." for reason, names in of.items()]


def _example(names: list[str]) -> str:
    return f"row '{names[0]}'" if len(names) == 1 else f"row '{names[0]}' and {len(names) - 1} more"
