"""Survival of patients in quarters of risk, with patients at risk (paper Figure 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from engram.evaluation.results import Curve, RiskGroups
from engram.report import labels
from engram.report.figures.svg import (
    GROUP_COLOURS,
    INK,
    QUIET,
    WARNING,
    WIDTH_IN,
    Drawing,
    blank_figure,
    house_style,
    to_svg,
)
from engram.report.formats import interval, number, p_value

_PLOT_IN, _LEFT_IN, _RIGHT_IN = 3.1, 0.75, 0.25
_AXIS_IN, _LINE_IN, _FOOT_IN = 0.68, 0.21, 0.08
_DASHES = ("solid", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))


def draw_kaplan_meier(groups: RiskGroups, endpoint: str, *, untrained: bool) -> Drawing:
    """Curves, the outer ones with their confidence bands; below, the patients at risk at `ticks_months`."""
    # Two lines a group (name, counts) and one for the heading.
    table_in = _LINE_IN * (2 * len(groups.curves) + 1)
    top_in = 0.15 + _LINE_IN * (len(groups.curves) + 1 + untrained)
    height_in = top_in + _PLOT_IN + _AXIS_IN + table_in + _FOOT_IN
    with house_style("kaplan_meier"):
        figure = blank_figure(height_in)
        width = (WIDTH_IN - _LEFT_IN - _RIGHT_IN) / WIDTH_IN
        bottom = (height_in - top_in - _PLOT_IN) / height_in
        axes = figure.add_axes((_LEFT_IN / WIDTH_IN, bottom, width, _PLOT_IN / height_in))
        _draw_frame(axes, groups, endpoint)
        for i, curve in enumerate(groups.curves):
            _draw_curve(axes, curve, i, band=i in (0, len(groups.curves) - 1))
        _draw_at_risk(axes, groups)
        _draw_legend(axes, groups)
        if untrained:
            figure.text(_LEFT_IN / WIDTH_IN, 1 - 0.2 / height_in, labels.UNTRAINED, color=WARNING, weight="bold")
        return Drawing("kaplan_meier", to_svg(figure), f"Kaplan-Meier curves of risk groups of {groups.row}.")


def _draw_frame(axes: Axes, groups: RiskGroups, endpoint: str) -> None:
    last = max([*groups.ticks_months, *(t for curve in groups.curves for t in curve.time_months)])
    axes.set_xlim(0, last * 1.02 or 1.0)
    axes.set_ylim(0, 1.02)
    axes.set_xticks(groups.ticks_months)
    axes.set_xticklabels([f"{tick:g}" for tick in groups.ticks_months])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.spines[["right", "top"]].set_visible(False)
    axes.grid(axis="y", color="#eceef0", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(f"Months ({endpoint})")
    axes.set_ylabel("Probability without event")


def _draw_curve(axes: Axes, curve: Curve, index: int, *, band: bool) -> None:
    colour = GROUP_COLOURS[index % len(GROUP_COLOURS)]
    # Everybody is without event at time zero, whether or not the saved steps say so.
    time, survival = [0.0, *curve.time_months], [1.0, *curve.survival]
    lower, upper = [1.0, *curve.lower], [1.0, *curve.upper]
    if band:  # four would hide each other
        axes.fill_between(time, lower, upper, step="post", color=colour, alpha=0.13, linewidth=0)
    label = f"{curve.label} (n = {curve.n}, {curve.events} events)"
    dashes = _DASHES[index % len(_DASHES)]
    axes.step(time, survival, where="post", color=colour, linestyle=dashes, linewidth=1.8, label=label)


def _draw_legend(axes: Axes, groups: RiskGroups) -> None:
    axes.legend(
        title=_tests(groups), loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=8.5,
        title_fontsize=8.5, alignment="left", handlelength=2.6, borderpad=0, borderaxespad=0.8,
    )  # fmt: skip


def _tests(groups: RiskGroups) -> str:
    """The last group against the first, in words."""
    if groups.logrank_p is None:
        return "no log-rank test"
    found = [f"log-rank p = {p_value(groups.logrank_p)}, corrected p = {p_value(groups.corrected_p)}"]
    if groups.hazard_ratio is not None:
        limits = interval(groups.hr_lower, groups.hr_upper, 2)
        found.append(f"hazard ratio {number(groups.hazard_ratio, 2)} ({limits})")
    return f"Last group against first: {'; '.join(found)}"


def _draw_at_risk(axes: Axes, groups: RiskGroups) -> None:
    """Counts below the axis: a coloured name over each line of numbers."""
    place: dict[str, Any] = {
        "transform": axes.get_xaxis_transform(),
        "clip_on": False,
        "va": "baseline",
        "fontsize": 8.5,
    }
    line = _LINE_IN / _PLOT_IN
    y = -_AXIS_IN / _PLOT_IN
    axes.text(0, y, "Patients at risk", color=QUIET, **place)
    for i, curve in enumerate(groups.curves):
        colour = GROUP_COLOURS[i % len(GROUP_COLOURS)]
        axes.text(0, y - line * (2 * i + 1), curve.label, color=colour, weight="bold", **place)
        _draw_counts(axes, groups.ticks_months, curve.at_risk, y - line * (2 * i + 2), place)


def _draw_counts(
    axes: Axes, ticks: Sequence[float], counts: Sequence[int], y: float, place: dict[str, Any]
) -> None:
    for tick, count in zip(ticks, counts, strict=True):
        axes.text(tick, y, str(count), ha="center", color=INK, **place)
