"""Disturbed prompts in one picture: how far embeddings stay what they are, beside what the c-index loses."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from engram.evaluation.robustness_records import CIndexChange, PromptSensitivity, Stability, VariantResult
from engram.report import labels
from engram.report.figures.svg import INK, QUIET, WARNING, WIDTH_IN, Drawing, blank_figure, house_style, to_svg

_NAME = "prompt_sensitivity"
_ROW_IN, _TOP_IN, _BOTTOM_IN = 0.34, 0.62, 0.64
_CHARACTER_IN, _GAP_IN, _RIGHT_IN = 0.066, 0.3, 0.15
_SCANS = {"PET": ("#d55e00", -0.13), "CT": ("#0072b2", 0.13)}  # Okabe and Ito (2008)
_USES = {"frozen": ("s", INK, -0.13), "retrained": ("o", "#009e73", 0.13)}


def draw_prompt_sensitivity(found: PromptSensitivity) -> Drawing:
    """One line a variant, of the row with the highest c-index. Left: centred cosine of its embeddings, mean and 5th
    percentile over patients. Right: change of its c-index, with its 95 % interval."""
    row, variants = _shown_row(found), [one for one in found.variants if one.changes]
    height_in = _TOP_IN + _BOTTOM_IN + len(variants) * _ROW_IN
    left_in = 0.15 + _CHARACTER_IN * max(len(one.name) for one in variants)
    panel_in = (WIDTH_IN - left_in - _GAP_IN - _RIGHT_IN) / 2
    with house_style(_NAME):
        figure = blank_figure(height_in)
        low, high = _BOTTOM_IN / height_in, 1 - (_TOP_IN + _BOTTOM_IN) / height_in
        left = figure.add_axes((left_in / WIDTH_IN, low, panel_in / WIDTH_IN, high))
        right = figure.add_axes(((left_in + panel_in + _GAP_IN) / WIDTH_IN, low, panel_in / WIDTH_IN, high))
        for axes in (left, right):
            _frame(axes, len(variants))
        for y, variant in enumerate(variants):
            left.text(
                (0.1 - left_in) / panel_in, y, variant.name, va="center_baseline",
                transform=left.get_yaxis_transform(), color=QUIET if variant.control else INK,
            )  # fmt: skip
            _draw_stability(left, y, _of_row(variant, row))
            _draw_changes(right, y, [one for one in variant.changes if one.row == row])
        _draw_heads(left, right, variants, row)
        if found.untrained_weights:
            figure.text(0.1 / WIDTH_IN, 1 - 0.2 / height_in, labels.UNTRAINED, color=WARNING, weight="bold")
        return Drawing(_NAME, to_svg(figure), _caption(row))


def _caption(row: str) -> str:
    return (
        f"Stability of the embeddings and change of the c-index under each variant, row {row}: of those compared, "
        "the one with the highest c-index."
    )


def _shown_row(found: PromptSensitivity) -> str:
    known = {one.row: one.c_study or 0.0 for v in found.variants for one in v.changes}
    return max(known, key=lambda name: known[name])


def _of_row(variant: VariantResult, row: str) -> list[Stability]:
    """The embeddings that the row sees."""
    return [one for one in variant.stability if row in one.rows]


def _frame(axes: Axes, n: int) -> None:
    axes.set_ylim(n - 0.4, -0.6)
    axes.set_yticks([])
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.grid(axis="x", color="#eceef0", linewidth=0.8)
    axes.set_axisbelow(True)


def _draw_stability(axes: Axes, y: int, stability: Sequence[Stability]) -> None:
    for one in stability:
        if one.centred_mean is None or one.centred_p5 is None:
            continue
        colour, shift = _SCANS.get(one.modality, (QUIET, 0.0))
        axes.plot([one.centred_p5, one.centred_mean], [y + shift] * 2, color=colour, linewidth=1.4, alpha=0.6)
        axes.plot([one.centred_p5], [y + shift], "|", color=colour, markersize=7)
        axes.plot([one.centred_mean], [y + shift], "o", color=colour, markersize=5)


def _draw_changes(axes: Axes, y: int, changes: Sequence[CIndexChange]) -> None:
    for one in changes:
        marker, colour, shift = _USES[one.model]
        if one.difference is None:
            continue
        if one.difference_lower is not None and one.difference_upper is not None:
            axes.plot([one.difference_lower, one.difference_upper], [y + shift] * 2, color=colour, linewidth=1.4)
        axes.plot([one.difference], [y + shift], marker, color=colour, markersize=5)


def _draw_heads(left: Axes, right: Axes, variants: Sequence[VariantResult], row: str) -> None:
    shown = {one.modality for variant in variants for one in _of_row(variant, row)}
    scans = [
        Line2D([], [], marker="o", color=colour, linewidth=1.4, markersize=5, label=scan)
        for scan, (colour, _) in _SCANS.items()
        if scan in shown
    ]
    models = {one.model for variant in variants for one in variant.changes}
    uses = [
        Line2D([], [], marker=marker, color=colour, linewidth=1.4, markersize=5, label=f"models {use}")
        for use, (marker, colour, _) in _USES.items()
        if use in models
    ]
    left.set_xlabel("centred cosine with the study's own:\nmean and 5th percentile of patients")
    right.set_xlabel("change of the c-index, 95 % CI")
    right.axvline(0, color=QUIET, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    for axes, handles in ((left, scans), (right, uses)):
        axes.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8,
            borderaxespad=0.3, handletextpad=0.4, columnspacing=1.4,
        )  # fmt: skip
