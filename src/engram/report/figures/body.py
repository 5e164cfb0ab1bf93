"""A body whose parts are the darker the more the model looks at them for their volume."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from engram.evaluation.attribution_records import Attribution, PartAttribution
from engram.report import labels
from engram.report.figures.skeleton import BONES, HIGH, Point
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
from engram.report.formats import EN_DASH, interval, number

_BODY_IN, _BOTTOM_IN, _TOP_IN, _SIDE_IN = 4.2, 0.62, 0.32, 0.1
_UNITS_PER_IN = HIGH / _BODY_IN
_LARGEST = 4.0  # times the part's volume: beyond it, and below its inverse, colours stay the same
_COLOURS: Final = colormaps["PuRd"]  # from pale to dark: the colour-blind read it, and a grey print shows it
_PALEST, _DARKEST = 0.1, 0.95
_SHADES = 40

# Where the line from each part's words ends, from the head down.
_ENDS: Mapping[str, Point] = MappingProxyType(
    {
        "skull": (63, 189),
        "cervical spine": (57.5, 167),
        "shoulder girdle": (73, 156),
        "thoracic spine": (58.2, 146),
        "ribs and sternum": (71, 132),
        "lumbar spine": (59.5, 113),
        "sacrum and pelvis": (70, 97),
        "limbs": (67.5, 60),
    }
)
_SWATCH, _NAME, _PER_ML, _INTERVAL, _SHARE = 120.0, 129.0, 222.0, 228.0, 312.0  # columns, in units of the body
_FIRST, _STEP = 184.0, 20.0  # rows


def draw_body(found: Attribution, *, untrained: bool) -> Drawing:
    """The parts of one row coloured by their share per mL, each with its numbers. untrained: see labels."""
    height_in = _BOTTOM_IN + _BODY_IN + _TOP_IN + 0.2 * untrained
    with house_style("body"):
        figure = blank_figure(height_in)
        box = (_SIDE_IN / WIDTH_IN, _BOTTOM_IN / height_in, 1 - 2 * _SIDE_IN / WIDTH_IN, _BODY_IN / height_in)
        axes = figure.add_axes(box, xlim=(0, (WIDTH_IN - 2 * _SIDE_IN) * _UNITS_PER_IN), ylim=(0, HIGH))
        axes.set_axis_off()
        _draw(axes, found)
        _draw_scale(figure.add_axes((0.36, 0.4 / height_in, 0.34, 0.12 / height_in)))
        figure.text(_SIDE_IN / WIDTH_IN, 1 - 0.2 / height_in, f"{found.row} ({found.roi})", weight="bold")
        if untrained:
            figure.text(_SIDE_IN / WIDTH_IN, 1 - 0.4 / height_in, labels.UNTRAINED, color=WARNING, weight="bold")
        return Drawing("body", to_svg(figure), _caption(found))


def shade_of(per_ml: float | None) -> str:
    """The colour of a share per mL: dark where it is large for the volume; white without a number."""
    if per_ml is None:
        return "#ffffff"
    steps = math.log(max(per_ml, 1 / _LARGEST)) / math.log(_LARGEST)
    return _shade(min(steps, 1.0))


def _shade(steps: float) -> str:
    """-1: a quarter of the volume's share or less; 0: as much; 1: four times as much or more."""
    return to_hex(_COLOURS(_PALEST + (_DARKEST - _PALEST) * (steps + 1) / 2))


def _draw(axes: Axes, found: Attribution) -> None:
    known = {part.part: part for part in found.parts}
    for name, bones in BONES.items():
        for bone in bones:
            bone.draw(axes, shade_of(known[name].per_ml if name in known else None))
    ordered = sorted(found.parts, key=lambda part: -_ENDS.get(part.part, (0.0, 0.0))[1])
    _draw_heads(axes)
    for i, part in enumerate(ordered):
        _draw_row(axes, _FIRST - i * _STEP, part, found.patch_ml)


def _draw_heads(axes: Axes) -> None:
    style: dict[str, Any] = {"color": QUIET, "fontsize": 8, "va": "center_baseline"}
    for x, words, side in (
        (_PER_ML, "per mL", "right"),
        (_INTERVAL, "(95 % CI)", "left"),
        (_SHARE, "share", "right"),
    ):
        axes.text(x, _FIRST + 0.7 * _STEP, words, ha=side, **style)


def _draw_row(axes: Axes, y: float, part: PartAttribution, patch_ml: float) -> None:
    if part.part in _ENDS:
        end_x, end_y = _ENDS[part.part]
        axes.plot([end_x, _SWATCH - 14, _SWATCH - 4], [end_y, y, y], color=HAIRLINE, linewidth=0.8, zorder=5)
        axes.plot([end_x], [end_y], "o", color=INK, markersize=2, zorder=6)
    axes.plot([_SWATCH], [y], "s", markersize=9, markerfacecolor=shade_of(part.per_ml), markeredgecolor=QUIET)
    style: dict[str, Any] = {"va": "center_baseline"}
    axes.text(_NAME, y, part.part, **style)
    if not part.n:
        axes.text(_PER_ML, y, "in no map", color=QUIET, ha="right", **style)
        return
    if part.volume_ml is not None and part.volume_ml < patch_ml:
        axes.text(_INTERVAL, y, "smaller than a patch", color=QUIET, fontsize=8, **style)
    axes.text(_PER_ML, y, number(part.per_ml, 2), ha="right", **style)
    if part.per_ml_lower is not None:
        limits = interval(part.per_ml_lower, part.per_ml_upper, 2)
        axes.text(_INTERVAL, y, f"({limits})", color=QUIET, fontsize=8, **style)
    share = EN_DASH if part.share is None else f"{number(100 * part.share, 1)} %"
    axes.text(_SHARE, y, share, ha="right", **style)


def _draw_scale(axes: Axes) -> None:
    for i in range(_SHADES):
        left, right = (2 * (i + step) / _SHADES - 1 for step in (0, 1))
        axes.axvspan(left, right, color=_shade((left + right) / 2), linewidth=0)
    axes.set_xlim(-1, 1)
    axes.set_yticks([])
    ticks = {-1.0: f"1/{_LARGEST:g} or less", -0.5: "1/2", 0.0: "1", 0.5: "2", 1.0: f"{_LARGEST:g} or more"}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.tick_params(labelsize=7.5, length=2.5, pad=2)
    axes.set_xlabel("share of the sensitivity per mL (1: as much as its volume)", fontsize=8, labelpad=2)


def _caption(found: Attribution) -> str:
    flat = f" {found.flat} patients with a flat map are left out." if found.flat else ""
    return (
        f"Where the maps of \u201c{found.row}\u201d look: mean share of the absolute sensitivity of each part of "
        f"{found.roi}, relative to its volume, over {found.n} patients.{flat} White: no number. Seen from the "
        "front."
    )
