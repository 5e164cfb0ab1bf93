"""images.html: every patient's scan and regions on one picture, flagged ones first. It is not shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from engram.report import labels
from engram.report.figures.strips import Strip, draw_strips
from engram.report.resources import resource
from engram.report.thumbnails import Thumbnail, thumbnail

PAGE_NAME = "images.html"

_MOST = 400  # pictures on the page; patients beyond are listed with their numbers

__all__ = ["PAGE_NAME", "ImageCard", "Measured", "Strip", "images_page"]


@dataclass(frozen=True)
class Measured:
    """One number of a patient. label: what it is, with its unit; value: None where it was not measured. compared:
    whether the cohort's values are drawn side by side."""

    label: str
    value: float | None
    decimals: int = 1
    compared: bool = True


@dataclass(frozen=True)
class ImageCard:
    """One patient, who is not named.

    row: line of the manifest. left_out: why the patient is not analysed, or None. numbers: the same labels in the
    same order for every patient. flags: what is worth a look, in words. png: the picture, or None.
    """

    row: int
    left_out: str | None
    numbers: tuple[Measured, ...]
    flags: tuple[str, ...]
    png: Path | None


@dataclass(frozen=True)
class _Shown:
    card: ImageCard
    picture: Thumbnail | None


def images_page(
    study: str,
    cards: Sequence[ImageCard],
    strips: Sequence[Strip],
    *,
    regions: Sequence[tuple[str, str]],
    shown: str,
    synthetic: bool,
) -> str:
    """The page, with thumbnails inside: equal cards and pictures give equal text.

    strips: numbers of the whole cohort. regions: name and colour (CSS) of each region of interest. shown: what the
    pictures show, a sentence. Raises StorageError where a picture is damaged.
    """
    ordered = sorted(cards, key=lambda card: (not card.flags, -len(card.flags), card.row))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(resource(PAGE_NAME)).render(
        study=study,
        style=Markup(resource("style.css")),  # noqa: S704 - our own file
        labels=labels,
        synthetic=synthetic,
        shown=shown,
        regions=regions,
        strips=Markup(draw_strips(strips).inline) if strips else None,  # noqa: S704 - escaped by matplotlib
        cards=[_shown(card, pictured=i < _MOST) for i, card in enumerate(ordered)],
        sortable=[number.label for number in ordered[0].numbers] if ordered else [],
        flagged=sum(bool(card.flags) for card in cards),
        left_out=sum(card.left_out is not None for card in cards),
        most=_MOST,
    )


def _shown(card: ImageCard, *, pictured: bool) -> _Shown:
    return _Shown(card, thumbnail(card.png) if pictured and card.png is not None else None)
