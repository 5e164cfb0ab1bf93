"""The exclusion flow, drawn from its counts (paper Figure 1)."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from engram.evaluation.results import CohortSummary, Flow, FlowStep
from engram.report.figures.svg import HAIRLINE, INK, QUIET, WIDTH_IN, Drawing, blank_figure, house_style, to_svg

_LINE_IN, _PAD_IN, _GAP_IN = 0.185, 0.11, 0.2
_LEFT_IN, _SPLIT_IN, _RIGHT_IN, _END_IN = 0.05, 2.75, 3.3, WIDTH_IN - 0.05
_WRAP_CHARACTERS = 56
_MOST_REASONS = 6
_PASSED = {
    "imaging": "Images and masks usable",
    "clinical": "Clinical annotation usable",
    "outcome": "Outcome known",
}


@dataclass(frozen=True)
class _Box:
    """Lines of text, the first of them bold, between two x positions (inches)."""

    lines: list[str]
    left_in: float
    right_in: float

    @property
    def height_in(self) -> float:
        return len(self.lines) * _LINE_IN + 2 * _PAD_IN


def draw_flow(flow: Flow, cohort: CohortSummary) -> Drawing:
    """Boxes from the pool to the analysed cohort, those left out beside the arrow, with reasons and counts."""
    main = _main_boxes(flow, cohort)
    aside = [_excluded_box(step) for step in flow.steps]
    gaps_in = [box.height_in + 2 * _GAP_IN for box in aside] or [2 * _GAP_IN]
    height_in = sum(box.height_in for box in main) + sum(gaps_in) + 0.1
    with house_style("flow"):
        figure = blank_figure(height_in)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH_IN), ylim=(0, height_in))
        axes.set_axis_off()
        _draw(axes, main, aside, gaps_in, height_in - 0.05)
        return Drawing("flow", to_svg(figure), _caption(flow))


def _caption(flow: Flow) -> str:
    return f"From {flow.pool} rows of the manifest to {flow.analysed} patients analysed."


def _main_boxes(flow: Flow, cohort: CohortSummary) -> list[_Box]:
    texts = [["Rows of the manifest", f"n = {flow.pool}"]]
    texts += [[_PASSED[step.stage], f"n = {step.remaining}"] for step in flow.steps[:-1]]
    events = f"{cohort.events} events, {cohort.censored} censored"
    texts.append(["Analysed", f"n = {flow.analysed}", events])
    return [_Box(lines, _LEFT_IN, _SPLIT_IN) for lines in texts]


def _excluded_box(step: FlowStep) -> _Box:
    reasons = sorted(step.reasons.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"Left out: n = {step.excluded}", *textwrap.wrap(step.title, _WRAP_CHARACTERS)]
    for reason, count in reasons[:_MOST_REASONS]:
        lines += textwrap.wrap(
            f"{count}  {reason}", _WRAP_CHARACTERS, initial_indent="  ", subsequent_indent="      "
        )
    others = reasons[_MOST_REASONS:]
    if others:
        lines.append(f"  {sum(count for _, count in others)}  for {len(others)} other reasons (see the table)")
    return _Box(lines, _RIGHT_IN, _END_IN)


def _draw(axes: Axes, main: list[_Box], aside: list[_Box], gaps_in: list[float], top_in: float) -> None:
    middle_in = (_LEFT_IN + _SPLIT_IN) / 2
    for i, box in enumerate(main):
        _draw_box(axes, box, top_in, edge=INK, centred=True)
        top_in -= box.height_in
        if i == len(main) - 1:
            break
        bottom_in = top_in - gaps_in[i]
        _arrow(axes, (middle_in, top_in), (middle_in, bottom_in))
        if aside:
            centre_in = (top_in + bottom_in) / 2
            _arrow(axes, (middle_in, centre_in), (_RIGHT_IN, centre_in))
            _draw_box(axes, aside[i], top_in - _GAP_IN, edge=HAIRLINE, centred=False)
        top_in = bottom_in


def _draw_box(axes: Axes, box: _Box, top_in: float, *, edge: str, centred: bool) -> None:
    corner = (box.left_in, top_in - box.height_in)
    width_in = box.right_in - box.left_in
    axes.add_patch(Rectangle(corner, width_in, box.height_in, facecolor="white", edgecolor=edge, linewidth=1.0))
    x_in = box.left_in + (width_in / 2 if centred else _PAD_IN)
    for i, line in enumerate(box.lines):
        y_in = top_in - _PAD_IN - (i + 0.72) * _LINE_IN
        indent_in = 0.0 if centred else 0.06 * (len(line) - len(line.lstrip()))
        axes.text(
            x_in + indent_in,
            y_in,
            line.strip(),
            ha="center" if centred else "left",
            weight="bold" if i == 0 else "normal",
            color=INK if centred or i < 1 else QUIET,
        )


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    line = {"arrowstyle": "-|>", "color": QUIET, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}
    axes.annotate("", xy=end, xytext=start, arrowprops=line)
