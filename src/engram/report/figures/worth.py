"""Is imaging worth it over clinical? Every declared difference in c-index, and what else the images change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from engram.evaluation.performance_records import FoldMeasure
from engram.evaluation.results import Comparison
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
from engram.report.formats import number, p_value, signed
from engram.report.worth import Worth

_ROW_IN, _TOP_IN, _AXIS_IN, _BELOW_IN = 0.36, 0.42, 0.55, 1.15
_RIGHT_IN, _LEFT_MOST_IN = 1.75, 2.9
_CHARACTER_IN = 0.069
_MOST = 12  # lines: the others are in the table of comparisons
_LONGEST_NAME = 40
_WITH, _WITHOUT = FAMILY_COLOURS["multimodal"], FAMILY_COLOURS["clinical"]


def draw_worth(found: Worth) -> Drawing:
    """Above, each declared comparison with its interval and adjusted p; below, the two rows beyond the c-index."""
    shown = found.declared[:_MOST]
    below = _measures(found)
    top_in = _TOP_IN + 0.18 * found.untrained
    height_in = top_in + len(shown) * _ROW_IN + _AXIS_IN + _BELOW_IN * bool(below)
    with house_style("worth"):
        figure = blank_figure(height_in)
        left_in = min(_LEFT_MOST_IN, 0.25 + _CHARACTER_IN * max(map(len, _lines(shown, found.below))))
        size = (1 - (left_in + _RIGHT_IN) / WIDTH_IN, len(shown) * _ROW_IN / height_in)
        axes = figure.add_axes((left_in / WIDTH_IN, 1 - (top_in / height_in + size[1]), *size))
        _draw_differences(axes, shown, found, left_in)
        for i, (title, values, share) in enumerate(below):
            place = ((0.25 + i * 2.45) / WIDTH_IN, 0.42 / height_in, 2.0 / WIDTH_IN, 0.34 / height_in)
            _draw_pair(figure.add_axes(place), title, values, share=share)
        if found.untrained:
            figure.text(0.1 / WIDTH_IN, 1 - 0.17 / height_in, labels.UNTRAINED, color=WARNING, weight="bold")
        return Drawing("worth", to_svg(figure), f"{found.title} {' '.join(found.sentences)}")


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _lines(shown: Sequence[Comparison], below: frozenset[str]) -> list[str]:
    """All that stands left of the axis: names of rows, marked where their reference is weak, and of references."""
    return [line for one in shown for line in (_row_name(one, below), _against(one))]


def _row_name(one: Comparison, below: frozenset[str]) -> str:
    return f"{_short(one.row)}{' *' * (one.row in below)}"


def _against(one: Comparison) -> str:
    return f"against {_short(one.other)}"


def _draw_differences(axes: Axes, shown: Sequence[Comparison], found: Worth, left_in: float) -> None:
    width_in = WIDTH_IN - left_in - _RIGHT_IN
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlim(*_limits(shown))
    axes.set_yticks([])
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.axvline(0, color=INK, linewidth=1.0)
    limits = any(one.ci_lower is not None for one in shown)
    axes.set_xlabel(f"c-index with {found.seen} minus c-index of the covariates alone{' (95 % CI)' * limits}")
    place: dict[str, Any] = {"va": "center_baseline", "transform": axes.get_yaxis_transform()}
    axes.text(1 + 0.12 / width_in, -0.85, "difference", color=QUIET, fontsize=8, **place)
    axes.text(1 + 1.68 / width_in, -0.85, "p, Holm", color=QUIET, fontsize=8, ha="right", **place)
    axes.text(0.0, -0.85, f"← worse with {found.seen}", color=QUIET, fontsize=8, **place)
    axes.text(1.0, -0.85, "better →", color=QUIET, fontsize=8, ha="right", **place)
    for y, one in enumerate(shown):
        weight = "bold" if one is found.comparison else "normal"
        left = (0.1 - left_in) / width_in
        axes.text(left, y - 0.2, _row_name(one, found.below), weight=weight, **place)
        axes.text(left, y + 0.22, _against(one), color=QUIET, fontsize=7.5, **place)
        axes.text(1 + 0.12 / width_in, y, signed(one.difference), weight=weight, **place)
        axes.text(1 + 1.68 / width_in, y, p_value(one.p_adjusted), weight=weight, ha="right", **place)
        _draw_difference(axes, y, one, bold=one is found.comparison)


def _draw_difference(axes: Axes, y: int, one: Comparison, *, bold: bool) -> None:
    colour = _WITH if bold else QUIET
    if one.ci_lower is not None and one.ci_upper is not None:
        axes.plot([one.ci_lower, one.ci_upper], [y, y], color=colour, linewidth=2.4 if bold else 1.4)
    if one.difference is not None:
        axes.plot([one.difference], [y], "s", color=colour, markersize=7 if bold else 5)


def _limits(shown: Sequence[Comparison]) -> tuple[float, float]:
    values = [v for one in shown for v in (one.difference, one.ci_lower, one.ci_upper) if v is not None]
    return min([*values, -0.05]) - 0.01, max([*values, 0.05]) + 0.01


def _measures(found: Worth) -> list[tuple[str, tuple[float | None, float], bool]]:
    """What is drawn below: a title, (without images, with them), and whether it is a share of one whole."""
    panels: list[tuple[str, tuple[float | None, float], bool]] = []
    if found.before is not None and found.after is not None:
        panels += _pair("IPA (accuracy gained over no model)", found.before.ipa, found.after.ipa)
        panels += _pair("Uno's c", found.before.uno_c, found.after.uno_c)
    if found.added is not None and found.added.new_information is not None:
        panels.append(("Information new to the covariates", (None, found.added.new_information), True))
    return panels


def _pair(
    title: str, before: FoldMeasure, after: FoldMeasure
) -> list[tuple[str, tuple[float | None, float], bool]]:
    if before.mean is None or after.mean is None:
        return []
    return [(title, (before.mean, after.mean), False)]


def _draw_pair(axes: Axes, title: str, values: tuple[float | None, float], *, share: bool) -> None:
    """One measure on an axis of its own: grey the covariates alone, orange with images."""
    without, with_images = values
    axes.set_yticks([])
    axes.set_ylim(-1, 1)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.set_title(title, fontsize=8.5, loc="left", color=INK, pad=6)
    axes.tick_params(labelsize=7.5)
    if share or without is None:
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
        axes.barh([0], [1], height=0.9, color=HAIRLINE)
        axes.barh([0], [with_images], height=0.9, color=_WITH)
        axes.text(with_images + 0.02, 0, f"{100 * with_images:.1f} %", va="center_baseline", fontsize=8.5)
        return
    low, high = min(without, with_images), max(without, with_images)
    room = max(0.05, 0.6 * (high - low))
    axes.set_xlim(low - room, high + room)
    axes.locator_params(axis="x", nbins=4)
    axes.plot([without, with_images], [0, 0], color=HAIRLINE, linewidth=2.0, zorder=1)
    axes.plot([without], [0], "s", color=_WITHOUT, markersize=7)
    axes.plot([with_images], [0], "s", color=_WITH, markersize=7)
    for value, colour in ((without, _WITHOUT), (with_images, _WITH)):
        outwards = "right" if value == low else "left"
        axes.text(value, 0.6, number(value), ha=outwards, fontsize=7.5, color=colour)
