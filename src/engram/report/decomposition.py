"""Encoder alone, encoder and prompt, and memory: three rows on the same folds, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engram.evaluation.decomposition import STEPS
from engram.evaluation.results import Comparison, RowResult, StudyResults
from engram.report import labels
from engram.report.formats import EN_DASH, number, or_dash, p_value, signed, signed_interval
from engram.report.layout import Column, Table

_WHAT = (
    "Encoder: features of the model's image encoder alone. Prompt: each slice read with its prompt, nothing "
    "recalled. Memory: the same slices under the protocol of the study. All are pooled inside the region, over the "
    "same slices, and ranked by the same survival model on the same folds."
)
_POOLING = (
    "The encoder's row is the mean of its features; the other two are mean, sd and maximum of memory entries. What "
    "the prompt adds is therefore prompt, mask decoder, memory encoder and pooling together; what the memory adds "
    "is what the slices recall, and nothing else."
)
_LITERAL = "The protocol of this study recalls nothing: with and without memory are one reading."
_P = (
    "p: of that difference, two-sided, by the corrected resampled t-test (Nadeau and Bengio, 2003); not adjusted "
    "here. Adjusted, it stands among the comparisons that explore."
)

_Place = tuple[str, ...]  # of three rows that differ in the step alone: what they see, the region, the model
_Three = Mapping[str, RowResult]  # by the step of each that there is


def decomposition_table(results: StudyResults) -> Table:
    """One line for the rows of one image, region and model, where a row without memory stands beside another."""
    encoder, prompt, memory = STEPS
    compared = {(one.row, one.other): one for one in results.comparisons}
    found = dict(_threes(results.rows))
    lines = tuple(
        (
            *place,
            _c_index(three, encoder),
            _c_index(three, prompt),
            *_step(three, prompt, encoder, compared),
            _c_index(three, memory),
            *_step(three, memory, prompt, compared),
        )
        for place, three in found.items()
    )
    heads = (
        *("Encoder", "+ prompt", "Prompt adds", "95 % CI, prompt", "p, prompt"),
        *("+ memory", "Memory adds", "95 % CI, memory", "p, memory"),
    )
    columns = (Column("Sees"), Column("Region"), Column("Model"), *(Column(head, "number") for head in heads))
    literal = results.provenance.protocol.get("prompting") == "all"
    notes = (_WHAT, _POOLING, *[_LITERAL] * literal, labels.DIFFERENCE, _P)
    untrained = labels.needs_untrained_label(results, [row for three in found.values() for row in three.values()])
    return Table("decomposition", columns, lines, notes, untrained)


def _threes(rows: Sequence[RowResult]) -> Iterator[tuple[_Place, _Three]]:
    places: dict[_Place, dict[str, RowResult]] = {}
    for row in labels.were_run(rows):
        if row.readout in STEPS:
            seen = or_dash(row.modality) + (" + clinical" if row.family == "multimodal" else "")
            places.setdefault((seen, row.roi, row.survival), {})[row.readout] = row
    for place, three in places.items():
        if STEPS[1] in three and len(three) > 1:
            yield place, three


def _c_index(three: _Three, step: str) -> str:
    return number(three[step].mean) if step in three else EN_DASH


def _step(
    three: _Three, step: str, before: str, compared: Mapping[tuple[str, str], Comparison]
) -> tuple[str, str, str]:
    one = compared.get((three[step].name, three[before].name)) if {step, before} <= three.keys() else None
    if one is None:
        return EN_DASH, EN_DASH, EN_DASH
    return signed(one.difference), signed_interval(one.ci_lower, one.ci_upper), p_value(one.p_corrected)
