"""From results to rows of text: what a table of the page says, its CSV file says too."""

from __future__ import annotations

from collections.abc import Iterable

from engram.evaluation.results import DrawnMasks, RowResult, StudyResults
from engram.report import labels, shown
from engram.report.c_index_tables import comparison_table, family_table
from engram.report.cohort_tables import cohort_table, flow_table, groups_table
from engram.report.decomposition import decomposition_table
from engram.report.evidence_tables import evidence_tables
from engram.report.formats import number, share
from engram.report.gates import gates_table
from engram.report.layout import Column, Table
from engram.report.performance import performance_table
from engram.report.sensitivity_tables import sensitivity_tables
from engram.report.shown import Shown
from engram.report.tuning_tables import BEST, RANGES, tuning_tables

TABLE_NAMES = (
    "table1_image_only",
    "gates",
    "table2_multimodal",
    "table3_comparison",
    "protocols",
    "searches",
    RANGES,
    BEST,
    "decomposition",
    "comparisons",
    "comparisons_exploring",
    "tests_against_chance",
    "incremental_value",
    "incremental_over_stage",
    "proportional_hazards",
    "beyond_c_index",
    "repeated",
    "repeated_comparisons",
    "permutation_null",
    "missingness",
    "missing_variables",
    "folds",
    "drawn_masks",
    "cohort",
    "cohort_by_group",
    "flow",
)


def all_tables(results: StudyResults) -> dict[str, Table]:
    """Every table that has rows, by name."""
    tables = (
        family_table(results, "table1_image_only", "image"),
        gates_table(results),
        family_table(results, "table2_multimodal", "multimodal"),
        comparison_table(results),
        *tuning_tables(results),
        decomposition_table(results),
        *evidence_tables(results),
        performance_table(results),
        *sensitivity_tables(results),
        fold_table(results),
        drawn_masks_table(results),
        cohort_table(results),
        groups_table(results),
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
    if splits is None or not any(splits.test):
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
            share(group.flagged, group.n),
        )
        for group in results.drawn_masks
    ]
    notes = ("Flagged: patients whose Dice lies below the limit.", shown.note(Shown.of(results)))
    return Table("drawn_masks", columns, tuple(lines), notes, results.provenance.untrained_weights)


def _quartiles(group: DrawnMasks) -> str:
    lower, median, upper = map(number, group.dice_quartiles)
    return f"{median} ({lower} to {upper})"
