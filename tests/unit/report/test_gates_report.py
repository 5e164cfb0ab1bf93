"""Each patient's share of PET against risk and time: drawn, told in words, and without anybody's name."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_reader import SVG, Page, texts

from engram.errors import StorageError
from engram.evaluation.gate_records import GateShare
from engram.evaluation.results import StudyResults
from engram.report.consistency import check_results
from engram.report.figures.gates import MOST_ROWS
from engram.report.gates import in_words
from engram.report.page import write_report
from engram.report.page_figures import all_figures


def with_patients(gate: GateShare, **more: Any) -> GateShare:
    rng = np.random.default_rng(sum(map(ord, gate.row)))
    share = np.sort(rng.beta(4, 3, gate.n))
    told = {"spearman": 0.42, "spearman_lower": 0.31, "spearman_upper": 0.52}
    told |= {"c_index": 0.548, "c_lower": 0.496, "c_upper": 0.601}
    patients: dict[str, Any] = {
        "shares": share.tolist(),
        "standardised_risks": (3 * (share - 0.5) + rng.normal(size=gate.n)).tolist(),
        "times_months": rng.exponential(30, gate.n).clip(0.3, 90).tolist(),
        "events": (rng.random(gate.n) < 0.7).tolist(),
    }
    return gate.model_copy(update=patients | told | more)


@pytest.fixture
def gated(whole_study: StudyResults) -> StudyResults:
    return whole_study.model_copy(update={"gates": [with_patients(gate) for gate in whole_study.gates]})


def test_every_patient_is_one_mark_in_each_panel(gated: StudyResults) -> None:
    drawing = all_figures(gated)["gates"]
    shown = gated.gates[:MOST_ROWS]
    marks = [node for node in ET.fromstring(drawing.svg).iter(f"{SVG}use") if node.get("y") is not None]
    ticks = 2 * len(shown) * 5 * 2  # at least five along each axis of each panel
    assert len(marks) >= 2 * sum(gate.n for gate in shown)
    assert len(marks) < 2 * sum(gate.n for gate in shown) + 3 * ticks
    said = texts(drawing.svg)
    assert [gate.row for gate in shown] == [text for text in said if text in {gate.row for gate in shown}]
    assert "rank correlation 0.42, 95 % CI 0.31 to 0.52" in said
    assert "c of the share 0.548, 95 % CI 0.496 to 0.601" in said
    assert {"event", "censored"} <= set(said)


def test_results_of_before_have_a_table_and_no_figure(whole_study: StudyResults, tmp_path: Path) -> None:
    assert "gates" not in all_figures(whole_study)
    write_report(whole_study, tmp_path)
    assert not (tmp_path / "figures" / "gates.svg").exists()


def test_untrained_weights_are_said_in_the_figure(gated: StudyResults) -> None:
    untrained = gated.provenance.model_copy(update={"untrained_weights": True})
    for made, said in ((untrained, True), (gated.provenance, False)):
        drawing = all_figures(gated.model_copy(update={"provenance": made}))["gates"]
        assert ("Untrained weights" in texts(drawing.svg)) is said


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, "the more of PET, the higher the risk (rank correlation 0.42, 95 % CI 0.31 to 0.52)"),
        ({"spearman_lower": -0.6, "spearman_upper": -0.1}, "the more of PET, the lower the risk"),
        ({"spearman_lower": -0.1}, "share and risk go together no more than chance would have it"),
        (
            {"spearman_lower": None, "spearman_upper": None},
            "too few patients to tell whether share and risk go together",
        ),
        ({}, "; the share alone does not tell who has the event sooner (c of the share 0.548,"),
        ({"c_lower": 0.51}, "those with more of PET had the event sooner"),
        ({"c_lower": 0.4, "c_upper": 0.49}, "those with more of PET had the event later"),
    ],
)
def test_words_follow_the_interval(gated: StudyResults, told: dict[str, float | None], expected: str) -> None:
    first = gated.gates[0].model_copy(update=told)
    (sentence,) = in_words(gated.model_copy(update={"gates": [first]}))
    assert sentence.startswith(f"“{first.row}”: ")
    assert expected in sentence


def test_the_page_has_words_figure_and_caution(gated: StudyResults, tmp_path: Path) -> None:
    write_report(gated, tmp_path)
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).sections["table1"].text
    assert "the more of PET, the higher the risk" in text
    assert "One mark a test patient" in text
    assert "tells of the model, not of the patients" in text
    assert (tmp_path / "figures" / "gates.svg").is_file()


def test_patients_that_contradict_the_record_are_refused(gated: StudyResults) -> None:
    first, *others = gated.gates
    check_results(gated)
    for wrong in (
        {"events": first.events[1:]},
        {"shares": first.shares[::-1]},
        {"shares": [*first.shares[:-1], 1.5]},
        {"times_months": [*first.times_months[:-1], float("nan")]},
    ):
        with pytest.raises(StorageError, match="gate of"):
            check_results(gated.model_copy(update={"gates": [first.model_copy(update=wrong), *others]}))
