"""Is imaging worth it over clinical? The verdict that the saved numbers allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engram.evaluation.performance_records import RowPerformance
from engram.evaluation.results import Comparison, IncrementalValue, RowResult, StudyResults
from engram.report import labels
from engram.report.tested import tested
from engram.report.wording import said
from engram.report.worth_words import FEW_EVENTS, LEVEL, Verdict, Words

_ABOVE: Final = (
    "Difference in c-index on the same folds, images and covariates against the covariates alone by the same "
    "survival model, which each line names: every comparison that was declared before any result, the one named "
    "above in orange."
)
_LINES: Final = (
    "Lines: 95 % bootstrap interval of the test patients, the models staying as they were fitted, "
    "not adjusted for the number of comparisons."
)
_NO_LINES: Final = "Points alone: these test patients allow no interval."
_P: Final = "p: corrected resampled t-test, adjusted by Holm."
_WEAK: Final = (
    "*: another row of covariates alone ranked patients better than this row with its images, so the line says "
    "more of its reference than of the images; these stand last."
)
_BELOW: Final = (
    "Below, the same row (orange) and the covariates alone (grey) beyond the c-index; information new to the "
    "covariates is that of the images alone. None of these is a test."
)


@dataclass(frozen=True)
class Worth:
    """The answer and what it is drawn from.

    comparison: the one that the verdict names, of all `declared` ones: images added to clinical, first those whose
    row no clinical row beats, largest difference first. below: names of the other rows, whose reference is weak.
    before, after: the two rows beyond the c-index; added: what the risk of the image row alone adds to the
    covariates; None where the results do not hold them. seen: what beside covariates: "images" or "embeddings".
    """

    verdict: Verdict
    title: str
    sentences: tuple[str, ...]
    comparison: Comparison
    declared: tuple[Comparison, ...]
    below: frozenset[str]
    before: RowPerformance | None
    after: RowPerformance | None
    added: IncrementalValue | None
    untrained: bool
    seen: str


def worth(results: StudyResults) -> Worth | None:
    """The verdict; None where no comparison of images with the covariates alone was declared."""
    rows = {row.name: row for row in results.rows}
    best = labels.best(results.rows, "clinical")
    below = frozenset(name for name, row in rows.items() if _is_below(row, best))
    declared = sorted(
        (one for one in results.comparisons if one.prespecified),
        key=lambda one: (one.difference is None, one.row in below, -(one.difference or 0.0), one.row),
    )
    if not declared:
        return None
    chosen = next((one for one in declared if _shows(one)), declared[0])
    untrained = labels.needs_untrained_label(results, [rows[one.row] for one in declared])
    optimistic = any(rows[name].protocol == "paper" for name in (chosen.row, chosen.other))
    verdict = _verdict(chosen, declared, below, tested(results)[1], untrained=untrained, optimistic=optimistic)
    words = Words(chosen, tuple(declared), rows[chosen.row], best, results)
    beyond = {} if results.performance is None else {row.row: row for row in results.performance.rows}
    return Worth(
        verdict,
        said(words.title(verdict), results.rows),
        tuple(said(text, results.rows) for text in words.sentences(verdict)),
        chosen,
        tuple(declared),
        below,
        beyond.get(chosen.other),
        beyond.get(chosen.row),
        _added(rows[chosen.row], results),
        untrained,
        said("images", results.rows),
    )


def caption(found: Worth) -> str:
    """What must be read with the figure; of its lower half only what is there."""
    beyond = found.before is not None or found.added is not None
    weak = any(one.row in found.below for one in found.declared)
    lines = _LINES if any(one.ci_lower is not None for one in found.declared) else _NO_LINES
    return " ".join([_ABOVE, lines, _P, *[_WEAK] * weak, *[_BELOW] * beyond])


def _is_below(row: RowResult, best: RowResult | None) -> bool:
    """Whether covariates alone, by any model, ranked patients better than this row with its images."""
    if row.family != "multimodal" or row.mean is None or best is None or best.mean is None:
        return False
    return row.mean < best.mean


def _shows(one: Comparison) -> bool:
    """Images help by this comparison: its interval lies above zero, and so does the test that allows for the number
    of comparisons and for folds that share training patients."""
    return _significant(one) and one.ci_lower is not None and one.ci_lower > 0


def _harms(one: Comparison) -> bool:
    return _significant(one) and one.ci_upper is not None and one.ci_upper < 0


def _significant(one: Comparison) -> bool:
    return one.p_adjusted is not None and one.p_adjusted < LEVEL


def _verdict(
    chosen: Comparison,
    declared: Sequence[Comparison],
    below: frozenset[str],
    events: int,
    *,
    untrained: bool,
    optimistic: bool,
) -> Verdict:
    if untrained:
        return "untrained"
    if events < FEW_EVENTS:
        return "few"
    if optimistic:
        return "optimistic"
    if chosen.difference is None or chosen.p_adjusted is None:
        return "no test"
    if _shows(chosen):
        return "weak reference" if chosen.row in below else "yes"
    return "worse" if all(_harms(one) for one in declared) else "not shown"


def _added(row: RowResult, results: StudyResults) -> IncrementalValue | None:
    """What the image-only row of the same images adds: the first that matches in all that the images go through."""
    seen = (row.modality, row.roi, row.readout, row.head, row.survival)
    alike = [
        other
        for other in results.rows
        if other.family == "image"
        and (other.modality, other.roi, other.readout, other.head, other.survival) == seen
        and (row.modality != "Combined" or other.fusion == row.fusion)
    ]
    found = {one.row: one for one in results.incremental_value}
    return next((found[other.name] for other in alike if other.name in found), None)
