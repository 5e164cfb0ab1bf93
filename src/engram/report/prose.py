"""The sentences of the page, made from what is saved; nothing is claimed that the results do not hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engram.evaluation.results import ClinicalModel, ColumnTest, EncoderProvenance, RowResult, StudyResults
from engram.report import labels, shown
from engram.report.formats import interval, joined, number
from engram.report.shown import Shown
from engram.report.tested import where_tested
from engram.report.wording import said
from engram.report.worth import worth

_NO_BREAK = "\N{NO-BREAK SPACE}"
_LEVEL = 0.05
_FAMILY_WORDS = {"multimodal": "image + clinical", "clinical": "clinical", "image": "image-only"}


FEW_NOTES = 3  # more notes of single fits than this are folded away


@dataclass(frozen=True)
class Banner:
    """One warning above the results. kind: `untrained`, `synthetic` or `warning`, for its look."""

    kind: str
    title: str
    text: str


def banners(results: StudyResults) -> list[Banner]:
    """What a reader must know before any number, gravest first."""
    found: list[Banner] = []
    if results.provenance.untrained_weights:
        found.append(Banner("untrained", labels.UNTRAINED, labels.UNTRAINED_MEANING))
    elif results.provenance.weights is not None and not results.provenance.verified_weights:
        found.append(Banner("warning", labels.UNVERIFIED, labels.UNVERIFIED_MEANING))
    if results.synthetic:
        found.append(Banner("synthetic", labels.SYNTHETIC, labels.SYNTHETIC_MEANING))
    return found + [Banner("warning", "Warning", text) for text in results.warnings]


def summary(results: StudyResults) -> str:
    """What was found, in one sentence: the best row of each family."""
    where = where_tested(results)
    best = [labels.best(results.rows, family) for family in labels.FAMILIES]
    found = [_best(row, results) for row in best if row is not None]
    if not found:
        return f"{where}, no row has a c-index: no two patients of a test fold can be compared."
    return f"{where}, {joined(found)}."


def chosen(results: StudyResults) -> list[str]:
    """How the rows of the summary were chosen, where there is one."""
    return [labels.BEST_OF_MANY] * any(labels.best(results.rows, family) for family in labels.FAMILIES)


def lines(results: StudyResults) -> list[str]:
    """What a terminal is told: the summary, the verdict on images, how rows were chosen, every warning."""
    warnings = [f"{banner.title}: {banner.text}" for banner in banners(results)]
    found = worth(results)
    title = said("Is imaging worth it over clinical?", results.rows)
    verdict = [] if found is None else [f"{title} {found.title}"]
    return [summary(results), *verdict, *chosen(results), *warnings, *_few_notes(results.fold_notes)]


def _few_notes(notes: Sequence[str]) -> list[str]:
    more = len(notes) - FEW_NOTES
    return [*notes[:FEW_NOTES], *[f"And {more} more of the kind: see the top of the report."] * (more > 0)]


def sees_the_region(results: StudyResults) -> str:
    """Whether what the model draws lies on the regions, where there are any drawn masks."""
    untrained = results.provenance.untrained_weights
    return shown.sees_the_region(results.drawn_masks, Shown.of(results), untrained=untrained)


def _best(row: RowResult, results: StudyResults) -> str:
    se = f"{_NO_BREAK}±{_NO_BREAK}{number(row.se)}" if row.se is not None else _limits(row)
    truth = f" (true c {number(row.true_mean)})" if results.synthetic and row.true_mean is not None else ""
    mark = "; untrained weights" if labels.needs_untrained_label(results, [row]) else ""
    mean = f"c{_NO_BREAK}={_NO_BREAK}{number(row.mean)}"
    usable, folds = labels.usable_folds(row), len(row.c_index)
    partly = f" on {usable} of {folds} folds" if usable < folds else ""
    family = said(_FAMILY_WORDS[row.family], results.rows)
    return f"the best {family} row ({row.name}{mark}) had {mean}{se}{truth}{partly}"


def _limits(row: RowResult) -> str:
    """The interval of a row on one fold, which has no standard error."""
    return "" if row.ci_lower is None else f" (95{_NO_BREAK}% CI {interval(row.ci_lower, row.ci_upper)})"


def clinical_model(results: StudyResults) -> list[str]:
    """What one Cox model of all covariates says of the cohort: how many parameters it bears, and of proportional
    hazards. Empty where no row sees a covariate."""
    model = results.clinical_model
    if model is None:
        return [said(labels.NO_CLINICAL_MODEL, results.rows)] * any(row.family != "image" for row in results.rows)
    n, events = results.cohort.n, results.cohort.events
    return [
        f"One Cox model of all covariates, fitted on all patients to describe them and used by no row, has "
        f"{model.parameters} parameters: {model.events_per_parameter:.1f} events for each. It explains "
        f"{100 * model.r2:.1f}{_NO_BREAK}% (Cox-Snell R², after shrinkage by {model.shrinkage:.2f}), "
        f"{_borne(model, n, events)}.",
        *_proportional(model.proportional_hazards),
    ]


def _borne(model: ClinicalModel, n: int, events: int) -> str:
    if model.parameters_allowed is None:
        return (
            "more than the criteria of Riley et al. (2019) allow for, so how many parameters it bears is not known"
        )
    enough = "no fewer than" if model.parameters <= model.parameters_allowed else "fewer than"
    return (
        f"at which {n} patients with {events} events bear {model.parameters_allowed:.1f} parameters "
        f"(Riley et al., 2019), {enough} these"
    )


def _proportional(tests: Sequence[ColumnTest]) -> list[str]:
    if not tests:
        return []
    changing = [one.column for one in tests if one.p_adjusted is not None and one.p_adjusted < _LEVEL]
    if not changing:
        return [f"No test speaks against proportional hazards (no Holm-adjusted p below {_LEVEL:g})."]
    return [f"Hazards are not proportional for {joined(changing)} (Holm-adjusted p below {_LEVEL:g})."]


def reading_notes(results: StudyResults) -> list[str]:
    """How to read the page: what each number is, and what it is not."""
    found = [
        "A c-index of 0.5 is chance and 1 is a perfect order: of two patients who can be compared, how often the "
        "one with the higher risk had the event first. It says nothing about calibration.",
        "The standard error over folds is not a confidence interval: test folds share training patients, "
        "and a handful of folds estimate it poorly. Do not rank models by it.",
        "Folds are not independent, so the paper's t-test rejects too often; the corrected one allows for it. "
        f"Rows tested: {len(labels.were_run(results.rows))}; the p of Tables 1 to 3 are not adjusted for their "
        "number.",
    ]
    if labels.best(results.rows, "image") or labels.best(results.rows, "multimodal"):
        found.append(labels.BEST_OF_MANY)
    if results.synthetic:
        found.append(labels.TRUE_C)
    groups = results.risk_groups
    if groups is not None and groups.curves and labels.why_not_drawn(groups) is None:
        found.append(labels.POOLED_LOG_RANK)
    return found


def provenance_lines(results: StudyResults) -> list[tuple[str, str]]:
    """Everything that the numbers were made with, as pairs of text."""
    made = results.provenance
    state = "untrained" if made.untrained_weights else "verified" if made.verified_weights else "not verified"
    weights = f"{made.weights} ({state})" if made.weights else None
    pairs = [
        ("Engram", made.engram),
        ("Python", made.python),
        *sorted(made.libraries.items()),
        ("Seed", str(made.seed)),
        ("Study digest (SHA-256)", made.study_digest),
        ("Manifest digest (SHA-256)", made.manifest_digest),
        ("Weights", weights),
        ("Weights digest (SHA-256)", made.weights_digest),
        *((f"Encoder: {name}", _encoder(one)) for name, one in made.encoders.items()),
        *((f"Protocol: {key}", _value(value)) for key, value in made.protocol.items()),
        ("Protocol digest (SHA-256)", made.protocol_digest),
    ]
    return [(name, value) for name, value in pairs if value is not None]


def _encoder(made: EncoderProvenance) -> str:
    state = "untrained" if made.untrained else "verified" if made.verified else "not verified"
    licence = f"; licence: {made.licence}" if made.licence is not None else ""
    return f"{made.weights} ({state}{licence}); SHA-256 {made.digest}; {made.reading}"


def _value(value: str | int | float | bool | list[float]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " to ".join(f"{item:g}" for item in value) if len(value) == 2 else ", ".join(map(str, value))
    return str(value)
