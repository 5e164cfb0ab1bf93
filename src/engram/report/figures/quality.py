"""How well the drawn masks lie on the region, slice by slice from its top to its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from engram.evaluation.results import DrawnMasks
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

_COLUMNS = 4
_HIGH_IN, _WIDEST_IN = 1.35, 3.0
_LEFT_IN, _RIGHT_IN, _GAP_IN = 0.55, 0.15, 0.34
_LEGEND_IN, _TITLE_IN, _LABEL_IN = 0.3, 0.27, 0.22
_ROW_IN = _TITLE_IN + _HIGH_IN + 0.3  # the last is for its ticks
_CHARACTER_IN = 0.069
_COLOUR = FAMILY_COLOURS["image"]
_DASHES = (0, (4, 3))


def draw_drawn_masks(groups: Sequence[DrawnMasks], *, untrained: bool) -> Drawing:
    """One panel a scan and region: median and quartiles of the patients' Dice (0 to 1, higher is better)."""
    sheet = _Sheet(len(groups), _LEGEND_IN + 0.2 * untrained)
    with house_style("drawn_masks"):
        figure = blank_figure(sheet.height_in)
        for i, group in enumerate(groups):
            axes = figure.add_axes(sheet.panel(i))
            name = _short(f"{group.modality}, {group.roi}", sheet.panel_in)
            _draw_frame(axes, name, first=i % sheet.columns == 0)
            _draw_curve(axes, group)
        _draw_words(figure, sheet, groups[0].limit, untrained=untrained)
        return Drawing("drawn_masks", to_svg(figure), "Dice of single slices down each region, for each scan.")


@dataclass(frozen=True)
class _Sheet:
    """Where `n` panels stand, below `top_in` inches of words."""

    n: int
    top_in: float

    @property
    def columns(self) -> int:
        return min(self.n, _COLUMNS)

    @property
    def panel_in(self) -> float:
        free_in = WIDTH_IN - _LEFT_IN - _RIGHT_IN - (self.columns - 1) * _GAP_IN
        return min(_WIDEST_IN, free_in / self.columns)

    @property
    def across_in(self) -> float:
        return self.columns * (self.panel_in + _GAP_IN) - _GAP_IN

    @property
    def height_in(self) -> float:
        return self.top_in + -(-self.n // self.columns) * _ROW_IN + _LABEL_IN

    def panel(self, i: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height as shares of the figure."""
        row, column = divmod(i, self.columns)
        left_in = _LEFT_IN + column * (self.panel_in + _GAP_IN)
        bottom_in = self.height_in - self.top_in - row * _ROW_IN - _TITLE_IN - _HIGH_IN
        width, height = self.panel_in / WIDTH_IN, _HIGH_IN / self.height_in
        return left_in / WIDTH_IN, bottom_in / self.height_in, width, height


def _short(name: str, width_in: float) -> str:
    most = int(width_in / _CHARACTER_IN)
    return name if len(name) <= most else name[: most - 1] + "…"


def _draw_frame(axes: Axes, title: str, *, first: bool) -> None:
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 1.02)
    axes.set_xticks([0, 50, 100])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "", "0.5", "", "1"] if first else [""] * 5)
    axes.spines[["right", "top"]].set_visible(False)
    axes.grid(axis="y", color="#eceef0", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_title(title, fontsize=9, weight="bold", loc="left", pad=5)
    if first:
        axes.set_ylabel("Dice of a slice")


def _draw_curve(axes: Axes, group: DrawnMasks) -> None:
    bins = len(group.curve_median)
    place = [100 * (i + 0.5) / bins for i in range(bins)]
    axes.axhline(group.limit, color=QUIET, linewidth=1.0, linestyle=_DASHES, zorder=1)
    axes.fill_between(place, group.curve_lower, group.curve_upper, color=_COLOUR, alpha=0.18, linewidth=0)
    axes.plot(place, group.curve_median, color=_COLOUR, linewidth=1.8)


def _draw_words(figure: Figure, sheet: _Sheet, limit: float, *, untrained: bool) -> None:
    left, top = _LEFT_IN / WIDTH_IN, 1 - 0.2 * untrained / sheet.height_in
    figure.legend(
        handles=_handles(), labels=["median of the patients, and their quartiles", f"limit, {limit:g}"],
        handler_map={tuple: HandlerTuple(ndivide=1)}, loc="upper left", bbox_to_anchor=(left, top), ncols=2,
        frameon=False, fontsize=8, borderaxespad=0.3, borderpad=0, columnspacing=1.6,
    )  # fmt: skip
    middle = (_LEFT_IN + sheet.across_in / 2) / WIDTH_IN
    words = "From the top of the region (0 %) to its end (100 %)"
    figure.text(middle, 0.06 / sheet.height_in, words, ha="center", color=INK)
    if untrained:
        figure.text(left, 1 - 0.17 / sheet.height_in, labels.UNTRAINED, color=WARNING, weight="bold")


def _handles() -> list[Artist | tuple[Artist, ...]]:
    line = Line2D([], [], color=_COLOUR, linewidth=1.8)
    band = Patch(facecolor=_COLOUR, alpha=0.18)
    return [(band, line), Line2D([], [], color=QUIET, linewidth=1.0, linestyle=_DASHES)]
