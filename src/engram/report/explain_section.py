"""What the risks of one row rest on, on the page: maps of some patients, parts of the body, covariates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engram.evaluation.audit_results import unlike
from engram.evaluation.explain_file import Explanation, PatientMap
from engram.evaluation.results import StudyResults
from engram.report.attribution import attribution_table, controls_table
from engram.report.figures.body import draw_body
from engram.report.figures.covariate_values import draw_covariate_values
from engram.report.figures.svg import Drawing
from engram.report.formats import number, signed
from engram.report.layout import Column, Table

MAPS, ATTRIBUTION, CONTROLS = "maps", "attribution", "map_controls"
EXPLAIN_TABLES = (MAPS, ATTRIBUTION, CONTROLS)
BODY, COVARIATES = "body", "covariate_values"
EXPLAIN_FIGURES = (BODY, COVARIATES)
ANOTHER = (
    "explain.json is here, but it is not of these results: its study file, manifest, weights, data or code were "
    "others. Run 'engram explain' again."
)
_MEANING = (
    "Each patient is explained by the model of the fold that left him out, fitted again and held to the saved "
    "risks bit for bit. A map says what the model looks at, and not what causes the outcome; size, stride and fill "
    "of the patches decide much of it."
)
MOST_SHOWN = 12  # overlays: each is a third of a megabyte


@dataclass(frozen=True)
class ExplainSection:
    """what: what was done, in sentences. overlays: SVG with a caption. tables, figures: by name."""

    what: tuple[str, ...]
    overlays: tuple[Drawing, ...]
    tables: dict[str, Table]
    figures: dict[str, Drawing]
    untrained: bool


def explain_section(
    found: Explanation | None, overlays: Mapping[str, str], results: StudyResults
) -> ExplainSection | None:
    """The section; None where nothing was explained."""
    if found is None:
        return None
    if unlike(results.provenance, found.hashes):
        return ExplainSection((ANOTHER,), (), {}, {}, untrained=False)
    there = [one for one in found.maps if one.overlay in overlays]
    shown = tuple(_overlay(one, overlays[one.overlay]) for one in there[:MOST_SHOWN])
    what = (_done(found), *_unread(found), _MEANING, *_not_shown(found, len(there)))
    return ExplainSection(what, shown, _tables(found), _figures(found), found.untrained)


def _done(found: Explanation) -> str:
    patch, stride = (" x ".join(f"{side:g}" for side in lengths) for lengths in (found.patch_mm, found.stride_mm))
    how = (
        "exactly"
        if found.tolerance is None
        else f"until memories were within {found.tolerance:g} of what they were"
    )
    n = len({one.patient for one in found.maps})
    return (
        f"Row '{found.row}', {n} patient{'s' * (n != 1)}: patches of {patch} mm, {stride} mm apart, with their "
        f"centres in the region '{found.roi}', were filled with the {found.fill}, one at a time; the scan was read "
        f"again {how} under the same prompts, and the log-risk computed again. Covariates stayed as they are."
    )


def _unread(found: Explanation) -> list[str]:
    of_patients = {one.patient: (one.unread, one.patches) for one in found.maps}
    unread, patches = (sum(counts) for counts in zip(*of_patients.values(), strict=True))
    if not unread:
        return []
    return [f"{unread} of {patches} patches touch no slice that the protocol reads, and change nothing."]


def _not_shown(found: Explanation, there: int) -> list[str]:
    """How many overlays are not on the page, and why."""
    gone, more = len(found.maps) - there, there - MOST_SHOWN
    why = f"{gone} of {len(found.maps)} overlays are not shown: report.pictures is false, or their files are gone."
    rest = f"The first {MOST_SHOWN} of {there} overlays are shown; the others are in the folder 'explain'."
    return [*[why] * (gone > 0), *[rest] * (more > 0)]


def _overlay(one: PatientMap, svg: str) -> Drawing:
    caption = (
        f"Patient {one.patient}, {one.occluded} occluded, fold {one.fold}: log-risk {signed(one.risk)}; with a "
        f"patch occluded it changes by {signed(one.lowest)} to {signed(one.highest)}. Orange: the patch raised it."
    )
    return Drawing(one.overlay.removesuffix(".svg"), svg, caption)


def _tables(found: Explanation) -> dict[str, Table]:
    tables = [_maps(found)]
    if found.attribution is not None:
        tables.append(attribution_table([found.attribution], untrained=found.untrained))
    if found.controls:
        tables.append(controls_table(found.controls, untrained=found.untrained))
    return {table.name: table for table in tables if table.rows}


def _maps(found: Explanation) -> Table:
    heads = ("Fold", "Log-risk", "Patches", "Largest fall", "Largest rise")
    columns = (Column("Patient"), Column("Occluded"), *(Column(head, "number") for head in heads))
    lines = tuple(
        (
            str(one.patient),
            one.occluded,
            str(one.fold),
            number(one.risk),
            str(one.patches),
            number(one.lowest),
            number(one.highest),
        )
        for one in found.maps
    )
    note = "Fall and rise: of the log-risk when a patch is occluded. Log-risks of folds have scales of their own."
    return Table(MAPS, columns, lines, (note,), found.untrained)


def _figures(found: Explanation) -> dict[str, Drawing]:
    figures = {}
    if found.attribution is not None and found.attribution.n:
        figures[BODY] = draw_body(found.attribution, untrained=found.untrained)
    if found.covariates is not None:
        figures[COVARIATES] = draw_covariate_values(found.covariates, untrained=found.untrained)
    return figures
