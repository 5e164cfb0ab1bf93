"""Figures are whole SVG documents that say the numbers they draw, and leave matplotlib as it was."""

from __future__ import annotations

import matplotlib as mpl
import pytest
from page_reader import texts

from engram.evaluation.results import Flow, FlowStep, StudyResults
from engram.report.figures.flow import draw_flow
from engram.report.figures.forest import draw_forest
from engram.report.figures.kaplan_meier import draw_kaplan_meier
from engram.report.formats import number


def test_the_flow_of_the_paper_is_drawn(synthetic_demo: StudyResults) -> None:
    drawn = texts(draw_flow(synthetic_demo.flow, synthetic_demo.cohort).svg)
    boxes = [text for text in drawn if text.startswith(("n = ", "Left out"))]
    assert sorted(boxes) == sorted(
        ["n = 349", "Left out: n = 4", "n = 345", "Left out: n = 83", "n = 262", "Left out: n = 35", "n = 227"]
    )
    assert "160 events, 67 censored" in drawn
    assert any("81" in text and "clinical annotation missing" in text for text in drawn)


def test_a_flow_without_steps_goes_straight_to_the_end(synthetic_demo: StudyResults) -> None:
    flow = Flow(pool=227, steps=[], analysed=227)
    drawn = texts(draw_flow(flow, synthetic_demo.cohort).svg)
    assert drawn == ["Rows of the manifest", "n = 227", "Analysed", "n = 227", "160 events, 67 censored"]


def test_many_reasons_are_counted_rather_than_dropped(synthetic_demo: StudyResults) -> None:
    reasons = {f"reason {i:02d}": i for i in range(1, 11)}
    step = FlowStep(stage="imaging", title="Images", excluded=55, reasons=reasons, remaining=227)
    drawn = texts(draw_flow(Flow(pool=282, steps=[step], analysed=227), synthetic_demo.cohort).svg)
    assert [text for text in drawn if "reason " in text] == [f"{i}  reason {i:02d}" for i in range(10, 4, -1)]
    assert "10  for 4 other reasons (see the table)" in drawn


def test_the_forest_prints_every_mean_and_every_truth(synthetic_demo: StudyResults) -> None:
    drawn = texts(draw_forest(synthetic_demo).svg)
    for row in synthetic_demo.rows:
        assert f"{number(row.mean)} ± {number(row.se)}" in drawn
        assert number(row.true_mean) in drawn
        assert row.name in drawn


def test_the_forest_says_why_a_row_has_no_point(fourteen_patients: StudyResults) -> None:
    drawn = texts(draw_forest(fourteen_patients).svg)
    assert drawn.count("no comparable pairs in any test fold") == 1
    assert "true c" not in drawn


def test_curves_have_counts_at_risk_and_the_log_rank_test(synthetic_demo: StudyResults) -> None:
    groups = synthetic_demo.risk_groups
    assert groups is not None
    drawn = texts(draw_kaplan_meier(groups, "PFS", untrained=False).svg)
    assert (
        "Last group against first: log-rank p = 0.003, corrected p = 0.061; hazard ratio 2.13 (1.31 to 3.46)"
        in drawn
    )
    for curve in groups.curves:
        assert f"{curve.label} (n = {curve.n}, {curve.events} events)" in drawn
        at = [drawn.index(curve.label) + 1 + i for i in range(len(curve.at_risk))]
        assert [drawn[i] for i in at] == [str(count) for count in curve.at_risk]


def test_a_figure_for_the_page_has_no_namespaces(synthetic_demo: StudyResults) -> None:
    drawing = draw_forest(synthetic_demo)
    assert drawing.inline.startswith("<svg")
    assert "http" not in drawing.inline
    assert "<dc:date>" not in drawing.svg


def test_figures_do_not_name_dates_or_versions(synthetic_demo: StudyResults) -> None:
    svg = draw_flow(synthetic_demo.flow, synthetic_demo.cohort).svg.lower()
    assert "matplotlib" not in svg
    assert "metadata" not in svg


@pytest.mark.parametrize("untrained", [True, False])
def test_matplotlib_is_left_as_it_was(synthetic_demo: StudyResults, untrained: bool) -> None:
    before = dict(mpl.rcParams)
    assert synthetic_demo.risk_groups is not None
    svg = draw_kaplan_meier(synthetic_demo.risk_groups, "PFS", untrained=untrained).svg
    assert dict(mpl.rcParams) == before
    assert ("Untrained weights" in texts(svg)) is untrained
