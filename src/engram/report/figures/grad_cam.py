"""Where on the axial plane the averaging CNN looks, over the scan seen from above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from engram.report import labels
from engram.report.figures.svg import INK, QUIET, WARNING, WIDTH_IN, Drawing, blank_figure, house_style, to_svg

FloatArray = npt.NDArray[np.floating]

_COLOURS = LinearSegmentedColormap.from_list("risk", ["#0072b2", "#ffffff", "#d55e00"])  # Okabe and Ito (2008)
_MOST_OPAQUE = 0.75
_TOP_IN, _BELOW_IN, _GAP_IN, _SIDE_IN, _MOST_IN = 0.34, 0.62, 0.35, 0.3, 3.2
_LETTERS = (
    (0.02, 0.5, "R", "left", "center"),
    (0.98, 0.5, "L", "right", "center"),
    (0.5, 0.98, "A", "center", "top"),
    (0.5, 0.02, "P", "center", "bottom"),
)
_CAPTION = (
    "Grad-CAM of the averaging CNN (Selvaraju et al., 2017), by the model of the fold that left the patient out. "
    "The CNN reads the mean of the memory over its entries: it can tell where in the axial plane, and never how "
    "high in the body. Grey: the scan, averaged from top to bottom. Orange: what was found there raises the risk; "
    "blue: it lowers it. Nothing smaller than a cell of the last convolution is seen."
)


@dataclass(frozen=True)
class CamPanel:
    """One scan of one patient. title: without a patient's name. cam: (h, w) on the axial plane, signed.

    projection: (h, w), the mean of the scan over its axial slices. spacing_mm: (y, x). cells: of the last
    convolution. dark_is_high: in inverse grey, as PET is looked at.
    """

    title: str
    cam: FloatArray
    projection: FloatArray
    spacing_mm: tuple[float, float]
    cells: tuple[int, int]
    dark_is_high: bool = False


def draw_grad_cam(panels: Sequence[CamPanel], *, untrained: bool, name: str = "grad_cam") -> Drawing:
    """The scans of one patient side by side, row 0 (anterior) above and the patient's right on the left, each with
    a colour scale symmetric about 0. untrained: as of `draw_covariate_values`. name: unique on its page. Raises
    ValueError where a map is not on the plane of its scan."""
    for panel in panels:
        if panel.cam.shape != panel.projection.shape:
            raise ValueError(f"{panel.title}: a map {panel.cam.shape} on a plane {panel.projection.shape}")
    width_in = min(_MOST_IN, (WIDTH_IN - 2 * _SIDE_IN - _GAP_IN * (len(panels) - 1)) / len(panels))
    tallest_in = max(width_in * _height_mm(panel) / _width_mm(panel) for panel in panels)
    top_in = _TOP_IN + 0.2 * untrained
    height_in = top_in + tallest_in + _BELOW_IN
    with house_style(name):
        figure = blank_figure(height_in)
        for place, panel in enumerate(panels):
            left_in = _SIDE_IN + place * (width_in + _GAP_IN)
            box = (left_in / WIDTH_IN, _BELOW_IN / height_in, width_in / WIDTH_IN, tallest_in / height_in)
            scale = (left_in / WIDTH_IN, 0.36 / height_in, width_in / WIDTH_IN, 0.09 / height_in)
            most = float(np.abs(panel.cam).max()) or 1.0  # a map that is 0 everywhere has a scale, too
            _draw(figure.add_axes(box), panel, most)
            _draw_scale(figure, scale, most)
        if untrained:
            figure.text(0.1 / WIDTH_IN, 1 - 0.2 / height_in, labels.UNTRAINED, color=WARNING, weight="bold")
        return Drawing(name, to_svg(figure), _CAPTION)


def _height_mm(panel: CamPanel) -> float:
    return float(panel.cam.shape[0] * panel.spacing_mm[0])


def _width_mm(panel: CamPanel) -> float:
    return float(panel.cam.shape[1] * panel.spacing_mm[1])


def _draw_scale(figure: Figure, box: tuple[float, float, float, float], most: float) -> None:
    axes = figure.add_axes(box)
    drawn = ScalarMappable(Normalize(-most, most), _COLOURS)
    bar = figure.colorbar(drawn, cax=axes, orientation="horizontal", ticks=[-most, 0, most])
    bar.outline.set_visible(False)
    axes.set_xticklabels([f"{-most:.2g}", "0", f"{most:.2g}"], fontsize=7.5)
    axes.set_xlabel("lowers the risk  \u2190   \u2192  raises it", fontsize=7.5, color=QUIET, labelpad=1)


def _draw(axes: Axes, panel: CamPanel, most: float) -> None:
    extent = (0, _width_mm(panel), _height_mm(panel), 0)
    grey = "gray_r" if panel.dark_is_high else "gray"
    axes.imshow(panel.projection, cmap=grey, extent=extent, interpolation="nearest", aspect="equal")
    opacity = _MOST_OPAQUE * np.abs(panel.cam) / most
    axes.imshow(panel.cam, cmap=_COLOURS, vmin=-most, vmax=most, alpha=opacity, extent=extent, aspect="equal")
    axes.set_axis_off()
    axes.set_title(
        f"{panel.title}, {panel.cells[0]} \u00d7 {panel.cells[1]} cells", fontsize=9, color=INK, loc="left"
    )
    ink = INK if panel.dark_is_high else "white"
    for x, y, letter, across, down in _LETTERS:
        axes.text(x, y, letter, ha=across, va=down, color=ink, fontsize=8, transform=axes.transAxes)
