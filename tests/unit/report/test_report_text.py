"""Numbers and sentences."""

from __future__ import annotations

from typing import Any

import pytest

from engram.evaluation.results import StudyResults
from engram.report import prose
from engram.report.formats import joined, months, number, p_value


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (None, "–"),
        (2.081e-4, "2.08e-04"),
        (0.001, "0.001"),
        (0.00099, "9.90e-04"),
        (0.0308, "0.031"),
        (1.0, "1.000"),
    ],
)
def test_p_values(p: float | None, text: str) -> None:
    assert p_value(p) == text


def test_numbers_that_are_not_there_are_dashes() -> None:
    assert [number(None), months(None)] == ["–", "–"]
    assert [number(0.6594), number(0.0), months(25.52)] == ["0.659", "0.000", "25.5"]


def test_joined() -> None:
    assert [joined(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


def test_methods_come_from_the_protocol(synthetic_demo: StudyResults) -> None:
    text = " ".join(prose.methods(synthetic_demo))
    for part in ("mini-random", "512 pixels", "superior to inferior", "every second slice", "interleaved"):
        assert part in text
    assert "CT from -500 to 1300 HU and PET from 0 to 10 SUVbw" in text
    assert "ridge Cox" in text
    assert "seed 7" in text


def changed_protocol(results: StudyResults, **protocol: Any) -> str:
    made = results.provenance.model_copy(update={"protocol": protocol})
    return " ".join(prose.methods(results.model_copy(update={"provenance": made})))


def test_methods_claim_nothing_that_is_not_saved(synthetic_demo: StudyResults) -> None:
    text = changed_protocol(synthetic_demo)
    for part in ("pixels", "superior", "slice was prompted", "HU", "SUV", "memory entries"):
        assert part not in text


def test_an_unknown_way_of_prompting_is_named(synthetic_demo: StudyResults) -> None:
    text = changed_protocol(synthetic_demo, prompting="points", stride=4)
    assert "Prompting was points" in text
    assert "one slice in 4" in text


def test_notes_speak_only_of_what_the_page_has(clinical_only: StudyResults, synthetic_demo: StudyResults) -> None:
    few, many = prose.reading_notes(clinical_only), prose.reading_notes(synthetic_demo)
    assert not [note for note in few if "log-rank" in note or "True c" in note or "best of many" in note]
    for part in ("log-rank", "True c", "best of many", "not a confidence interval"):
        assert [note for note in many if part in note]
