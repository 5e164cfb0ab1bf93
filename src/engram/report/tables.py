"""From results to rows of text: what a table of the page says, its CSV file says too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from engram.evaluation.results import DrawnMasks, RowResult, StudyResults
from engram.report import labels, shown
from engram.report.evidence_tables import evidence_tables
from engram.report.formats import EN_DASH, interval, months, number, or_dash, p_value
from engram.report.layout import Column, Table
from engram.report.performance import performance_table
from engram.report.shown import Shown
from engram.table import PET_NUMBERS

TABLE_NAMES = (
    "table1_image_only",
    "table2_multimodal",
    "table3_comparison",
    "comparisons",
    "comparisons_exploring",
    "tests_against_chance",
    "incremental_value",
    "proportional_hazards",
    "beyond_c_index",
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
        *evidence_tables(results),
        performance_table(results),
        fold_table(results),
        drawn_masks_table(results),
        cohort_table(results),
        flow_table(results),
    )
    return {table.name: table for table in tables if table.rows}


def family_table(results: StudyResults, name: str, family: Literal["image", "multimodal"]) -> Table:
    """Tables 1 and 2 of the paper: one line a row of the family, highest c-index first."""
    rows = labels.by_c_index(row for row in results.rows if row.family == family)
    many = labels.names_read_outs(rows)
    titles = ["Origin", "Mask", *["Read-out"] * many, "Model", "Downsampling", "Fusion"]
    lines = [
        (
            row.modality,
            row.roi,
            *[row.readout] * many,
            labels.encoder_name(row, results.provenance),
            or_dash(row.head),
            or_dash(row.fusion),
        )
        for row in rows
    ]
    masks_shown = Shown.of(results).kind == "mask"
    notes = (labels.read_outs(rows, masks_shown=masks_shown),) if many else ()
    return _with_c_index(results, name, [Column(title) for title in titles], lines, rows, notes)


def comparison_table(results: StudyResults) -> Table:
    """Table 3 of the paper: the best row of each family beside every baseline, clinical or of PET numbers."""
    chosen = [labels.best(results.rows, family) for family in ("image", "multimodal")]
    rows = labels.by_c_index(
        [row for row in chosen if row is not None]
        + [row for row in results.rows if row.family == "clinical" or row.readout == PET_NUMBERS]
    )
    lines = [(labels.FAMILIES[row.family], row.name, labels.encoder_name(row, results.provenance)) for row in rows]
    notes = (labels.BEST_OF_MANY,) if any(row is not None for row in chosen) else ()
    heads = [Column("Sees"), Column("Row"), Column("Model")]
    return _with_c_index(results, "table3_comparison", heads, lines, rows, notes)


def _with_c_index(
    results: StudyResults,
    name: str,
    heads: Sequence[Column],
    lines: Sequence[tuple[str, ...]],
    rows: Sequence[RowResult],
    notes: tuple[str, ...],
) -> Table:
    """Add c-index, SE, interval, both p, and where there is something to say, true c and the usable folds."""
    partial = any(labels.usable_folds(row) < len(row.c_index) for row in rows)
    columns = [*heads, Column("c-index", "number"), Column("SE", "error"), Column("95 % CI", "number")]
    columns += [Column("p, paper", "number"), Column("p, corrected", "number")]
    columns += [Column("True c", "number")] * results.synthetic + [Column("Folds", "number")] * partial
    cells = [
        (
            *line,
            *_c_cells(row),
            *_true_cell(results, row),
            *[f"{labels.usable_folds(row)} of {len(row.c_index)}"] * partial,
        )
        for line, row in zip(lines, rows, strict=True)
    ]
    return Table(
        name,
        tuple(columns),
        tuple(cells),
        (*labels.OF_A_C_INDEX, *labels.no_interval(rows), *[labels.TRUE_C] * results.synthetic, *notes),
        labels.needs_untrained_label(results, rows),
    )


def _c_cells(row: RowResult) -> tuple[str, ...]:
    if row.mean is None:
        return f"{EN_DASH} (no comparable pairs)", *[EN_DASH] * 4
    few = labels.usable_folds(row) < 2
    se = f"{EN_DASH} (one usable fold)" if row.se is None and few else number(row.se)
    p = f"{EN_DASH} (needs two folds)" if row.p is None and few else p_value(row.p)
    return number(row.mean), se, interval(row.ci_lower, row.ci_upper), p, p_value(row.p_corrected)


def _true_cell(results: StudyResults, row: RowResult) -> list[str]:
    return [number(row.true_mean)] if results.synthetic else []


def fold_table(results: StudyResults) -> Table:
    """Size of each test fold, the c-index of the truth on it where it is known, then that of each row."""
    rows = labels.by_c_index(results.rows)
    columns = [Column("Row"), *(Column(f"Fold {i + 1}", "number") for i in range(len(results.folds)))]
    lines = [
        ("Patients", *(str(fold.n) for fold in results.folds)),
        ("Events", *(str(fold.events) for fold in results.folds)),
        *_truth_lines(rows),
        *((row.name, *map(number, row.c_index)) for row in rows),
    ]
    missing = any(value is None for row in rows for value in row.c_index)
    notes = [*[labels.TRUE_C] * results.synthetic, *[labels.NO_C] * missing]
    return Table("folds", tuple(columns), tuple(lines), tuple(notes), labels.needs_untrained_label(results, rows))


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
