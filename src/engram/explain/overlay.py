"""The map of one patient over his images: from the side as in the paper's Figure A.7, from the front, projected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from scipy import ndimage

from engram.config_models import Modality
from engram.explain.sensitivity_map import MapArray
from engram.explain.views import View, views
from engram.imaging.coverage import Mask
from engram.imaging.study import ImagePair
from engram.report import labels
from engram.report.figures.svg import INK, QUIET, WARNING, WIDTH_IN, Drawing, blank_figure, house_style, to_svg

RAISES, LOWERS, OUTLINE = "#d55e00", "#56b4e9", "#009e73"  # Okabe and Ito (2008)
_RGB: Final = {name: tuple(int(name[i : i + 2], 16) for i in (1, 3, 5)) for name in (RAISES, LOWERS, OUTLINE)}
_OPAQUE = 0.9  # of the largest change; no change is clear
_PX_PER_IN, _GREYS = 150, 48
_TALLEST_IN, _GAP_IN, _SIDE_IN, _TOP_IN, _BOTTOM_IN = 5.0, 0.14, 0.1, 0.5, 0.78
_BARS_MM = (500, 200, 100, 50, 20, 10, 5)
_LONGEST_BAR = 0.43  # of the width of a view, so that it does not reach the letter in the middle

_Pixels = npt.NDArray[np.uint8]


def draw_overlay(
    pair: ImagePair,
    region: Mask,
    change: MapArray,
    *,
    windows: Mapping[Modality, tuple[float, float]],
    name: str,
    title: str,
    untrained: bool,
) -> Drawing:
    """Three views with the region's outline and the map inside it, on one scale of colours, symmetric about 0.

    region, change: see `engram.explain.views.views`. windows: HU of the CT, SUV of the PET. name, title: of the
    figure; neither may name a patient. untrained: whether random weights made the map. Raises as `views`.
    """
    shown = views(pair, region, change)
    limit = float(np.nanmax(np.abs(change[region]), initial=0.0))
    tall_in = _tall_in(shown)
    height_in = tall_in + _TOP_IN + _BOTTOM_IN + 0.18 * untrained
    with house_style(name):
        figure = blank_figure(height_in)
        left_in = _SIDE_IN
        for view in shown:
            width_in = tall_in * view.size_mm[1] / view.size_mm[0]
            box = (left_in / WIDTH_IN, _BOTTOM_IN / height_in, width_in / WIDTH_IN, tall_in / height_in)
            _draw_view(figure.add_axes(box), view, windows[view.modality], limit, tall_in)
            left_in += width_in + _GAP_IN
        _draw_words(figure, title, untrained=untrained)
        _draw_legend(figure, limit)
        return Drawing(name, to_svg(figure), _caption(title, limit))


def _tall_in(shown: Sequence[View]) -> float:
    """Height of every view in inches: all are equally tall, so each has a scale of its own."""
    room_in = WIDTH_IN - 2 * _SIDE_IN - (len(shown) - 1) * _GAP_IN
    return min(_TALLEST_IN, room_in / sum(view.size_mm[1] / view.size_mm[0] for view in shown))


def _draw_view(axes: Axes, view: View, window: tuple[float, float], limit: float, tall_in: float) -> None:
    high_mm, wide_mm = view.size_mm
    size = (max(1, round(tall_in * wide_mm / high_mm * _PX_PER_IN)), max(1, round(tall_in * _PX_PER_IN)))
    axes.set_axis_off()
    for layer in (_grey(view, window, size), _coloured(view, limit, size)):
        axes.imshow(layer, extent=(0, wide_mm, high_mm, 0), aspect="auto", interpolation="none")
    axes.set_title(f"{view.title} ({view.modality})", fontsize=8.5, loc="left", pad=4)
    ink, ground = (INK, "white") if view.inverted else ("white", "black")
    # Bone is white and a full bladder black: without a ground the words are lost on them.
    style = {"color": ink, "bbox": {"facecolor": ground, "alpha": 0.5, "linewidth": 0, "pad": 1.2}}
    _draw_letters(axes, view.ends, style)
    _draw_bar(axes, view, style)


def _draw_letters(axes: Axes, ends: tuple[str, str], style: Mapping[str, Any]) -> None:
    style = {"transform": axes.transAxes, "fontsize": 8, **style}
    axes.text(0.03, 0.5, ends[0], ha="left", va="center", **style)
    axes.text(0.97, 0.5, ends[1], ha="right", va="center", **style)
    axes.text(0.5, 0.985, "S", ha="center", va="top", **style)
    axes.text(0.5, 0.015, "I", ha="center", va="bottom", **style)


def _draw_bar(axes: Axes, view: View, style: Mapping[str, Any]) -> None:
    high_mm, wide_mm = view.size_mm
    length_mm = next((mm for mm in _BARS_MM if mm <= _LONGEST_BAR * wide_mm), _BARS_MM[-1])
    end_mm, at_mm = 0.97 * wide_mm, 0.975 * high_mm
    bar = {"color": style["color"], "linewidth": 1.6, "solid_capstyle": "butt"}
    axes.plot([end_mm - length_mm, end_mm], [at_mm, at_mm], **bar)
    middle_mm, above_mm = end_mm - length_mm / 2, at_mm - 0.012 * high_mm
    axes.text(middle_mm, above_mm, f"{length_mm} mm", fontsize=7, ha="center", va="bottom", **style)


def _grey(view: View, window: tuple[float, float], size: tuple[int, int]) -> _Pixels:
    """The scan in its window, (h, w, 3); in few greys, which is enough under a map and makes a small file."""
    low, high = window
    large = np.asarray(Image.fromarray(view.scan).resize(size, Image.Resampling.BILINEAR))
    share = np.clip((large - low) / (high - low), 0.0, 1.0)
    levels = np.rint((1 - share if view.inverted else share) * (_GREYS - 1)) * 255 / (_GREYS - 1)
    return np.repeat(levels.astype(np.uint8)[..., None], 3, axis=2)


def _coloured(view: View, limit: float, size: tuple[int, int]) -> _Pixels:
    """The map, the clearer the smaller its size, and the outline of the region: (h, w, 4)."""
    change = np.asarray(Image.fromarray(view.change).resize(size, Image.Resampling.NEAREST))
    region = np.asarray(Image.fromarray(view.region).resize(size, Image.Resampling.NEAREST))
    strength = np.nan_to_num(np.abs(change) / limit) if limit > 0 else np.zeros(change.shape)
    found = np.zeros((*change.shape, 4), dtype=np.uint8)
    found[..., :3] = np.where((change < 0)[..., None], _RGB[RAISES], _RGB[LOWERS])
    found[..., 3] = np.rint(255 * _OPAQUE * strength)
    edge = region & ~ndimage.binary_erosion(region, border_value=1)
    found[edge] = (*_RGB[OUTLINE], 255)
    return found


def _draw_words(figure: Figure, title: str, *, untrained: bool) -> None:
    height_in = figure.get_size_inches()[1]
    figure.text(_SIDE_IN / WIDTH_IN, 1 - 0.18 / height_in, title, weight="bold")
    if untrained:
        figure.text(_SIDE_IN / WIDTH_IN, 1 - 0.36 / height_in, labels.UNTRAINED, color=WARNING, weight="bold")


def _draw_legend(figure: Figure, limit: float) -> None:
    """The scale of colours, from what raises the risk to what lowers it, in units of log-risk."""
    height_in = figure.get_size_inches()[1]
    figure.text(_SIDE_IN / WIDTH_IN, 0.12 / height_in, "\u2014 outline of the region", color=OUTLINE, fontsize=8)
    if limit == 0:
        figure.text(0.5, 0.4 / height_in, "No patch changes the log-risk.", ha="center", color=INK)
        return
    axes = figure.add_axes((0.5 - 1.5 / WIDTH_IN, 0.42 / height_in, 3.0 / WIDTH_IN, 0.14 / height_in))
    ramp = np.linspace(-1, 1, 201)
    colours = np.where((ramp < 0)[:, None], _RGB[RAISES], _RGB[LOWERS]) / 255
    layer = np.column_stack([colours, _OPAQUE * np.abs(ramp)])[None]
    axes.imshow(layer, extent=(-limit, limit, 0, 1), aspect="auto")
    axes.set_yticks([])
    axes.set_xticks([-limit, 0, limit], [f"{-limit:.2g}", "0", f"+{limit:.2g}"])
    axes.tick_params(labelsize=7.5, length=2.5, pad=2)
    axes.set_xlabel("change of the log-risk when occluded", fontsize=8, labelpad=2)
    for x, side, words in ((-0.02, "right", "raises the risk"), (1.02, "left", "lowers the risk")):
        axes.text(x, 0.5, words, transform=axes.transAxes, ha=side, va="center", color=QUIET, fontsize=8)


def _caption(title: str, limit: float) -> str:
    most = f"The largest change is {limit:.2g}." if limit else "No patch changes the log-risk."
    return (
        f"{title}: how the log-risk changes when a patch is occluded, averaged over the patches of a voxel, within "
        "the region. Sagittal and coronal slices where the region is largest; in the projection, the change of the "
        f"largest size. Orange: without it the risk is lower, so it raises the risk; blue: it lowers it. {most} "
        "It says what the model looks at, not what causes the outcome."
    )
