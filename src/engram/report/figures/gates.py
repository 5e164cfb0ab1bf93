"""The share of PET of each patient, against the risk that the model gave and against what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from engram.evaluation.gate_records import GateShare
from engram.report import labels
from engram.report.figures.svg import (
    FAMILY_COLOURS,
    INK,
    QUIET,
    WARNING,
    WIDTH_IN,
    Drawing,
    blank_figure,
    house_style,
    to_svg,
)
from engram.report.formats import interval, number

MOST_ROWS = 8
_HIGH_IN, _TITLE_IN, _BELOW_IN = 1.45, 0.46, 0.36
_LEFT_IN, _GAP_IN, _RIGHT_IN = 0.62, 0.85, 0.15
_LEGEND_IN, _LABEL_IN = 0.28, 0.2
_PANEL_IN = (WIDTH_IN - _LEFT_IN - _GAP_IN - _RIGHT_IN) / 2
_ROW_IN = _TITLE_IN + _HIGH_IN + _BELOW_IN
_LONGEST_NAME = 70


def draw_gates(gates: Sequence[GateShare], families: Mapping[str, str], *, untrained: bool) -> Drawing:
    """Two panels a row: the share (across) against standardised risk, and against time; the first `MOST_ROWS`.

    families: family of each row by its name, for its colour.
    """
    shown = gates[:MOST_ROWS]
    top_in = _LEGEND_IN + 0.2 * untrained
    height_in = top_in + len(shown) * _ROW_IN + _LABEL_IN
    with house_style("gates"):
        figure = blank_figure(height_in)
        for i, gate in enumerate(shown):
            bottom_in = height_in - top_in - i * _ROW_IN - _TITLE_IN - _HIGH_IN
            _draw_row(figure, gate, FAMILY_COLOURS[families[gate.row]], bottom_in / height_in, height_in)
        _draw_words(figure, height_in, untrained=untrained)
        caption = "Each patient's share of PET against the standardised risk, and against time, for each gated row."
        return Drawing("gates", to_svg(figure), caption)


def _draw_row(figure: Figure, gate: GateShare, colour: str, bottom: float, height_in: float) -> None:
    panels = (
        (_LEFT_IN, gate.standardised_risks, "Risk, standardised", _correlation(gate)),
        (_LEFT_IN + _PANEL_IN + _GAP_IN, gate.times_months, "Time, months", _concordance(gate)),
    )
    for left_in, values, what, words in panels:
        axes = figure.add_axes((left_in / WIDTH_IN, bottom, _PANEL_IN / WIDTH_IN, _HIGH_IN / height_in))
        _scatter(axes, gate, values, colour)
        axes.set_ylabel(what)
        axes.set_title(words, fontsize=8, color=QUIET, loc="left", pad=3)
        if values is gate.times_months:
            axes.set_ylim(bottom=0)
    name = gate.row if len(gate.row) <= _LONGEST_NAME else gate.row[: _LONGEST_NAME - 1] + "…"
    figure.text(_LEFT_IN / WIDTH_IN, bottom + (_HIGH_IN + 0.22) / height_in, name, weight="bold", color=INK)


def _scatter(axes: Axes, gate: GateShare, values: Sequence[float], colour: str) -> None:
    """Events are filled, censored patients rings."""
    for event, face in ((True, colour), (False, "none")):
        chosen = [i for i, seen in enumerate(gate.events) if seen is event]
        axes.plot(
            [gate.shares[i] for i in chosen], [values[i] for i in chosen], "o", markersize=3.4,
            markerfacecolor=face, markeredgecolor=colour, markeredgewidth=0.8, alpha=0.7,
        )  # fmt: skip
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    axes.margins(y=0.08)
    axes.locator_params(axis="y", nbins=5)
    axes.spines[["right", "top"]].set_visible(False)
    axes.grid(color="#eceef0", linewidth=0.8)
    axes.set_axisbelow(True)


def _correlation(gate: GateShare) -> str:
    if gate.spearman is None:
        return "no rank correlation"
    found = interval(gate.spearman_lower, gate.spearman_upper, 2)
    return f"rank correlation {number(gate.spearman, 2)}, 95 % CI {found}"


def _concordance(gate: GateShare) -> str:
    if gate.c_index is None:
        return "no c-index"
    return f"c of the share {number(gate.c_index)}, 95 % CI {interval(gate.c_lower, gate.c_upper)}"


def _draw_words(figure: Figure, height_in: float, *, untrained: bool) -> None:
    left = _LEFT_IN / WIDTH_IN
    plain: dict[str, Any] = {
        "color": "none",
        "marker": "o",
        "markersize": 4.2,
        "markeredgecolor": INK,
        "markeredgewidth": 0.8,
    }
    handles = [Line2D([], [], markerfacecolor=face, **plain) for face in (INK, "none")]
    figure.legend(
        handles=handles, labels=["event", "censored"], loc="upper left",
        bbox_to_anchor=(left, 1 - 0.2 * untrained / height_in), ncols=2, frameon=False, fontsize=8.5, borderpad=0,
        borderaxespad=0.3, handletextpad=0.3, columnspacing=1.4,
    )  # fmt: skip
    for left_in in (_LEFT_IN, _LEFT_IN + _PANEL_IN + _GAP_IN):
        place = ((left_in + _PANEL_IN / 2) / WIDTH_IN, 0.06 / height_in)
        figure.text(*place, "Share of PET in the mixture", ha="center", color=INK)
    if untrained:
        figure.text(left, 1 - 0.17 / height_in, labels.UNTRAINED, color=WARNING, weight="bold")
