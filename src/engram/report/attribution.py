"""Where the maps of a cohort look, by anatomical part, and whether untaught models look there too: two tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engram.evaluation.attribution_records import Attribution, MapControl, PartAttribution
from engram.report.formats import interval, number
from engram.report.layout import Column, Table

_MEANING = (
    "Occlusion: a patch of the images is filled with one value, and the log-risk is computed anew by the model of "
    "the fold that did not train on the patient. It says what the model looks at, not what causes the outcome; "
    "patch size, stride and fill decide much of it."
)
_SHARE = (
    "Share: of the patient's summed absolute sensitivity inside the region, mean over the patients whose map "
    "covers any of the part; the shares of parts that some patients lack do not add up to 100 %."
)
_PER_ML = (
    "Per mL: the mean share over the mean share of the region's volume; 1 is as much as the part's volume. A part "
    "that is smaller than a patch has none, for it shares the patches of its neighbours."
)
_INTERVAL = "95 % CI: bootstrap of patients (percentile); \u2013 with fewer than 10 of them."
_SIMILAR = (
    "Mean over patients of Spearman's correlation of each map with that of a model that can know nothing, over the "
    "voxels that patches cover: 1 is the same map, 0 another one. What stays the same was not learned (Adebayo et "
    "al., 2018)."
)


def attribution_table(found: Sequence[Attribution], *, untrained: bool) -> Table:
    """One line for each part of each row that any map covers. untrained: whether random weights made the maps."""
    heads = ("Patients", "Volume (mL)", "Share (%)", "95 % CI", "Per mL", "95 % CI")
    columns = (Column("Row"), Column("Region"), Column("Part"), *(Column(head, "number") for head in heads))
    lines = tuple(_part_line(one, part) for one in found for part in one.parts if part.n)
    return Table("attribution", columns, lines, (_MEANING, _SHARE, _PER_ML, _INTERVAL, *_flat(found)), untrained)


def controls_table(found: Sequence[MapControl], *, untrained: bool) -> Table:
    """One line for each row and control. untrained: whether random weights made the maps themselves."""
    heads = ("Patients", "Sizes alike", "95 % CI", "Changes alike", "95 % CI")
    columns = (Column("Row"), Column("Compared with"), *(Column(head, "number") for head in heads))
    lines = tuple(_control_line(one) for one in found)
    return Table("map_controls", columns, lines, (_SIMILAR, _INTERVAL, *_flat(found)), untrained)


def _part_line(one: Attribution, part: PartAttribution) -> tuple[str, ...]:
    share = (_percent(part.share), interval(_times100(part.share_lower), _times100(part.share_upper), 1))
    per_ml = (number(part.per_ml, 2), interval(part.per_ml_lower, part.per_ml_upper, 2))
    return (one.row, one.roi, part.part, str(part.n), number(part.volume_ml, 0), *share, *per_ml)


def _control_line(one: MapControl) -> tuple[str, ...]:
    sizes = (number(one.absolute, 2), interval(one.absolute_lower, one.absolute_upper, 2))
    changes = (number(one.signed, 2), interval(one.signed_lower, one.signed_upper, 2))
    return (one.row, one.control, str(one.n), *sizes, *changes)


def _percent(share: float | None) -> str:
    return number(_times100(share), 1)


def _times100(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _flat(found: Iterable[Attribution | MapControl]) -> list[str]:
    """How many patients each row leaves out, where it leaves out any."""
    return [f"{one.row}: {one.flat} patients with a flat map are left out." for one in found if one.flat]
