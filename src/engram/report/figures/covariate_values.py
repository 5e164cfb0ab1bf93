"""What moves the risk of a patient besides his images: one line a covariate, one dot a patient."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from engram.evaluation.explanation_records import CovariateEffect, CovariateEffects
from engram.report import labels
from engram.report.figures.svg import (
    FAMILY_COLOURS,
    HAIRLINE,
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

_ROW_IN, _TOP_IN, _AXIS_IN, _KEY_IN = 0.42, 0.34, 0.52, 0.3
_BAR_IN, _GAP_IN, _RIGHT_IN, _CHARACTER_IN = 1.75, 0.35, 0.15, 0.075
_MOST = 20  # lines: the others move risks less
_LONGEST_NAME = 28
_LEVELS = 7  # heights between which neighbouring dots alternate, so that they do not hide each other
_LOW_TO_HIGH = LinearSegmentedColormap.from_list("places", ["#0072b2", "#b9bec5", "#d55e00"])


def draw_covariate_values(found: CovariateEffects, *, untrained: bool, name: str = "covariate_values") -> Drawing:
    """On the left the mean size of each covariate's values with its interval, largest first; on the right the value
    of every patient. untrained: whether the row's images went through random weights. name: unique on its page."""
    shown = sorted(found.effects, key=lambda effect: -effect.mean_absolute)[:_MOST]
    top_in = _TOP_IN + 0.2 * untrained
    height_in = top_in + len(shown) * _ROW_IN + _AXIS_IN + _KEY_IN
    left_in = 0.2 + _CHARACTER_IN * max(len(_short(effect.covariate)) for effect in shown)
    with house_style(name):
        figure = blank_figure(height_in)
        low, high = (_AXIS_IN + _KEY_IN) / height_in, len(shown) * _ROW_IN / height_in
        bars = figure.add_axes((left_in / WIDTH_IN, low, _BAR_IN / WIDTH_IN, high))
        dots_in = left_in + _BAR_IN + _GAP_IN
        width_in = WIDTH_IN - dots_in - _RIGHT_IN
        dots = figure.add_axes((dots_in / WIDTH_IN, low, width_in / WIDTH_IN, high))
        for axes in (bars, dots):
            _frame(axes, len(shown))
        _draw_bars(bars, shown)
        _draw_dots(dots, shown)
        _draw_key(figure.add_axes((dots_in / WIDTH_IN, 0.0, width_in / WIDTH_IN, _KEY_IN / height_in)))
        if untrained:
            figure.text(0.1 / WIDTH_IN, 1 - 0.2 / height_in, labels.UNTRAINED, color=WARNING, weight="bold")
        return Drawing(name, to_svg(figure), _caption(found))


def _caption(found: CovariateEffects) -> str:
    how = "All coalitions of covariates are counted" if found.exact else "Coalitions are drawn by permutations"
    return (
        f"How much each covariate moves the risk under \u201c{found.row}\u201d: Shapley values of "
        f"{len(found.patients)} patients, each by the model of the fold that left the patient out. {how}; the rest "
        "have the values of training patients, and images stay as they are. It explains the model, and says "
        "nothing of causes. 95 % CI: bootstrap (BCa) of patients within their folds, the models staying as they "
        "are."
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "\u2026"


def _frame(axes: Axes, lines: int) -> None:
    axes.set_ylim(lines - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.locator_params(axis="x", nbins=4)
    axes.tick_params(labelsize=8)


def _draw_bars(axes: Axes, shown: list[CovariateEffect]) -> None:
    ends = [max(one.mean_absolute, one.ci_upper or 0.0) for one in shown]
    axes.set_xlim(0, 1.32 * (max(ends) or 1.0))  # room for the numbers
    axes.set_xlabel("mean size, log-risk (95 % CI)", fontsize=8)
    name: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center_baseline"}
    for y, (one, end) in enumerate(zip(shown, ends, strict=True)):
        axes.text(-0.04, y, _short(one.covariate), **name)
        axes.barh(y, one.mean_absolute, height=0.55, color=FAMILY_COLOURS["clinical"], alpha=0.55)
        if one.ci_lower is not None and one.ci_upper is not None:
            axes.plot([one.ci_lower, one.ci_upper], [y, y], color=INK, linewidth=1.4)
        axes.text(end, y, f"  {number(one.mean_absolute, 2)}", va="center_baseline", fontsize=8)


def _draw_dots(axes: Axes, shown: list[CovariateEffect]) -> None:
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.set_xlabel("moves the risk of a patient by, log-risk", fontsize=8)
    place: dict[str, Any] = {"va": "bottom", "color": QUIET, "fontsize": 8, "transform": axes.transAxes}
    axes.text(0, 1.01, "\u2190 lower risk", ha="left", **place)
    axes.text(1, 1.01, "higher risk \u2192", ha="right", **place)
    for y, one in enumerate(shown):
        axes.axhline(y, color=HAIRLINE, linewidth=0.6, zorder=0)
        values, heights = np.array(one.values), np.empty(len(one.values))
        heights[np.argsort(values, kind="stable")] = (3 * np.arange(len(values)) % _LEVELS + 0.5) / _LEVELS - 0.5
        known = np.array([place is not None for place in one.places], dtype=bool)
        colours = _LOW_TO_HIGH([place for place in one.places if place is not None])
        axes.scatter(values[known], y + 0.7 * heights[known], s=11, c=colours, linewidths=0, alpha=0.85)
        axes.scatter(
            values[~known], y + 0.7 * heights[~known], s=11, facecolors="none", edgecolors=QUIET, linewidths=0.7
        )


def _draw_key(axes: Axes) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    text: dict[str, Any] = {"va": "center_baseline", "color": QUIET, "fontsize": 7.5}
    axes.text(0, 0.5, "the patient's value:", **text)
    axes.text(0.335, 0.5, "lowest", ha="right", **text)
    axes.scatter(np.linspace(0.36, 0.44, 5), [0.52] * 5, s=13, c=_LOW_TO_HIGH(np.linspace(0, 1, 5)), linewidths=0)
    axes.text(0.465, 0.5, "highest", **text)
    axes.scatter([0.63], [0.52], s=13, facecolors="none", edgecolors=QUIET, linewidths=0.7)
    axes.text(0.65, 0.5, "missing, or no order", **text)
