"""Numbers and sentences."""

from __future__ import annotations

from typing import Any

import pytest

from engram.evaluation.results import StudyResults
from engram.report import labels, methods, prose
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
    text = " ".join(methods.methods(synthetic_demo))
    for part in ("mini-random", "512 pixels", "superior to inferior", "every second slice", "interleaved"):
        assert part in text
    assert "CT from -500 to 1300 HU (window 'bone') and PET from 0 to 10 SUVbw (window 'suv_10')" in text
    assert "ridge Cox" in text
    assert "seed 7" in text


def changed_protocol(results: StudyResults, **protocol: Any) -> str:
    made = results.provenance.model_copy(update={"protocol": protocol})
    return " ".join(methods.methods(results.model_copy(update={"provenance": made})))


def test_methods_claim_nothing_that_is_not_saved(synthetic_demo: StudyResults) -> None:
    text = changed_protocol(synthetic_demo)
    for part in ("pixels", "superior", "slice was prompted", "HU", "SUV", "memory entries"):
        assert part not in text


def test_an_unknown_way_of_prompting_is_named(synthetic_demo: StudyResults) -> None:
    text = changed_protocol(synthetic_demo, prompting="points", stride=4)
    assert "Prompting was points" in text
    assert "one slice in 4" in text


def test_methods_say_how_each_kind_of_covariate_is_encoded(clinical_only: StudyResults) -> None:
    text = " ".join(methods.methods(clinical_only))
    assert "made into their rank and z-scored; categorical ones were imputed likewise and one-hot encoded" in text
    assert "missing in more than the share that the study file allows" in text
    made = clinical_only.provenance.model_copy(update={"max_missing": 0.4})
    text = " ".join(methods.methods(clinical_only.model_copy(update={"provenance": made})))
    assert "missing in more than 40 % of the training patients of a fold was dropped" in text
    assert "CNN" not in text


def test_methods_say_how_maps_become_numbers(synthetic_demo: StudyResults) -> None:
    text = " ".join(methods.methods(synthetic_demo))
    assert (
        "averaged over entries and channels, standardised by the pixel-wise mean and one standard deviation" in text
    )
    assert "reduced to a vector by a small CNN that was trained with the survival model" in text
    assert "principal components" not in text
    rows = [row.model_copy(update={"head": "PCA"}) for row in synthetic_demo.rows]
    assert "principal components" in " ".join(methods.methods(synthetic_demo.model_copy(update={"rows": rows})))


def test_every_k_is_explained(synthetic_demo: StudyResults) -> None:
    said = changed_protocol(synthetic_demo, prompting="every_k, k = 8")
    assert "Prompting was every_k, k = 8: the first slice and every k-th slice read after it were prompted" in said


def test_the_terminal_is_told_the_warnings_and_how_the_best_was_chosen(synthetic_demo: StudyResults) -> None:
    told = prose.lines(synthetic_demo)
    assert told[0] == prose.summary(synthetic_demo)
    assert told[1].startswith("Is imaging worth it over clinical? This study cannot tell")
    assert labels.BEST_OF_MANY in told
    assert f"Warning: {synthetic_demo.warnings[0]}" in told
    assert any(line.startswith(labels.UNTRAINED) for line in told)
    rows = [row.model_copy(update={"mean": None, "c_index": [None] * 5}) for row in synthetic_demo.rows]
    assert labels.BEST_OF_MANY not in prose.lines(synthetic_demo.model_copy(update={"rows": rows}))


def test_notes_speak_only_of_what_the_page_has(clinical_only: StudyResults, synthetic_demo: StudyResults) -> None:
    few, many = prose.reading_notes(clinical_only), prose.reading_notes(synthetic_demo)
    assert not [note for note in few if "log-rank" in note or "True c" in note or "best of many" in note]
    for part in ("log-rank", "True c", "best of many", "not a confidence interval"):
        assert [note for note in many if part in note]
