"""From results to rows of text: what a table of the page says, its CSV file says too."""

from __future__ import annotations

from collections.abc import Iterable

from engram.evaluation.results import DrawnMasks, RowResult, StudyResults
from engram.report import labels, shown
from engram.report.c_index_tables import comparison_table, family_table
from engram.report.evidence_tables import evidence_tables
from engram.report.formats import EN_DASH, months, number
from engram.report.layout import Column, Table
from engram.report.performance import performance_table
from engram.report.sensitivity_tables import sensitivity_tables
from engram.report.shown import Shown
from engram.report.tuning_tables import BEST, RANGES, tuning_tables

TABLE_NAMES = (
    "table1_image_only",
    "table2_multimodal",
    "table3_comparison",
    "protocols",
    "searches",
    RANGES,
    BEST,
    "comparisons",
    "comparisons_exploring",
    "tests_against_chance",
    "incremental_value",
    "incremental_over_stage",
    "proportional_hazards",
    "beyond_c_index",
    "repeated",
    "permutation_null",
    "missingness",
    "missing_variables",
    "folds",
    "drawn_masks",
    "cohort",
    "flow",
)


def all_tables(results: StudyResults) -> dict[str, Table]:
    """Every table that has rows, by name."""
    tables = (
        family_table(results, "table1_image_only", "image"),
        family_table(results, "table2_multimodal", "multimodal"),
        comparison_table(results),
        *tuning_tables(results),
        *evidence_tables(results),
        performance_table(results),
        *sensitivity_tables(results),
        fold_table(results),
        drawn_masks_table(results),
        cohort_table(results),
        flow_table(results),
    )
    return {table.name: table for table in tables if table.rows}


def fold_table(results: StudyResults) -> Table:
    """Size of each test fold, the c-index of the truth on it where it is known, then that of each row."""
    rows = labels.by_c_index(labels.were_run(results.rows))
    columns = [Column("Row"), *(Column(f"Fold {i + 1}", "number") for i in range(len(results.folds)))]
    lines = [
        ("Patients", *(str(fold.n) for fold in results.folds)),
        ("Events", *(str(fold.events) for fold in results.folds)),
        *_split_lines(results),
        *_truth_lines(rows),
        *((row.name, *map(number, row.c_index)) for row in rows),
    ]
    missing = any(value is None for row in rows for value in row.c_index)
    notes = [*[labels.TRUE_C] * results.synthetic, *[labels.NO_C] * missing]
    return Table("folds", tuple(columns), tuple(lines), tuple(notes), labels.needs_untrained_label(results, rows))


def _split_lines(results: StudyResults) -> list[tuple[str, ...]]:
    """What is held out, and who trains, where folds are no random draw."""
    splits = results.splits
    if splits is None or not splits.test:
        return []
    return [("Held out", *splits.test), ("Training patients", *map(str, splits.train_n))]


def _truth_lines(rows: Iterable[RowResult]) -> list[tuple[str, ...]]:
    """One line a family: all its rows see the same part of the true log-hazard."""
    known = {row.family: row.true_c_index for row in rows if row.true_c_index is not None}
    words = labels.FAMILIES.items()
    return [(f"True c: {word.lower()}", *map(number, known[f])) for f, word in words if f in known]


def drawn_masks_table(results: StudyResults) -> Table:
    """How the masks that the model draws lie on each region, for each scan."""
    heads = ("Patients", "Median Dice (quartiles)", "Limit", "Flagged")
    columns = (Column("Scan"), Column("Region"), *(Column(head, "number") for head in heads))
    lines = [
        (
            group.modality,
            group.roi,
            str(group.n),
            _quartiles(group),
            f"{group.limit:g}",
            _share(group.flagged, group.n),
        )
        for group in results.drawn_masks
    ]
    notes = ("Flagged: patients whose Dice lies below the limit.", shown.note(Shown.of(results)))
    return Table("drawn_masks", columns, tuple(lines), notes, results.provenance.untrained_weights)


def _quartiles(group: DrawnMasks) -> str:
    lower, median, upper = map(number, group.dice_quartiles)
    return f"{median} ({lower} to {upper})"


def cohort_table(results: StudyResults) -> Table:
    """The patients as analysed: outcome, follow-up, covariates. Times in months."""
    cohort, dash = results.cohort, EN_DASH
    outcome = [
        ("Patients", "", str(cohort.n), dash),
        (cohort.endpoint, "event", _share(cohort.events, cohort.n), dash),
        (cohort.endpoint, "censored", _share(cohort.censored, cohort.n), dash),
        ("Median observed time (months)", "all", months(cohort.median_time), dash),
        ("Median observed time (months)", "event", months(cohort.median_time_events), dash),
        ("Median observed time (months)", "censored", months(cohort.median_time_censored), dash),
        ("Median follow-up (months)", "reverse Kaplan-Meier", months(cohort.median_follow_up), dash),
    ]
    covariates = [(c.variable, c.level, c.value, str(c.missing)) for c in cohort.characteristics]
    columns = (Column("Characteristic"), Column("Level"), Column("Value", "number"), Column("Missing", "number"))
    return Table("cohort", columns, (*outcome, *covariates), _cohort_notes(results))


def _cohort_notes(results: StudyResults) -> tuple[str, ...]:
    continuous = any(not c.level for c in results.cohort.characteristics)
    counted = any(c.level for c in results.cohort.characteristics)
    unreached = results.cohort.median_follow_up is None
    return (
        *["Continuous covariates: mean (standard deviation) of the known values."] * continuous,
        *["Levels: patients (share of all patients)."] * counted,
        *["Median follow-up –: not reached, the reverse Kaplan-Meier curve stays above one half."] * unreached,
    )


def _share(count: int, total: int) -> str:
    return f"{count} ({100 * count / total:.1f} %)" if total else str(count)


def flow_table(results: StudyResults) -> Table:
    """The exclusion flow, one line a reason."""
    flow, lines = results.flow, [("Rows of the manifest", "", "", str(results.flow.pool))]
    for step in flow.steps:
        reasons = sorted(step.reasons.items(), key=lambda item: (-item[1], item[0]))
        lines += [(step.title, reason, str(count), "") for reason, count in reasons]
        lines.append((step.title, "all", str(step.excluded), str(step.remaining)))
    lines.append(("Analysed", "", "", str(flow.analysed)))
    columns = (Column("Step"), Column("Reason"), Column("Left out", "number"), Column("Remain", "number"))
    return Table("flow", columns, tuple(lines))
