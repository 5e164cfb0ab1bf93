"""Disturbed prompts, masks and registration on the page: what was asked, what stays, what the c-index loses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engram.evaluation.audit_results import unlike
from engram.evaluation.results import StudyResults
from engram.evaluation.robustness_records import CIndexChange, PromptSensitivity, Stability, VariantResult
from engram.report.figures.prompt_sensitivity import draw_prompt_sensitivity
from engram.report.figures.svg import Drawing
from engram.report.formats import EN_DASH, interval, number, p_value, signed, signed_interval
from engram.report.layout import Column, Table

STABILITY, C_INDEX, FIGURE = "prompt_stability", "prompt_c_index", "prompt_sensitivity"
_CHANCE = 0.5
_ABOVE, _BELOW = "above chance", "below chance"
_FEW = 4  # rows that are all named
_ANOTHER = (
    "sensitivity.json is here, but it is not of these results: its study file, manifest, weights, data or code "
    "were others. Run 'engram sensitivity', then 'report'."
)
_ASKED = (
    "Each variant changes one thing of how the scans were read: the prompt, the mask of the region, or the place "
    "of the PET. A changed mask reaches the prompts that are made of it, and the read-outs that pool inside it."
)
_STABILITY_NOTES = (
    "Cosine: between a patient's embedding and the study's own of the same patient; P5: 5th percentile of the "
    "patients. Two patients: mean cosine of the own embeddings of two different patients, against which to read "
    "it. Centred: after the mean of the study's own embeddings is taken from both, for embeddings of one model "
    "point the same way whoever the patient is.",
    "ICC: ICC(2,1) of each component over the patients (two-way random, absolute agreement, one reading; Shrout "
    "and Fleiss, 1979). Agreement and not consistency, for a model in use takes each number as it is.",
)
_C_INDEX_NOTES = (
    "Frozen: the study's model of each fold, applied to test patients who were read in the other way: what a "
    "disturbed prompt costs in use. Retrained: the same folds and protocol on embeddings of the variant alone: "
    "what the prompt is worth.",
    "Difference: c-index of the variant minus that of the study's own embeddings, same patients and folds. "
    "95 % CI: bootstrap (BCa) of the test patients within their folds, the models staying as they were fitted. "
    "p, corrected: two-sided paired t-test over folds, for folds that share training patients (Nadeau and Bengio, "
    "2003); p, BH: adjusted by Benjamini and Hochberg for all rows and variants that are no controls.",
)
# Of controls, by what they disturb: what is expected, and why it may be more.
_EXPECTED = {
    "mask": "expected is chance, 0.5",
    "prompt": "it would be chance, 0.5, if the prompt alone told of the patient",
}
_ABOVE_CHANCE = {
    "mask": "Where it is above chance, more than the region tells: a memory entry is made of the features of its "
    "whole slice, and only read-outs that pool inside the mask leave the rest out.",
    "prompt": "Where it is above chance, more than the prompt tells: a memory entry is made of the features of its "
    "whole slice, and read-outs that pool inside the mask still pool inside the region's.",
}


@dataclass(frozen=True)
class SensitivitySection:
    """sentences: what was asked and found. tables, figure: None and empty where there is nothing to show."""

    sentences: tuple[str, ...]
    tables: dict[str, Table]
    figure: Drawing | None
    untrained: bool


def sensitivity_section(found: PromptSensitivity | None, results: StudyResults) -> SensitivitySection | None:
    """The section; None without a sensitivity.json. One of another study, or of other data, shows only that."""
    if found is None:
        return None
    if unlike(results.provenance, found.hashes):
        return SensitivitySection((_ANOTHER,), {}, None, untrained=False)
    tables = {table.name: table for table in (_stability(found), _c_index(found)) if table.rows}
    figure = draw_prompt_sensitivity(found) if C_INDEX in tables else None
    return SensitivitySection((_ASKED, *lines(found)), tables, figure, found.untrained_weights)


def lines(found: PromptSensitivity) -> list[str]:
    """What was found, in sentences: the controls first, then the largest change, then what could not be made."""
    words = [_control(one) for one in found.variants if one.control and one.changes]
    return [*words, *_largest(found), *_unchanged(found), *_missing(found)]


def _control(variant: VariantResult) -> str:
    """Whether chance is what a control gives, with the interval of each row."""
    model = "retrained" if any(one.model == "retrained" for one in variant.changes) else "frozen"
    changes = [one for one in variant.changes if one.model == model]
    above = any(one.ci_lower is not None and one.ci_lower > _CHANCE for one in changes)
    said = "; ".join(_each(changes) if len(changes) <= _FEW else _counted(changes))
    why = f" {_ABOVE_CHANCE[variant.kind]}" if above else ""
    return f"{_capital(variant.name)}, {model}; {_EXPECTED[variant.kind]}. {said}.{why}"


def _each(changes: Sequence[CIndexChange]) -> list[str]:
    return [f"{one.row}: {_c(one)}, {_against_chance(one)}" for one in changes]


def _counted(changes: Sequence[CIndexChange]) -> list[str]:
    """How many rows are on each side of chance; those that are off it, by name."""
    sides: dict[str, list[CIndexChange]] = {}
    for one in changes:
        sides.setdefault(_against_chance(one), []).append(one)
    off = [f"{one.row}, {_c(one)}, is {side}" for side in (_ABOVE, _BELOW) for one in sides.get(side, [])]
    return [f"Of {len(changes)} rows: {', '.join(f'{len(of)} {side}' for side, of in sides.items())}", *off]


def _c(change: CIndexChange) -> str:
    ends = f" (95 % CI {interval(change.ci_lower, change.ci_upper)})" if change.ci_lower is not None else ""
    return f"c {number(change.c_index)}{ends}"


def _against_chance(change: CIndexChange) -> str:
    if change.ci_lower is None or change.ci_upper is None:
        return "too few patients for an interval"
    if change.ci_lower > _CHANCE:
        return _ABOVE
    return _BELOW if change.ci_upper < _CHANCE else "with an interval that holds chance"


def _largest(found: PromptSensitivity) -> Iterator[str]:
    """The largest loss of each use of models, of variants that are no controls."""
    for model in ("frozen", "retrained"):
        known = [
            (one.difference, variant.name, one)
            for variant in found.variants
            for one in variant.changes
            if not variant.control and one.model == model and one.difference is not None
        ]
        if known:
            difference, name, change = min(known, key=lambda one: one[0])
            ends = signed_interval(change.difference_lower, change.difference_upper)
            yield (
                f"Models {model}: of {len(known)} changes, the lowest is {signed(difference)} (95 % CI {ends}): "
                f"{name}, row {change.row}. The lowest of many looks worse than it is."
            )


def _unchanged(found: PromptSensitivity) -> Iterator[str]:
    """Variants that are none, for some embedding: read as a stability, their 1.000 would mislead."""
    for variant in found.variants:
        reached = [one for one in variant.stability if variant.kind != "registration" or one.modality == "PET"]
        same = [f"{one.modality}, {one.roi}, {one.readout}" for one in reached if one.unchanged == one.n]
        if same:
            yield (
                f"{_capital(variant.name)} changed no embedding of any patient: {'; '.join(same)}. Its "
                "distance may be below a voxel's side, or the read-out beyond its reach."
            )


def _missing(found: PromptSensitivity) -> Iterator[str]:
    for variant in found.variants:
        if variant.left_out:
            why = "; ".join(f"{reason} ({count})" for reason, count in variant.left_out.items())
            yield f"{_capital(variant.name)} could not be made of everybody: {why}."
        for text in variant.absent:
            yield f"{_capital(variant.name)}, no numbers: {text}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _stability(found: PromptSensitivity) -> Table:
    heads = ("Patients", "Cosine", "P5", "Two patients", "Centred cosine", "P5", "ICC, median", "ICC, 5 to 95 %")
    columns = (Column("Variant"), Column("Embedding"), *(Column(head, "number") for head in heads))
    rows = tuple(_stable(variant, one) for variant in found.variants for one in variant.stability)
    return Table(STABILITY, columns, rows, _STABILITY_NOTES, found.untrained_weights)


def _stable(variant: VariantResult, one: Stability) -> tuple[str, ...]:
    icc = one.icc_quantiles
    return (
        variant.name,
        f"{one.modality}, {one.roi}, {one.readout}",
        str(one.n),
        *(
            number(value)
            for value in (one.cosine_mean, one.cosine_p5, one.between, one.centred_mean, one.centred_p5)
        ),
        EN_DASH if icc is None else number(icc[2], 2),
        EN_DASH if icc is None else interval(icc[0], icc[-1], 2),
    )


def _c_index(found: PromptSensitivity) -> Table:
    heads = ("Patients", "c, study", "c", "95 % CI", "Difference", "95 % CI", "p, corrected", "p, BH")
    columns = (Column("Variant"), Column("Row"), Column("Model"), *(Column(head, "number") for head in heads))
    rows = tuple(_changed(variant, one) for variant in found.variants for one in _in_order(variant.changes))
    return Table(C_INDEX, columns, rows, _C_INDEX_NOTES, found.untrained_weights)


def _in_order(changes: Sequence[CIndexChange]) -> list[CIndexChange]:
    """The ways of using models of one row together."""
    rows = list(dict.fromkeys(one.row for one in changes))
    return sorted(changes, key=lambda one: rows.index(one.row))


def _changed(variant: VariantResult, one: CIndexChange) -> tuple[str, ...]:
    return (
        variant.name,
        one.row,
        one.model,
        str(one.n),
        number(one.c_study),
        number(one.c_index),
        interval(one.ci_lower, one.ci_upper),
        signed(one.difference),
        signed_interval(one.difference_lower, one.difference_upper),
        p_value(one.p_corrected),
        p_value(one.p_adjusted),
    )
