"""Is imaging worth it over clinical? The verdict that the saved numbers allow, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from engram.evaluation.performance_records import RowPerformance
from engram.evaluation.results import Comparison, IncrementalValue, RowResult, StudyResults
from engram.report import labels
from engram.report.formats import p_value, signed, signed_interval
from engram.report.wording import said

LEVEL: Final = 0.05
# Below so many events even one fixed model cannot be judged (Collins, Ogundimu and Altman, Statistics in Medicine
# 35 (2016) 214), and a difference between two of them needs more.
FEW_EVENTS: Final = 100

_ABOVE: Final = (
    "Difference in c-index on the same folds, images and covariates against the covariates alone by the same "
    "survival model: every comparison that was declared before any result, the one named above in orange. Lines: "
    "95 % bootstrap interval of the test patients, the models staying as they were fitted, not adjusted for the "
    "number of comparisons. p: corrected resampled t-test, adjusted by Holm."
)
_BELOW: Final = (
    "Below, the same row (orange) and the covariates alone (grey) beyond the c-index; information new to the "
    "covariates is that of the images alone. None of these is a test."
)

Verdict = Literal["untrained", "few", "optimistic", "no test", "yes", "worse", "not shown"]


@dataclass(frozen=True)
class Worth:
    """The answer and what it is drawn from.

    comparison: the one that the verdict names, of all `declared` ones: images added to clinical, largest difference
    first. before, after: the two rows beyond the c-index; added: what the risk of the image row alone adds to the
    covariates; None where the results do not hold them. seen: what beside covariates: "images" or "embeddings".
    """

    verdict: Verdict
    title: str
    sentences: tuple[str, ...]
    comparison: Comparison
    declared: tuple[Comparison, ...]
    before: RowPerformance | None
    after: RowPerformance | None
    added: IncrementalValue | None
    untrained: bool
    seen: str


def worth(results: StudyResults) -> Worth | None:
    """The verdict; None where no comparison of images with the covariates alone was declared."""
    declared = sorted(
        (one for one in results.comparisons if one.prespecified),
        key=lambda one: (one.difference is None, -(one.difference or 0.0), one.row),
    )
    if not declared:
        return None
    rows = {row.name: row for row in results.rows}
    chosen = next((one for one in declared if _shows(one)), declared[0])
    untrained = labels.needs_untrained_label(results, [rows[one.row] for one in declared])
    optimistic = any(rows[name].protocol == "paper" for name in (chosen.row, chosen.other))
    verdict = _verdict(chosen, declared, results.cohort.events, untrained=untrained, optimistic=optimistic)
    title, first = (said(text, results.rows) for text in _words(verdict, chosen, results))
    beyond = {} if results.performance is None else {row.row: row for row in results.performance.rows}
    before, after = beyond.get(chosen.other), beyond.get(chosen.row)
    added = _added(rows[chosen.row], results)
    sentences = (first, *_numbers(chosen, declared), *_net_benefit(chosen, results))
    seen = said("images", results.rows)
    return Worth(verdict, title, sentences, chosen, tuple(declared), before, after, added, untrained, seen)


def caption(found: Worth) -> str:
    """What must be read with the figure; of its lower half only what is there."""
    beyond = found.before is not None or found.added is not None
    return " ".join([_ABOVE, *[_BELOW] * beyond])


def _shows(one: Comparison) -> bool:
    """Images help by this comparison: its interval lies above zero, and so does the test that allows for the number
    of comparisons and for folds that share training patients."""
    return _significant(one) and one.ci_lower is not None and one.ci_lower > 0


def _harms(one: Comparison) -> bool:
    return _significant(one) and one.ci_upper is not None and one.ci_upper < 0


def _significant(one: Comparison) -> bool:
    return one.p_adjusted is not None and one.p_adjusted < LEVEL


def _verdict(
    chosen: Comparison, declared: list[Comparison], events: int, *, untrained: bool, optimistic: bool
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
        return "yes"
    return "worse" if all(_harms(one) for one in declared) else "not shown"


def _words(verdict: Verdict, one: Comparison, results: StudyResults) -> tuple[str, str]:
    """The answer in a few words, and the sentence that says why."""
    n, events = results.cohort.n, results.cohort.events
    where = "in these synthetic patients" if results.synthetic else "by this study"
    cohort = f"{n} patients with {events} events"
    return {
        "untrained": (
            "This study cannot tell: the image model is untrained.",
            "Its weights are random, so whatever the images add here says nothing about the method.",
        ),
        "few": (
            f"This study cannot tell: {events} events.",
            f"With fewer than {FEW_EVENTS} events a difference between two models is not to be told from chance, "
            "whatever its size or its p.",
        ),
        "optimistic": (
            "This study cannot tell: it was tuned on its test folds.",
            "Settings were chosen by the very folds that measure them, so both rows look better than they are, "
            "and the one with more to tune the more so. Tune inside the folds (tuning.protocols: [nested]) to "
            "know.",
        ),
        "no test": (
            "This study cannot tell: there is no test.",
            f"The test folds of {cohort} do not allow one.",
        ),
        "yes": (
            f"Yes, {where}.",
            f"With images, {cohort} were ranked better than by the covariates alone: the interval lies above zero, "
            f"and the corrected p, adjusted for all declared comparisons, is below {LEVEL:g}. It says nothing "
            "about other hospitals, and a higher c-index need not change a decision.",
        ),
        "worse": (
            f"No, {where}: images made the ranking worse.",
            f"Every declared comparison lies below zero, and the adjusted p is below {LEVEL:g}.",
        ),
        "not shown": (
            f"Not shown {where}.",
            f"{_why_not(one)} That is no proof of no gain: {cohort} may be too few to show one.",
        ),
    }[verdict]


def _why_not(one: Comparison) -> str:
    above = one.ci_lower is not None and one.ci_lower > 0
    p = f"the corrected p, adjusted for all declared comparisons, is {p_value(one.p_adjusted)}"
    if one.difference is not None and one.difference <= 0:
        return f"No declared row ranked patients better than the covariates alone; {p}."
    if above:
        return f"The interval lies above zero, but it takes the models as they were fitted; {p}."
    if one.ci_lower is None:
        return f"There is no interval, and {p}."
    return f"The interval includes no difference at all, and {p}."


def _numbers(one: Comparison, declared: list[Comparison]) -> list[str]:
    if one.difference is None:
        return []
    which = "the largest" if one is declared[0] else "one"
    among = "the only declared comparison" if len(declared) == 1 else f"{which} of {len(declared)} declared"
    return [
        f"Difference in c-index {signed(one.difference)} (95 % CI {signed_interval(one.ci_lower, one.ci_upper)}; "
        f"corrected p {p_value(one.p_corrected)}, adjusted {p_value(one.p_adjusted)}): \u201c{one.row}\u201d "
        f"against \u201c{one.other}\u201d, {among}."
    ]


def _net_benefit(one: Comparison, results: StudyResults) -> list[str]:
    """Where decision curves of both rows are saved: at how many thresholds the images are worth more."""
    found = results.performance
    curves = {} if found is None else {curve.row: curve.net_benefit for curve in found.curves}
    if found is None or found.horizon_months is None or not {one.row, one.other} <= curves.keys():
        return []
    pairs = zip(curves[one.row], curves[one.other], strict=True)
    known = [a - b for a, b in pairs if a is not None and b is not None]
    seen = said("images", results.rows)
    return [
        f"Net benefit at {found.horizon_months:g} months is higher with {seen} at {sum(d > 0 for d in known)} of "
        f"{len(known)} thresholds (no test)."
    ]


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
