"""Every row's c-index in one picture: each fold, the mean with its standard error, and the truth where known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from engram.evaluation.results import RowResult, StudyResults
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
from engram.report.wording import said
from engram.table import BASELINES

_ROW_IN, _TOP_IN, _BOTTOM_IN = 0.27, 0.42, 0.5
_MEAN_IN, _TRUE_IN = 0.12, 1.62  # columns of numbers, right of the axes
_CHARACTER_IN = 0.069
_LONGEST_NAME = 40
_CHANCE = 0.5
_Line = RowResult | str  # a row, or the heading of a family


def draw_forest(results: StudyResults) -> Drawing:
    """One line a row, grouped by family, highest mean first; the dashed line is chance (c = 0.5)."""
    lines, known = _lines(results.rows), any(row.true_mean is not None for row in results.rows)
    untrained = labels.needs_untrained_label(results, results.rows)
    top_in = _TOP_IN + 0.16 * untrained
    height_in = top_in + _BOTTOM_IN + len(lines) * _ROW_IN
    left_in = 0.15 + _CHARACTER_IN * max(len(_short(line)) for line in lines)
    right_in = 1.75 if known else 1.25
    with house_style("c_index"):
        figure = blank_figure(height_in)
        box = (left_in / WIDTH_IN, _BOTTOM_IN / height_in, (WIDTH_IN - left_in - right_in) / WIDTH_IN)
        axes = figure.add_axes((*box, 1 - (top_in + _BOTTOM_IN) / height_in))
        _draw_frame(axes, results.rows, len(lines))
        for y, line in enumerate(lines):
            _draw_line(axes, y, line, left_in, known)
        error = any(row.se is not None for row in results.rows)
        _draw_heads(axes, known, error)
        axes.legend(
            handles=_legend(known, error), loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False,
            fontsize=8, borderaxespad=0.3, handletextpad=0.4, columnspacing=1.4,
        )  # fmt: skip
        if untrained:
            figure.text(
                0.1 / WIDTH_IN,
                1 - 0.2 / height_in,
                f"{labels.UNTRAINED} in image rows",
                color=WARNING,
                weight="bold",
            )
        return Drawing("c_index", to_svg(figure), "c-index of every row on every test fold.")


def _lines(rows: Sequence[RowResult]) -> list[_Line]:
    lines: list[_Line] = []
    run = labels.were_run(rows)
    for family, words in labels.FAMILIES.items():
        title = said(words, rows)
        of_family = [row for row in run if row.family == family]
        baselines = [row for row in of_family if row.readout in BASELINES]
        others = labels.by_c_index(row for row in of_family if row.readout not in BASELINES)
        lines += [title, *others] if others else []
        lines += [f"{title}, without a memory", *labels.by_c_index(baselines)] if baselines else []
    return lines


def _short(line: _Line) -> str:
    name = line if isinstance(line, str) else line.name
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _limits(rows: Sequence[RowResult]) -> tuple[float, float]:
    values = [value for row in rows for value in (*row.c_index, row.true_mean) if value is not None]
    low, high = min([*values, 0.45]) - 0.02, max([*values, 0.75]) + 0.02
    return math.floor(low * 20) / 20, math.ceil(high * 20) / 20


def _draw_frame(axes: Axes, rows: Sequence[RowResult], n_lines: int) -> None:
    axes.set_xlim(*_limits(rows))
    axes.set_ylim(n_lines - 0.4, -0.6)
    axes.set_yticks([])
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.grid(axis="x", color="#eceef0", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.axvline(_CHANCE, color=QUIET, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    axes.set_xlabel("c-index on the test folds (dashed line: chance)")


def _draw_line(axes: Axes, y: int, line: _Line, left_in: float, known: bool) -> None:
    place: dict[str, Any] = {"va": "center_baseline", "transform": axes.get_yaxis_transform()}
    name_at = (0.1 - left_in) / _width_in(axes)
    if isinstance(line, str):
        axes.text(name_at, y, line, weight="bold", **place)
        return
    axes.text(name_at, y, _short(line), **place)
    if line.mean is None:
        axes.text(0.5, y, "no comparable pairs in any test fold", ha="center", color=QUIET, **place)
    else:
        _draw_row(axes, y, line, line.mean)
    se = f" ± {number(line.se)}" if line.se is not None else ""
    axes.text(1 + _MEAN_IN / _width_in(axes), y, number(line.mean) + se, **place)
    if known:
        axes.text(1 + _TRUE_IN / _width_in(axes), y, number(line.true_mean), ha="right", **place)


def _width_in(axes: Axes) -> float:
    return float(axes.get_position().width) * WIDTH_IN


def _draw_row(axes: Axes, y: int, row: RowResult, mean: float) -> None:
    colour, se = FAMILY_COLOURS[row.family], row.se or 0.0
    folds = [value for value in row.c_index if value is not None]
    axes.plot(folds, [y] * len(folds), "o", color=colour, alpha=0.35, markersize=4, markeredgewidth=0, zorder=2)
    axes.plot([mean - se, mean + se], [y, y], color=colour, linewidth=2.2, zorder=3)
    axes.plot([mean], [y], "s", color=colour, markersize=6, zorder=4)
    if row.true_mean is not None:
        axes.plot([row.true_mean], [y], "D", markersize=5.5, markerfacecolor="white", markeredgecolor=INK, zorder=5)


def _draw_heads(axes: Axes, known: bool, error: bool) -> None:
    place: dict[str, Any] = {"va": "center_baseline", "transform": axes.get_yaxis_transform()}
    place |= {"color": QUIET, "fontsize": 8}
    axes.text(1 + _MEAN_IN / _width_in(axes), 0, "mean ± SE" if error else "mean", **place)
    if known:
        axes.text(1 + _TRUE_IN / _width_in(axes), 0, "true c", ha="right", **place)


def _legend(known: bool, error: bool) -> list[Line2D]:
    fold = Line2D([], [], marker="o", linestyle="", color=QUIET, alpha=0.5, markersize=4, label="one test fold")
    named = "mean ± SE over folds" if error else "mean"
    mean = Line2D([], [], marker="s", color=QUIET, linewidth=2.2, markersize=6, label=named)
    truth = Line2D(
        [], [], marker="D", linestyle="", markersize=5.5, markerfacecolor="white", markeredgecolor=INK,
        color=HAIRLINE, label="true c",
    )  # fmt: skip
    return [fold, mean, truth] if known else [fold, mean]
