"""How far each read-out sees: its change when one slice is occluded, down the region."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from engram.evaluation.reach_records import CohortReach, ReachCurve
from engram.report import labels
from engram.report.figures.svg import (
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

_FLOOR, _TOP = 1e-8, 3.0
_COLUMNS, _LEGEND_COLUMNS = 3, 5
_HIGH_IN, _TITLE_IN, _BELOW_IN = 1.75, 0.27, 0.34
_LEFT_IN, _RIGHT_IN, _GAP_IN = 0.62, 0.12, 0.22
_LEGEND_IN, _LABEL_IN = 0.22, 0.2
_WIDEST_IN, _CHARACTER_IN = 3.4, 0.069
_STYLES: dict[str, tuple[str, Any]] = {  # colours of Okabe and Ito (2008)
    "final": ("#d55e00", "solid"),
    "volume_map": ("#e69f00", "solid"),
    "volume": ("#0072b2", "solid"),
    "roi": ("#009e73", "solid"),
    "roi_without_memory": ("#009e73", (0, (4, 2))),
    "regions": ("#cc79a7", "solid"),
    "pointers": ("#56b4e9", "solid"),
    "scores": ("#4d4d4d", (0, (1.5, 1.5))),
    "area": ("#4d4d4d", "solid"),
}


@dataclass(frozen=True)
class Line:
    """The curve of one read-out. places: percent from the top of the region; band: lower and upper, or nothing."""

    readout: str
    places: Sequence[float]
    changes: Sequence[float]
    band: tuple[Sequence[float], Sequence[float]] | None = None


@dataclass(frozen=True)
class Panel:
    """One scan, region and prompting."""

    title: str
    lines: tuple[Line, ...]


def draw_cohort_reach(found: Sequence[CohortReach], *, threshold: float, untrained: bool) -> Drawing:
    """Mean over patients with the band between the quartiles, a panel a scan, region and prompting."""
    lines = ((_title(one), Line(one.readout, one.places, one.mean, (one.lower, one.upper))) for one in found)
    caption = "Relative change of each read-out when one slice is occluded, down the region, over patients."
    return _draw("reach", _panels(lines), caption, threshold, untrained=untrained)


def draw_patient_reach(found: Sequence[ReachCurve], *, threshold: float, untrained: bool) -> Drawing:
    """The curves of one patient. Raises ValueError where they are of several."""
    patients = {one.patient for one in found}
    if len(patients) != 1:
        raise ValueError(f"curves of one patient are drawn, not of {len(patients)}")
    lines = ((_title(one), Line(one.readout, one.places, one.changes)) for one in found)
    caption = "Relative change of each read-out of one patient when one slice is occluded, down the region."
    return _draw(f"reach_patient_{patients.pop()}", _panels(lines), caption, threshold, untrained=untrained)


def _title(one: CohortReach | ReachCurve) -> str:
    return f"{one.modality}, {one.roi}: {one.prompting}"


def _panels(lines: Iterable[tuple[str, Line]]) -> list[Panel]:
    found: dict[str, list[Line]] = {}
    for title, line in lines:
        found.setdefault(title, []).append(line)
    return [Panel(title, tuple(of_title)) for title, of_title in found.items()]


def _draw(name: str, panels: Sequence[Panel], caption: str, threshold: float, *, untrained: bool) -> Drawing:
    readouts = [key for key in _STYLES if any(line.readout == key for panel in panels for line in panel.lines)]
    columns = 2 if len(panels) == 4 else min(_COLUMNS, len(panels))
    top_in = _LEGEND_IN * -(-len(readouts) // _LEGEND_COLUMNS) + 0.2 * untrained + 0.06
    row_in = _TITLE_IN + _HIGH_IN + _BELOW_IN
    height_in = top_in + row_in * -(-len(panels) // columns) + _LABEL_IN
    wide_in = min(_WIDEST_IN, (WIDTH_IN - _LEFT_IN - _RIGHT_IN - (columns - 1) * _GAP_IN) / columns)
    with house_style(name):
        figure = blank_figure(height_in)
        for i, panel in enumerate(panels):
            row, column = divmod(i, columns)
            left_in = _LEFT_IN + column * (wide_in + _GAP_IN)
            bottom_in = height_in - top_in - row * row_in - _TITLE_IN - _HIGH_IN
            box = (left_in / WIDTH_IN, bottom_in / height_in, wide_in / WIDTH_IN, _HIGH_IN / height_in)
            axes = figure.add_axes(box)
            _draw_panel(axes, panel, threshold, wide_in, first=column == 0)
        across_in = columns * (wide_in + _GAP_IN) - _GAP_IN
        _draw_words(figure, readouts, height_in, across_in, untrained=untrained)
        return Drawing(name, to_svg(figure), caption)


def _draw_panel(axes: Axes, panel: Panel, threshold: float, wide_in: float, *, first: bool) -> None:
    axes.set_yscale("log")
    axes.set_xlim(0, 100)
    axes.set_ylim(_FLOOR / 2, _TOP)
    axes.set_xticks([0, 50, 100])
    names = ["none", "1e-6", "1e-4", "1e-2", "1"] if first else [""] * 5
    axes.set_yticks([_FLOOR, 1e-6, 1e-4, 1e-2, 1], names)
    axes.minorticks_off()
    axes.axhline(threshold, color=QUIET, linewidth=0.9, linestyle=(0, (1.5, 2)), zorder=1)
    for line in panel.lines:
        colour, dashes = _STYLES[line.readout]
        if line.band is not None:
            lower, upper = map(_shown, line.band)
            axes.fill_between(line.places, lower, upper, color=colour, alpha=0.16, linewidth=0)
        axes.plot(line.places, _shown(line.changes), color=colour, linestyle=dashes, linewidth=1.6)
    axes.spines[["right", "top"]].set_visible(False)
    axes.grid(color=HAIRLINE, alpha=0.4, linewidth=0.7)
    axes.set_axisbelow(True)
    most = int(wide_in / _CHARACTER_IN)
    title = panel.title if len(panel.title) <= most else panel.title[: most - 1] + "…"
    axes.set_title(title, fontsize=9, weight="bold", loc="left", pad=5)
    if first:
        axes.set_ylabel("Change of the read-out")


def _shown(changes: Sequence[float]) -> Sequence[float]:
    """What changes nothing lies on the lowest line, where it is called none."""
    floored: list[float] = np.maximum(changes, _FLOOR).tolist()
    return floored


def _draw_words(
    figure: Figure, readouts: Sequence[str], height_in: float, across_in: float, *, untrained: bool
) -> None:
    left = _LEFT_IN / WIDTH_IN
    handles = [
        Line2D([], [], color=_STYLES[name][0], linestyle=_STYLES[name][1], linewidth=1.8) for name in readouts
    ]
    figure.legend(
        handles=handles, labels=list(readouts), loc="upper left",
        bbox_to_anchor=(left, 1 - 0.2 * untrained / height_in), ncols=_LEGEND_COLUMNS, frameon=False, fontsize=8.5,
        borderpad=0, borderaxespad=0.3, columnspacing=1.4, labelspacing=0.3,
    )  # fmt: skip
    middle = (_LEFT_IN + across_in / 2) / WIDTH_IN
    words = "Occluded slice, from the top of the region (0 %) to its end (100 %)"
    figure.text(middle, 0.06 / height_in, words, ha="center", color=INK)
    if untrained:
        figure.text(left, 1 - 0.17 / height_in, labels.UNTRAINED, color=WARNING, weight="bold")
