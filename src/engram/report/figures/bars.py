"""Bars of two factors, from chance upwards, with every fold (the paper's Figures 5 and 6)."""

from __future__ import annotations

import math

from matplotlib.axes import Axes

from engram.report import labels
from engram.report.ablations import Ablation, Bar
from engram.report.figures.svg import (
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

_PLOT_IN, _LEFT_IN, _RIGHT_IN, _BOTTOM_IN, _TOP_IN = 2.0, 0.7, 0.15, 0.35, 0.5
_HUES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")  # Okabe and Ito (2008)
_CHANCE = 0.5
_ROOM = 0.8  # of the distance of two positions, for the bars of one


def draw_bars(found: Ablation) -> Drawing:
    """Positions along the axis, hues side by side; each bar says its mean."""
    top_in = _TOP_IN + 0.2 * found.untrained
    height_in = top_in + _PLOT_IN + _BOTTOM_IN
    with house_style(found.name):
        figure = blank_figure(height_in)
        size = ((WIDTH_IN - _LEFT_IN - _RIGHT_IN) / WIDTH_IN, _PLOT_IN / height_in)
        axes = figure.add_axes((_LEFT_IN / WIDTH_IN, _BOTTOM_IN / height_in, *size))
        _draw_frame(axes, found)
        for bar in found.bars:
            _draw_bar(axes, found, bar)
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=len(found.hues), frameon=False, fontsize=8.5,
            borderaxespad=0.3, handlelength=1.2, columnspacing=1.4,
        )  # fmt: skip
        if found.untrained:
            figure.text(_LEFT_IN / WIDTH_IN, 1 - 0.2 / height_in, labels.UNTRAINED, color=WARNING, weight="bold")
        return Drawing(found.name, to_svg(figure), f"{found.title}. {found.caption}")


def _draw_frame(axes: Axes, found: Ablation) -> None:
    values = [value for bar in found.bars for value in bar.average.values if value is not None]
    axes.set_xlim(-0.5, len(found.positions) - 0.5)
    axes.set_ylim(math.floor(min([*values, 0.48]) * 50) / 50, math.ceil(max([*values, 0.6]) * 50 + 1) / 50)
    axes.set_xticks(range(len(found.positions)), found.positions)
    axes.tick_params(axis="x", length=0)
    axes.spines[["right", "top", "bottom"]].set_visible(False)
    axes.grid(axis="y", color="#eceef0", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.axhline(_CHANCE, color=QUIET, linewidth=1.0, linestyle=(0, (4, 3)))
    axes.set_ylabel("c-index (dashed: chance)")


def _draw_bar(axes: Axes, found: Ablation, bar: Bar) -> None:
    if bar.average.mean is None:
        return
    hue = found.hues.index(bar.hue)
    width = _ROOM / len(found.hues)
    x = found.positions.index(bar.position) - _ROOM / 2 + width * (hue + 0.5)
    first = next(other for other in found.bars if other.hue == bar.hue) is bar
    axes.bar(
        x, bar.average.mean - _CHANCE, bottom=_CHANCE, width=0.9 * width, color=_HUES[hue % len(_HUES)], alpha=0.75,
        label=bar.hue if first else None,
    )  # fmt: skip
    folds = [value for value in bar.average.values if value is not None]
    axes.plot([x - 0.25 * width] * len(folds), folds, "o", color=INK, alpha=0.35, markersize=3, markeredgewidth=0)
    if bar.average.se is not None:
        axes.errorbar(x, bar.average.mean, yerr=bar.average.se, color=INK, linewidth=1.2, capsize=2.5)
    axes.text(
        x + 0.06 * width, bar.average.mean, f" {number(bar.average.mean)}", va="bottom", ha="left", fontsize=8
    )
