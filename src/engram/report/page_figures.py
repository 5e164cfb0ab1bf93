"""The figures of the page: which there are, and when each is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engram.evaluation.results import RiskGroups, StudyResults
from engram.report import labels
from engram.report.ablations import ablations
from engram.report.figures.bars import draw_bars
from engram.report.figures.flow import draw_flow
from engram.report.figures.forest import draw_forest
from engram.report.figures.gates import draw_gates
from engram.report.figures.kaplan_meier import draw_kaplan_meier
from engram.report.figures.quality import draw_drawn_masks
from engram.report.figures.svg import Drawing
from engram.report.figures.utility import draw_utility
from engram.report.figures.worth import draw_worth
from engram.report.worth import worth

FIGURE_NAMES: Final = (
    "worth",
    "flow",
    "c_index",
    "figure5a_fusion",
    "figure5b_fusion",
    "figure6_downsampling",
    "gates",
    "kaplan_meier",
    "utility",
    "drawn_masks",
    "prompt_sensitivity",
)


def all_figures(results: StudyResults) -> dict[str, Drawing]:
    """Every figure that the results allow, by name."""
    return {drawing.name: drawing for drawing in _drawn(results)}


def _drawn(results: StudyResults) -> Iterator[Drawing]:
    found = worth(results)
    if found is not None:
        yield draw_worth(found)
    yield draw_flow(results.flow, results.cohort)
    if labels.were_run(results.rows):
        yield draw_forest(results)
    for ablation in ablations(results):
        yield draw_bars(ablation)
    yield from _gates(results)
    groups = shown_groups(results)
    if groups is not None and labels.why_not_drawn(groups) is None:
        yield draw_kaplan_meier(groups, results.cohort.endpoint, untrained=groups_untrained(results, groups))
    yield from _utility(results)
    if results.drawn_masks:
        yield draw_drawn_masks(results.drawn_masks, untrained=results.provenance.untrained_weights)


def _gates(results: StudyResults) -> Iterator[Drawing]:
    """Of the gated rows whose patients were saved."""
    found = [gate for gate in results.gates if gate.shares]
    if found:
        rows = {row.name: row for row in results.rows}
        untrained = labels.needs_untrained_label(results, [rows[gate.row] for gate in found])
        yield draw_gates(found, {name: row.family for name, row in rows.items()}, untrained=untrained)


def _utility(results: StudyResults) -> Iterator[Drawing]:
    found = results.performance
    if found is None or found.horizon_months is None or not found.curves:
        return
    rows = [row for row in results.rows if row.name in {curves.row for curves in found.curves}]
    untrained = labels.needs_untrained_label(results, rows)
    yield draw_utility(found, {row.name: row.family for row in rows}, untrained=untrained)


def shown_groups(results: StudyResults) -> RiskGroups | None:
    """The risk groups, where there are any."""
    groups = results.risk_groups
    return groups if groups is not None and groups.curves else None


def groups_untrained(results: StudyResults, groups: RiskGroups) -> bool:
    """Whether the row of the groups looked at images through random weights."""
    return labels.needs_untrained_label(results, [row for row in results.rows if row.name == groups.row])
