"""The reach of the read-outs on the page: of what share of the region each knows, in words, numbers, a figure."""

from __future__ import annotations

from dataclasses import dataclass

from engram.evaluation.reach_records import CohortReach, Reach
from engram.evaluation.results import StudyResults
from engram.report.figures.reach import draw_cohort_reach
from engram.report.figures.svg import Drawing
from engram.report.formats import EN_DASH
from engram.report.layout import Column, Table

REACH, PARTS = "reach", "reach_parts"
ANOTHER = (
    "reach.json is here, but it is not of these results: its study file, manifest or weights were others. Run "
    "'engram explain', then 'report'."
)
_UNTRAINED = (
    "The weights are random: what is shown is which slices a read-out can know of, not what it makes of them."
)
_HALF = 50  # percent of the way: known slices that start beyond it lie at the end
_DENSE = 0.5  # share of the slices between the first known and the last that are known, below which they are few
_PAPERS = "final"


@dataclass(frozen=True)
class ReachSection:
    """what: what was done. sentences: one a read-out. tables, figure: as on the page; none where the reach is of
    another study."""

    what: str
    sentences: tuple[str, ...]
    tables: dict[str, Table]
    figure: Drawing | None
    caption: str
    untrained: bool


def reach_section(reach: Reach | None, results: StudyResults) -> ReachSection | None:
    """The section; None where the reach was not measured."""
    if reach is None:
        return None
    made = results.provenance
    if (reach.study, reach.manifest, reach.weights) != (
        made.study_digest,
        made.manifest_digest,
        made.weights_digest,
    ):
        return ReachSection(ANOTHER, (), {}, None, "", untrained=False)
    tables = {table.name: table for table in (_known_table(reach), _parts_table(reach)) if table.rows}
    figure = draw_cohort_reach(reach.cohort, threshold=reach.threshold, untrained=reach.untrained)
    what = " ".join([_what_was_done(reach), *[_UNTRAINED] * reach.untrained])
    return ReachSection(
        what,
        tuple(in_words(one, about=reach.stride > 1) for one in reach.cohort),
        tables,
        figure,
        _caption(reach),
        reach.untrained,
    )


def _what_was_done(reach: Reach) -> str:
    n = len({curve.patient for curve in reach.curves})
    which = "Each slice read" if reach.stride == 1 else f"Of the slices read, at least every {_th(reach.stride)}"
    return (
        f"{which} was occluded alone (filled with the mean of the volume, the prompts unchanged), in {n} "
        f"patient{'s' * (n != 1)}. A read-out knows of a slice whose occlusion changes it by more than "
        f"{reach.threshold:g}, relative to itself."
    )


def _th(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def in_words(one: CohortReach, *, about: bool) -> str:
    """What a read-out knows of, as "the last 3 % of the region"; medians over patients. about: not every slice was
    occluded, so that counts are rough."""
    what = f"\u201c{one.readout}\u201d of {one.modality}, {one.roi} ({one.prompting})"
    what += ", the read-out of the paper," if one.readout == _PAPERS else ""
    share = one.known[1]
    if one.known_from is None or one.known_to is None or share == 0:
        return f"{what} knows of no slice."
    slices = max(1, round(share * one.slices_read))
    many = f"{'about ' * about}{slices} slice{'s' * (slices != 1)} of {one.slices_read:.0f} ({_percent(share)})"
    return f"{what} knows of {many}: {_where(one.known_from, one.known_to, share)}. {_most(one)}"


def _where(first: float, last: float, share: float) -> str:
    if share < _DENSE * (last - first) / 100:
        return f"a few between {first:.0f} % and {last:.0f} % of the way down the region"
    if first <= 0 and last >= 100:
        return "from the top of the region to its end"
    if last >= 100 and first >= _HALF:
        return f"the last {100 - first:.0f} % of the region" if round(100 - first) else "the end of the region"
    if first <= 0 and last <= _HALF:
        return f"the first {last:.0f} % of the region" if round(last) else "the top of the region"
    return f"between {first:.0f} % and {last:.0f} % of the way down the region"


def _most(one: CohortReach) -> str:
    return f"Nine tenths of all change come from {_percent(one.most[1])} of its slices."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _known_table(reach: Reach) -> Table:
    columns = (
        *(Column(head) for head in ("Scan", "Region", "Prompting", "Read-out")),
        *(Column(head, "number") for head in ("Patients", "Slices read", "Known of", "From", "To")),
        Column("Nine tenths of the change from", "number"),
    )
    lines = tuple((*_kind(one), str(one.patients), f"{one.slices_read:.0f}", *_known(one)) for one in reach.cohort)
    notes = (
        "Known of: share of the slices read whose occlusion changes the read-out by more than "
        f"{reach.threshold:g}; median of the patients, and quartiles. Slices that were not occluded count as the "
        "nearest that was.",
        "From, to: where the first known slice begins and the last ends, in percent of the slices from the top on; "
        "medians.",
        "Nine tenths of the change from: the smallest share of slices that makes up so much of the sum of all "
        "changes; median and quartiles. A read-out may know of many slices a little, and of few a lot.",
    )
    return Table(REACH, columns, lines, notes, reach.untrained)


def _kind(one: CohortReach) -> tuple[str, str, str, str]:
    return one.modality, one.roi, one.prompting, one.readout


def _known(one: CohortReach) -> tuple[str, ...]:
    ends = [EN_DASH if place is None else f"{place:.0f} %" for place in (one.known_from, one.known_to)]
    return _quartiles(one.known), *ends, _quartiles(one.most)


def _quartiles(shares: list[float]) -> str:
    lower, median, upper = (f"{100 * share:.0f}" for share in shares)
    return f"{median} % ({lower} to {upper})"


def _parts_table(reach: Reach) -> Table:
    """One line a read-out; a column for each anatomical part that any patient has."""
    parts = list(dict.fromkeys(part.part for one in reach.cohort for part in one.parts))
    heads = (Column(head) for head in ("Scan", "Region", "Prompting", "Read-out"))
    columns = (*heads, *(Column(part.capitalize(), "number") for part in parts))
    lines = []
    for one in reach.cohort:
        means = {part.part: f"{part.mean:.1e} ({part.patients})" for part in one.parts}
        if means:
            lines.append((*_kind(one), *(means.get(part, EN_DASH) for part in parts)))
    note = (
        "Relative change of the read-out when one slice of the part is occluded: mean over a patient's slices, "
        "then over patients (their number in brackets). A slice belongs to the part that most of the region on it "
        "belongs to."
    )
    return Table(PARTS, columns, tuple(lines), (note,), reach.untrained)


def _caption(reach: Reach) -> str:
    return (
        "Change of each read-out, relative to itself, when one slice alone is occluded, at that slice's place. "
        "Line and band: mean and quartiles of the patients, each on a way of his own from 0 to 100 %. Dotted: the "
        f"threshold, {reach.threshold:g}. None: the read-out does not know of the slice at all."
    )
