"""How every figure is set and saved: one look, and the same bytes for the same results."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, QUIET, HAIRLINE, WARNING = "#1a1a1a", "#5f6368", "#c9ccd1", "#a33a00"
FAMILY_COLOURS = {"multimodal": "#d55e00", "clinical": "#4d4d4d", "image": "#0072b2"}  # Okabe and Ito (2008)
GROUP_COLOURS = ("#0072b2", "#56b4e9", "#e69f00", "#d55e00")  # of the same, from low risk to high
WIDTH_IN = 7.4

_LOOK = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so the layout does not depend on the machine
    "font.size": 9.0,
    "text.color": INK,
    "text.parse_math": False,  # names are text, whatever dollar signs they hold
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "svg.fonttype": "none",
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True)
class Drawing:
    """One figure. name: stem of its file. svg: a whole SVG document. caption: for those who cannot see it."""

    name: str
    svg: str
    caption: str

    @property
    def inline(self) -> str:
        """The SVG element alone, as HTML holds it: no prologue, no namespaces."""
        element = self.svg[self.svg.index("<svg") :]
        return re.sub(r' xmlns(:\w+)?="[^"]*"', "", element)


@contextmanager
def house_style(name: str) -> Iterator[None]:
    """Settings of matplotlib for one figure, put back afterwards. `name` keeps ids of two figures apart."""
    with mpl.rc_context({**_LOOK, "svg.hashsalt": name}):
        yield


def blank_figure(height_in: float) -> Figure:
    """A white figure of the common width; sizes in inches."""
    return Figure(figsize=(WIDTH_IN, height_in), facecolor="white")


def to_svg(figure: Figure) -> str:
    """The figure as SVG text, without dates, versions or names of groups. Call it inside `house_style`."""
    stream = io.StringIO()
    FigureCanvasSVG(figure).print_svg(stream, metadata=_NO_METADATA)
    text = re.sub(r"<!--.*?-->\s*", "", stream.getvalue(), flags=re.DOTALL)
    return re.sub(r'<g id="[^"]*"(/?)>', r"<g\1>", text)
