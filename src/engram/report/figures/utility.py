"""Two panels: whether predicted probabilities come true, and what acting on them would be worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from engram.evaluation.performance_records import Performance, UtilityCurves
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
from engram.report.formats import number

_SIDE_IN, _LEFT_IN, _GAP_IN, _BOTTOM_IN = 2.85, 0.62, 0.85, 0.52
_LINE_IN = 0.2
_DASHES = ("solid", (0, (5, 2)))
_FLOOR = -0.05  # of net benefit: far below zero nothing is left to tell


def draw_utility(found: Performance, families: Mapping[str, str], *, untrained: bool) -> Drawing:
    """Calibration on the left, decision curves on the right, of the rows whose curves are saved.

    families: family of each row by its name, for its colour.
    """
    top_in = 0.15 + _LINE_IN * (len(found.curves) + untrained)
    height_in = top_in + _SIDE_IN + _BOTTOM_IN
    with house_style("utility"):
        figure = blank_figure(height_in)
        left, right = (
            figure.add_axes(
                (start_in / WIDTH_IN, _BOTTOM_IN / height_in, _SIDE_IN / WIDTH_IN, _SIDE_IN / height_in)
            )
            for start_in in (_LEFT_IN, _LEFT_IN + _SIDE_IN + _GAP_IN)
        )
        colours = [FAMILY_COLOURS[families[curves.row]] for curves in found.curves]
        _draw_calibration(left, found.curves, colours, found.horizon_months)
        _draw_decision(right, found, colours)
        handles = [
            Line2D([], [], color=colour, linestyle=dashes, linewidth=1.8)
            for colour, dashes in zip(colours, _DASHES, strict=False)
        ]
        figure.legend(
            handles=handles, labels=[_named(found, curves) for curves in found.curves], loc="upper left",
            bbox_to_anchor=(_LEFT_IN / WIDTH_IN, 1 - _LINE_IN * untrained / height_in), frameon=False, fontsize=8.5,
            borderpad=0, borderaxespad=0.3, handlelength=2.6,
        )  # fmt: skip
        if untrained:
            place = (_LEFT_IN / WIDTH_IN, 1 - 0.17 / height_in)
            figure.text(*place, f"{labels.UNTRAINED} in image rows", color=WARNING, weight="bold")
        caption = "Calibration curves, and decision curves, of the best row and of the clinical row."
        return Drawing("utility", to_svg(figure), caption)


def _named(found: Performance, curves: UtilityCurves) -> str:
    row = next(row for row in found.rows if row.row == curves.row)
    return f"{curves.row} (ICI {number(row.ici)})" if curves.predicted else f"{curves.row} (no calibration curve)"


def _frame(axes: Axes, x: str, y: str) -> None:
    axes.spines[["right", "top"]].set_visible(False)
    axes.grid(color="#eceef0", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlim(0, 1)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _draw_calibration(
    axes: Axes, curves: Sequence[UtilityCurves], colours: Sequence[str], horizon_months: float | None
) -> None:
    by = f"by {horizon_months:g} months"
    _frame(axes, f"Predicted probability of the event {by}", f"Observed probability {by}")
    axes.set_ylim(0, 1)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1.0, linestyle=(0, (1.5, 2)))
    axes.text(0.98, 0.02, "dotted: calibrated", ha="right", va="bottom", color=QUIET, fontsize=8)
    for one, colour, dashes in zip(curves, colours, _DASHES, strict=False):
        axes.plot(one.predicted, one.observed, color=colour, linestyle=dashes, linewidth=1.8)


def _draw_decision(axes: Axes, found: Performance, colours: Sequence[str]) -> None:
    _frame(axes, "Threshold probability", "Net benefit per patient")
    everybody = [value for value in found.treat_all if value is not None]
    axes.set_ylim(_FLOOR, max([0.1, *everybody]) * 1.08)
    axes.plot(found.thresholds, _or_gap(found.treat_all), color=QUIET, linewidth=1.0)
    axes.axhline(0, color=INK, linewidth=1.0)
    axes.text(0.02, 0.004, "treat nobody", va="bottom", color=INK, fontsize=8)
    axes.text(0.03, max([0.1, *everybody]), "treat everybody", color=QUIET, fontsize=8, va="bottom")
    for one, colour, dashes in zip(found.curves, colours, _DASHES, strict=False):
        axes.plot(found.thresholds, _or_gap(one.net_benefit), color=colour, linestyle=dashes, linewidth=1.8)


def _or_gap(values: Sequence[float | None]) -> list[float]:
    """What does not exist leaves a gap in the line."""
    return [float("nan") if value is None else value for value in values]
