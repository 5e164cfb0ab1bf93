"""Tables beside the main analysis: other splits, outcomes that say nothing, missing values; as saved."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Final

from engram.evaluation.results import StudyResults
from engram.evaluation.sensitivity_records import (
    MissingnessRow,
    PermutationNull,
    RepeatedComparison,
    RepeatedRow,
)
from engram.report import labels
from engram.report.formats import EN_DASH, interval, number, p_value, signed, signed_interval
from engram.report.layout import Column, Table
from engram.report.methods_evaluation import fewer_repeats

_REPEATED = (
    "Mean and SD are over the repeats, each a whole cross-validation with folds of its own; the first repeat is "
    "the main analysis. SD is the luck of the split alone: it is no standard error of the c-index. SE and p, "
    "corrected: over all test folds of all repeats, for folds that share training patients (Bouckaert and Frank, "
    "2004)."
)
_REPEATED_COMPARISONS = (
    "Pairs that were declared before any result, where both rows were repeated. Difference: c-index of the row "
    "minus that of the other, mean over the repeats; SD: over the repeats, the luck of the split alone. SE and p, "
    "corrected: of the differences on all test folds of all repeats, for folds that share training patients. p, "
    "Holm: adjusted for all comparisons of this table."
)
_ENOUGH: Final = 100  # permutations below which p is told to be coarse
_NULL = (
    "Events and times were permuted together over the patients and the whole evaluation, folds and tuning "
    "included, was run again on each permutation. p: share of permutations with a c-index as high as the one "
    "found, that one counted, too. It was done for rows of ridge Cox only, as declared: the others take too long."
)
_MISSINGNESS = (
    "Imputation models see the covariates alone, for a new patient has no outcome, and are fitted on the training "
    "part of each fold. With several imputations, a patient's log-risk is their average; SD: of the c-index "
    "between single imputations. Complete cases: the same folds less the patients who lack anything. Main, same "
    "patients: c-index of the main analysis on the test patients of this line. Difference: c-index less that."
)
_MISSING = "With the event: of those who lack the covariate, and of those who have it."
_DIFFER = (
    "Where the two differ much, values may not be missing completely at random, and complete cases alone may "
    "mislead."
)
_TOO_FEW = "Where 10 patients or fewer lack a covariate, a difference between the two says nothing."
_SOME = 10  # patients who lack a covariate, above whom a share of them is worth a word

# (table, title on the page, open where it is short)
SENSITIVITY_PARTS: Final = (
    ("repeated", "Would other folds tell another story?", True),
    ("repeated_comparisons", "Do images add to the covariates, over all these folds?", True),
    ("permutation_null", "What does the same evaluation find where there is nothing to find?", True),
    ("missingness", "Does it matter how missing covariates are treated?", True),
    ("missing_variables", "Which covariates are missing, and in whom?", False),
)


_TITLES: Final = (
    ("Other splits", {"repeated", "repeated_comparisons"}),
    ("no signal", {"permutation_null"}),
    ("missing values", {"missingness", "missing_variables"}),
)


def sensitivity_title(there: Set[str]) -> str:
    """The heading of the section, of what is there. there: names of tables."""
    title = ", ".join(words for words, names in _TITLES if names & there)
    return title[:1].upper() + title[1:]


def sensitivity_tables(results: StudyResults) -> list[Table]:
    """All of them, those without rows included."""
    return [
        repeated_table(results),
        repeated_comparisons_table(results),
        null_table(results),
        missingness_table(results),
        missing_variables_table(results),
    ]


def repeated_table(results: StudyResults) -> Table:
    """Rows over repeated cross-validation, as the main analysis ranks them."""
    heads = ("Repeats", "Main analysis", "Mean", "SD", "Lowest to highest", "SE, corrected", "p, corrected")
    found = {one.row: one for one in results.repeated}
    rows = [row for row in labels.by_c_index(labels.were_run(results.rows)) if row.name in found]
    lines = [_repeated(found[row.name], row.mean) for row in rows]
    untrained = labels.needs_untrained_label(results, rows)
    notes = (_REPEATED, *filter(None, [fewer_repeats(results)]))
    return Table("repeated", (Column("Row"), *_numbers(heads)), tuple(lines), notes, untrained)


def _numbers(heads: Sequence[str]) -> list[Column]:
    return [Column(head, "number") for head in heads]


def _repeated(one: RepeatedRow, main: float | None) -> tuple[str, ...]:
    known = [mean for mean in one.means if mean is not None]
    ends = interval(min(known), max(known)) if known else EN_DASH
    last = (number(one.se_corrected), p_value(one.p_corrected))
    return (one.row, str(len(one.means)), number(main), number(one.mean), number(one.sd), ends, *last)


def repeated_comparisons_table(results: StudyResults) -> Table:
    """Pairs of repeated rows that were declared before any result."""
    heads = ("Difference", "SD", "Lowest to highest", "SE, corrected", "p, corrected", "p, Holm")
    lines = [_repeated_comparison(one) for one in results.repeated_comparisons]
    columns, compared = (Column("Row"), Column("Against"), *_numbers(heads)), {line[0] for line in lines}
    untrained = labels.needs_untrained_label(results, (row for row in results.rows if row.name in compared))
    return Table("repeated_comparisons", columns, tuple(lines), (_REPEATED_COMPARISONS,), untrained)


def _repeated_comparison(one: RepeatedComparison) -> tuple[str, ...]:
    known = [value for value in one.differences if value is not None]
    ends = signed_interval(min(known), max(known)) if known else EN_DASH
    last = (number(one.se_corrected), p_value(one.p_corrected), p_value(one.p_adjusted))
    return (one.row, one.other, signed(one.mean), number(one.sd), ends, *last)


def null_table(results: StudyResults) -> Table:
    """What each row gives where outcomes say nothing."""
    heads = ("c-index", "Permutations", "Without signal: mean", "95 % of permutations", "p")
    lines = [_null(one) for one in results.permutation_null]
    return Table("permutation_null", (Column("Row"), *_numbers(heads)), tuple(lines), _null_notes(results))


def _null_notes(results: StudyResults) -> tuple[str, ...]:
    fewest = min((one.permutations for one in results.permutation_null), default=0)
    smallest = f"The smallest p that {fewest} permutations allow is 1 / {fewest + 1} = {p_value(1 / (fewest + 1))}."
    few = f"Fewer than {_ENOUGH} permutations: p is coarse, and may not be able to fall below 0.05 or 0.01 at all."
    return (_NULL, smallest, *[few] * (fewest < _ENOUGH))


def _null(one: PermutationNull) -> tuple[str, ...]:
    ends = one.null_quantiles
    middle = interval(ends[0], ends[-1]) if ends else EN_DASH
    return (
        one.row,
        number(one.c_index),
        f"{one.permutations}{f' ({one.not_evaluable} not evaluable)' if one.not_evaluable else ''}",
        number(one.null_mean),
        middle,
        p_value(one.p),
    )


def missingness_table(results: StudyResults) -> Table:
    """The clinical rows under other ways to treat what is missing; one that was not run says why."""
    heads = ("Test patients", "Events", "Imputations", "c-index", "Main, same patients", "Difference", "SD")
    columns = (Column("Row"), Column("Analysis"), *_numbers(heads))
    lines = [_missingness(one) for one in results.missingness]
    return Table("missingness", columns, tuple(lines), (_MISSINGNESS,))


def _missingness(one: MissingnessRow) -> tuple[str, ...]:
    first = (one.row, one.analysis, str(one.n), str(one.events))
    if one.absent is not None:
        return (*first, f"not run: {one.absent}")
    many = EN_DASH if one.imputations is None else str(one.imputations)
    last = (number(_main(one)), signed(one.difference), number(one.sd_imputations))
    return (*first, many, number(one.c_index), *last)


def _main(one: MissingnessRow) -> float | None:
    """The main analysis on the same test patients."""
    if one.c_index is None or one.analysis == "main":
        return one.c_index
    return None if one.difference is None else one.c_index - one.difference


def missing_variables_table(results: StudyResults) -> Table:
    """How often each covariate is missing, and whether that goes with the event."""
    heads = ("Missing", "Share", "With the event, missing", "With the event, known")
    lines = [
        (
            one.variable,
            str(one.missing),
            _percent(one.share),
            _percent(one.events_missing),
            _percent(one.events_known),
        )
        for one in results.missing_variables
        if one.missing
    ]
    counts = [one.missing for one in results.missing_variables if one.missing]
    some, few = any(n > _SOME for n in counts), any(n <= _SOME for n in counts)
    notes = [_MISSING, *[_DIFFER] * some, *[_TOO_FEW] * few]
    return Table("missing_variables", (Column("Covariate"), *_numbers(heads)), tuple(lines), tuple(notes))


def _percent(share: float | None) -> str:
    return EN_DASH if share is None else f"{100 * share:.1f} %"
