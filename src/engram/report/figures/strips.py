"""One number of every patient as a row of dots: where a cohort lies, and who lies far from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

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

_ROW_IN, _TOP_IN, _BOTTOM_IN = 0.62, 0.08, 0.1
_RIGHT_IN, _CHARACTER_IN = 0.2, 0.07
_LONGEST_NAME = 34
_LEVELS = 7  # heights between which neighbouring dots alternate, so that they do not hide each other
_MOST_NAMED = 6  # outliers whose row is printed


@dataclass(frozen=True)
class Strip:
    """One number of the cohort. title: what it is, with its unit. rows: lines of the manifest. values: one a row,
    finite. outliers: whether each lies far from the others."""

    title: str
    rows: tuple[int, ...]
    values: tuple[float, ...]
    outliers: tuple[bool, ...]


def draw_strips(strips: Sequence[Strip]) -> Drawing:
    """A line for each strip, each with an axis of its own; the tick is the median, outliers carry their row."""
    height_in = _TOP_IN + _BOTTOM_IN + len(strips) * _ROW_IN
    left_in = 0.2 + _CHARACTER_IN * max(len(_short(strip.title)) for strip in strips)
    with house_style("strips"):
        figure = blank_figure(height_in)
        for i, strip in enumerate(strips):
            bottom_in = height_in - _TOP_IN - (i + 1) * _ROW_IN + 0.24
            width_in = WIDTH_IN - left_in - _RIGHT_IN
            box = (left_in / WIDTH_IN, bottom_in / height_in, width_in / WIDTH_IN, (_ROW_IN - 0.28) / height_in)
            axes = figure.add_axes(box)
            _draw(axes, strip)
            name: dict[str, Any] = {"transform": axes.transAxes, "va": "center", "color": INK}
            axes.text((0.1 - left_in) / width_in, 0.5, _short(strip.title), **name)
        return Drawing("strips", to_svg(figure), "Numbers of every patient's images.")


def _short(title: str) -> str:
    return title if len(title) <= _LONGEST_NAME else title[: _LONGEST_NAME - 1] + "…"


def _draw(axes: Axes, strip: Strip) -> None:
    order = np.argsort(strip.values, kind="stable")
    heights = np.empty(len(order))
    heights[order] = (3 * np.arange(len(order)) % _LEVELS + 0.5) / _LEVELS
    far = np.array(strip.outliers, dtype=bool)
    values = np.array(strip.values)
    colour = FAMILY_COLOURS["image"]
    axes.plot(values[~far], heights[~far], "o", color=colour, alpha=0.55, markersize=3.6, markeredgewidth=0)
    axes.plot(values[far], heights[far], "o", color=WARNING, markersize=4.6, markeredgewidth=0)
    if values.size:
        axes.axvline(float(np.median(values)), color=INK, linewidth=1.1)
    for i in np.flatnonzero(far)[:_MOST_NAMED]:
        near: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        near |= {"fontsize": 7, "color": WARNING}
        axes.annotate(f"row {strip.rows[i]}", (values[i], heights[i]), **near)
    axes.set_ylim(-0.1, 1.1)
    axes.margins(x=0.06)
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=6)
    axes.tick_params(axis="x", labelsize=7, pad=1.5, length=2.5, color=QUIET)
    axes.spines[["left", "right", "top"]].set_visible(False)
