"""quality.html: what the model draws in every study, worst first. It shows every body, so it is not shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from engram.errors import StorageError
from engram.evaluation.results import DrawnMasks, StudyResults
from engram.report import labels, prose, shown
from engram.report.resources import resource
from engram.report.shown import Shown
from engram.report.thumbnails import Thumbnail, thumbnail

PAGE_NAME = "quality.html"

_MOST = 400  # pictures on a page that show all
_LOWEST, _MIDDLE, _HIGHEST = 200, 50, 50  # of a scan and region, where there are more


@dataclass(frozen=True)
class StudyPicture:
    """One scan and region of one patient, who is not named.

    row: line of the manifest; dice: 0 to 1, higher is better; slices: how many were read; png: its picture, or None
    where there is none.
    """

    modality: str
    roi: str
    row: int
    dice: float
    slices: int
    flagged: bool
    png: Path | None


@dataclass(frozen=True)
class _Card:
    study: StudyPicture
    picture: Thumbnail | None


@dataclass(frozen=True)
class _Group:
    masks: DrawnMasks
    cards: list[_Card]


def quality_page(results: StudyResults, studies: Sequence[StudyPicture]) -> str:
    """The page, with thumbnails inside: equal results and pictures give equal text.

    Raises StorageError where the studies are not those that the results count, or a picture is damaged.
    """
    chosen = [(masks, _members(masks, studies)) for masks in results.drawn_masks]
    if len(studies) > _MOST:
        chosen = [(masks, _some(members)) for masks, members in chosen]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(resource(PAGE_NAME)).render(
        results=results,
        style=Markup(resource("style.css")),  # noqa: S704 - our own file
        banners=[banner for banner in prose.banners(results) if banner.kind in ("untrained", "synthetic")],
        labels=labels,
        sees_the_region=prose.sees_the_region(results),
        colours=shown.colours(Shown.of(results), drawn=True),
        inverse=shown.INVERSE,
        groups=[_Group(masks, [_card(study) for study in members]) for masks, members in chosen],
        scans=list(dict.fromkeys(masks.modality for masks in results.drawn_masks)),
        regions=list(dict.fromkeys(masks.roi for masks in results.drawn_masks)),
        without=sum(study.png is None for study in studies),
        total=len(studies),
        left_out=(_LOWEST, _MIDDLE, _HIGHEST),
    )


def _members(masks: DrawnMasks, studies: Sequence[StudyPicture]) -> list[StudyPicture]:
    """The studies of a scan and region, lowest Dice first."""
    found = [study for study in studies if (study.modality, study.roi) == (masks.modality, masks.roi)]
    flagged = sum(study.flagged for study in found)
    if (len(found), flagged) != (masks.n, masks.flagged):
        raise StorageError(
            f"quality.csv, {masks.modality}, {masks.roi}: {len(found)} studies, {flagged} of them flagged; "
            f"results.json counts {masks.n}, {masks.flagged} of them flagged. Run 'engram evaluate' again."
        )
    return sorted(found, key=lambda study: (study.dice, study.row))


def _some(members: list[StudyPicture]) -> list[StudyPicture]:
    """The lowest, some around the median, and the highest, where there are more than these."""
    n = len(members)
    if n <= _LOWEST + _MIDDLE + _HIGHEST:
        return members
    middle = min(max((n - _MIDDLE) // 2, _LOWEST), n - _HIGHEST - _MIDDLE)
    return members[:_LOWEST] + members[middle : middle + _MIDDLE] + members[-_HIGHEST:]


def _card(study: StudyPicture) -> _Card:
    return _Card(study, None if study.png is None else thumbnail(study.png))
