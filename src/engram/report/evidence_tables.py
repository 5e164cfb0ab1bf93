"""Tables of the tests: rows against chance, rows against each other, images against the covariates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engram.evaluation.results import Comparison, IncrementalValue, RowResult, StudyResults
from engram.report import labels
from engram.report.formats import EN_DASH, number, p_value, signed, signed_interval
from engram.report.layout import Column, Table


def evidence_tables(results: StudyResults) -> list[Table]:
    """All of them, those without rows included."""
    return [
        comparisons_table(results),
        exploring_table(results),
        chance_table(results),
        incremental_table(results),
        stage_table(results),
        hazards_table(results),
    ]


def comparisons_table(results: StudyResults) -> Table:
    """The comparisons that were declared before any result: images added to clinical, of one survival model."""
    planned = [one for one in results.comparisons if one.prespecified]
    columns = (Column("Row"), Column("Against"), *_difference_columns("p, Holm"))
    lines = [(one.row, one.other, *_difference_cells(one)) for one in planned]
    notes = (labels.DIFFERENCE, labels.P_PAIRED, labels.HOLM)
    return Table("comparisons", columns, tuple(lines), notes, _untrained(results, (one.row for one in planned)))


def exploring_table(results: StudyResults) -> Table:
    """The pairs that explore: rows that differ in one thing and what it brings along."""
    others = [one for one in results.comparisons if not one.prespecified]
    heads = (Column("Row"), Column("Against"), Column("Differ in"))
    lines = [(one.row, one.other, one.differs_in, *_difference_cells(one)) for one in others]
    notes = (labels.DIFFERENCE, labels.P_PAIRED, labels.BENJAMINI_HOCHBERG)
    untrained = _untrained(results, (one.row for one in others))
    return Table("comparisons_exploring", (*heads, *_difference_columns("p, BH")), tuple(lines), notes, untrained)


def _difference_columns(adjusted: str) -> tuple[Column, ...]:
    heads = ("95 % CI", "p, paired", "p, corrected", adjusted)
    return (Column("Difference", "number"), Column("SE", "error"), *(Column(head, "number") for head in heads))


def _difference_cells(one: Comparison) -> tuple[str, ...]:
    p = (one.p_two_sided, one.p_corrected, one.p_adjusted)
    return (signed(one.difference), number(one.se), signed_interval(one.ci_lower, one.ci_upper), *map(p_value, p))


def chance_table(results: StudyResults) -> Table:
    """Every row against a c-index of 0.5, by each test."""
    rows = labels.by_c_index(labels.were_run(results.rows))
    heads = ("c-index", "p, paper", "p, two-sided", "p, corrected", "p, BH")
    lines = [(row.name, number(row.mean), *map(p_value, _tests(row))) for row in rows]
    notes = (labels.P_VALUE, labels.P_TWO_SIDED, labels.P_CORRECTED, labels.BENJAMINI_HOCHBERG)
    columns = (Column("Row"), *(Column(head, "number") for head in heads))
    return Table("tests_against_chance", columns, tuple(lines), notes, labels.needs_untrained_label(results, rows))


def _tests(row: RowResult) -> tuple[float | None, ...]:
    return row.p, row.p_two_sided, row.p_corrected, row.p_adjusted


def incremental_table(results: StudyResults) -> Table:
    """What the out-of-fold risk of each image row adds to the covariates of all patients."""
    return _added(
        results,
        "incremental_value",
        results.incremental_value,
        labels.likelihood_ratio("all covariates, which are"),
    )


def stage_table(results: StudyResults) -> Table:
    """The same beside the stage alone."""
    note = labels.likelihood_ratio(f"{results.stage} alone, which is")
    return _added(results, "incremental_over_stage", results.incremental_over_stage, note)


def _added(results: StudyResults, name: str, found: Sequence[IncrementalValue], note: str) -> Table:
    heads = ("Likelihood ratio", "p, optimistic", "p, BH", "New information")
    columns = (Column("Row"), *(Column(head, "number") for head in heads))
    lines = [(one.row, number(one.likelihood_ratio, 2), *_value(one)) for one in found]
    reverse = any(map(_is_reverse, found))
    notes = (note, labels.NEW_INFORMATION, *[labels.REVERSE_MEANING] * reverse, labels.BENJAMINI_HOCHBERG)
    return Table(name, columns, tuple(lines), notes, _untrained(results, (one.row for one in found)))


def _is_reverse(one: IncrementalValue) -> bool:
    return one.coefficient is not None and one.coefficient <= 0


def _value(one: IncrementalValue) -> tuple[str, ...]:
    if _is_reverse(one):
        return (labels.REVERSE,)
    return p_value(one.p), p_value(one.p_adjusted), _share(one)


def _share(one: IncrementalValue) -> str:
    return EN_DASH if one.new_information is None else f"{100 * one.new_information:.1f} %"


def hazards_table(results: StudyResults) -> Table:
    """Whether hazards are proportional, column by column of the clinical model."""
    model = results.clinical_model
    found = [] if model is None else model.proportional_hazards
    lines = [(one.column, p_value(one.p), p_value(one.p_adjusted)) for one in found]
    columns = (Column("Covariate"), Column("p", "number"), Column("p, Holm", "number"))
    return Table("proportional_hazards", columns, tuple(lines), (labels.PROPORTIONAL_HAZARDS,))


def _untrained(results: StudyResults, names: Iterable[str]) -> bool:
    chosen = set(names)
    return labels.needs_untrained_label(results, [row for row in results.rows if row.name in chosen])
