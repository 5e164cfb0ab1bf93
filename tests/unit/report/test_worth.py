"""The verdict on images says no more than the numbers allow, in each case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_reader import Page, texts
from whole_grid import whole_comparisons

from engram.evaluation.results import StudyResults
from engram.report.figures.worth import draw_worth
from engram.report.page import write_report
from engram.report.worth import FEW_EVENTS, caption, worth


def judged(results: StudyResults, **changes: Any) -> Any:
    """The verdict on the whole grid with other comparisons."""
    found = worth(results.model_copy(update={"comparisons": whole_comparisons(results.rows, **changes)}))
    assert found is not None
    return found


def with_events(results: StudyResults, events: int) -> StudyResults:
    """So many events among the patients who test."""
    first, *others = (fold.model_copy(update={"events": 10}) for fold in results.folds)
    first = first.model_copy(update={"events": events - 10 * len(others)})
    return results.model_copy(update={"folds": [first, *others]})


def clinical_at(results: StudyResults, name: str, mean: float) -> StudyResults:
    """The same study, one of its rows with another c-index."""
    rows = [
        row.model_copy(update={"mean": mean, "c_index": [mean] * len(row.c_index)}) if row.name == name else row
        for row in results.rows
    ]
    return results.model_copy(update={"rows": rows})


def test_yes_needs_the_interval_and_the_adjusted_p(whole_study: StudyResults) -> None:
    yes = judged(whole_study, lower=-0.02, upper=0.05, p_adjusted=0.049)
    assert (yes.verdict, yes.title) == ("yes", "Yes, by this study.")
    assert "the interval lies above zero" in yes.sentences[0]
    assert "need not change a decision" in yes.sentences[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"lower": -0.02, "p_adjusted": 0.05},
            "The interval lies above zero, but it takes the models as they were",
        ),
        ({"lower": -0.3, "p_adjusted": 0.01}, "The interval includes no difference at all"),
        ({"lower": -0.3, "p_adjusted": 0.7}, "adjusted for all declared comparisons, is 0.700"),
    ],
)
def test_one_of_the_two_is_not_enough(whole_study: StudyResults, changes: dict[str, float], said: str) -> None:
    found = judged(whole_study, **changes)
    assert (found.verdict, found.title) == ("not shown", "Not shown by this study.")
    assert said in found.sentences[0]
    assert "That is no proof of no gain: 227 patients with 160 events may be too few" in found.sentences[0]


def test_few_events_tell_nothing_whatever_the_p(whole_study: StudyResults) -> None:
    few = judged(with_events(whole_study, FEW_EVENTS - 1), p_adjusted=1e-6)
    assert (few.verdict, few.title) == ("few", "This study cannot tell: 99 events.")
    assert judged(with_events(whole_study, FEW_EVENTS), p_adjusted=1e-6).verdict == "yes"


def test_a_weak_reference_is_no_yes(whole_study: StudyResults) -> None:
    found = judged(clinical_at(whole_study, "Clinical, ridge Cox", 0.9), lower=-0.02, p_adjusted=0.01)
    assert found.verdict == "weak reference"
    assert found.title == "Better than the same model without images, but not than \u201cClinical, ridge Cox\u201d."
    assert "that they are worth it is not shown" in found.sentences[0]
    assert "The best clinical row is \u201cClinical, ridge Cox\u201d: c-index 0.900" in found.sentences[2]
    assert found.below >= {one.row for one in found.declared}
    assert "*: another row of covariates alone" in caption(found)
    drawn = texts(draw_worth(found).svg)
    assert drawn.count("against Clinical, DeepSurv") == len(found.declared)
    assert all(f"{one.row} *" in drawn for one in found.declared)


def test_the_best_clinical_row_is_named_where_the_reference_is_another(whole_study: StudyResults) -> None:
    rows = {row.name: row for row in whole_study.rows}
    best = (rows["Clinical, DeepSurv"].mean or 0.0) + 0.001
    found = judged(clinical_at(whole_study, "Clinical, ridge Cox", best), lower=-0.02, p_adjusted=0.01)
    assert (found.verdict, found.title) == ("yes", "Yes, by this study, against the same model without images.")
    assert f"“Clinical, ridge Cox”: c-index {best:.3f}" in found.sentences[2]
    assert "no test" in found.sentences[2]


def test_rows_that_a_clinical_one_beats_stand_last(whole_study: StudyResults) -> None:
    middle = sorted(row.mean or 0.0 for row in whole_study.rows if row.family == "multimodal")[4]
    found = judged(clinical_at(whole_study, "Clinical, ridge Cox", middle), lower=-0.02, p_adjusted=0.01)
    marks = [one.row in found.below for one in found.declared]
    assert marks == sorted(marks)
    assert any(marks)
    assert not all(marks)
    assert found.verdict == "yes"


def test_without_intervals_none_are_spoken_of(whole_study: StudyResults) -> None:
    compared = [one.model_copy(update={"ci_lower": None, "ci_upper": None}) for one in whole_study.comparisons]
    found = worth(whole_study.model_copy(update={"comparisons": compared}))
    assert found is not None
    assert "Lines" not in caption(found)
    assert not [text for text in texts(draw_worth(found).svg) if "95 % CI" in text]
    whole = worth(whole_study)
    assert whole is not None
    assert [text for text in texts(draw_worth(whole).svg) if "95 % CI" in text]


def test_only_events_that_test_count(whole_study: StudyResults) -> None:
    window = whole_study.folds[0].model_copy(update={"n": 35, "events": 18})
    few = judged(whole_study.model_copy(update={"folds": [window]}), p_adjusted=1e-6)
    assert (few.verdict, few.title) == ("few", "This study cannot tell: 18 events.")


def test_untrained_weights_tell_nothing(whole_study: StudyResults) -> None:
    made = whole_study.provenance.model_copy(update={"untrained_weights": True})
    found = judged(whole_study.model_copy(update={"provenance": made}), p_adjusted=1e-6)
    assert found.verdict == "untrained"
    assert "cannot tell" in found.title
    assert "Untrained weights" in texts(draw_worth(found).svg)


def test_rows_tuned_on_their_test_folds_tell_nothing(whole_study: StudyResults) -> None:
    rows = [row.model_copy(update={"protocol": "paper", "same_folds": None}) for row in whole_study.rows]
    found = judged(whole_study.model_copy(update={"rows": rows}), p_adjusted=1e-6)
    assert (found.verdict, found.title) == (
        "optimistic",
        "This study cannot tell: it was tuned on its test folds.",
    )


def turned(results: StudyResults, **changes: Any) -> StudyResults:
    """The differences of all declared comparisons below zero."""
    compared = [one.model_copy(update=changes) for one in whole_comparisons(results.rows, p_adjusted=0.01)]
    return results.model_copy(update={"comparisons": compared})


def test_worse_is_said_only_where_every_comparison_shows_it(whole_study: StudyResults) -> None:
    worse = turned(whole_study, difference=-0.05, ci_lower=-0.09, ci_upper=-0.01)
    found = worth(worse)
    assert found is not None
    assert (found.verdict, found.title) == ("worse", "No, by this study: images made the ranking worse.")
    one, *others = worse.comparisons
    found = worth(worse.model_copy(update={"comparisons": [one.model_copy(update={"p_adjusted": 0.2}), *others]}))
    assert found is not None
    assert found.verdict == "not shown"
    assert "No declared row ranked patients better than the covariates alone" in found.sentences[0]


def test_without_a_test_there_is_no_verdict(whole_study: StudyResults) -> None:
    nothing: dict[str, None] = dict.fromkeys(("difference", "se", "ci_lower", "ci_upper", "p_adjusted"))
    found = worth(turned(whole_study, **nothing))
    assert found is not None
    assert found.verdict == "no test"
    assert "no test" in found.title
    assert draw_worth(found).svg


def test_a_row_that_shows_it_is_named_though_another_differs_more(whole_study: StudyResults) -> None:
    compared = whole_comparisons(whole_study.rows, p_adjusted=0.6)
    smallest = min((one for one in compared if one.prespecified), key=lambda one: one.difference or 0.0)
    changed = [one.model_copy(update={"p_adjusted": 0.01}) if one is smallest else one for one in compared]
    found = worth(whole_study.model_copy(update={"comparisons": changed}))
    assert found is not None
    assert (found.verdict, found.comparison.row) == ("yes", smallest.row)
    assert "one of 8 declared" in found.sentences[1]


def test_a_synthetic_cohort_is_no_study(whole_study: StudyResults) -> None:
    found = judged(whole_study.model_copy(update={"synthetic": True}), p_adjusted=0.01)
    assert found.title == "Yes, in these synthetic patients."


def test_without_declared_comparisons_there_is_no_section(clinical_only: StudyResults, tmp_path: Path) -> None:
    assert worth(clinical_only) is None
    assert 'id="worth"' not in write_report(clinical_only, tmp_path).read_text(encoding="utf-8")


def test_the_figure_draws_what_is_saved(whole_study: StudyResults) -> None:
    found = worth(whole_study)
    assert found is not None
    drawn = texts(draw_worth(found).svg)
    for one in found.declared:
        assert one.row in drawn
        assert f"{one.difference:+.3f}" in drawn
    assert drawn.count("0.400") == len(found.declared)
    assert "Information new to the covariates" in drawn
    assert "9.7 %" in drawn


def test_what_is_not_saved_is_not_spoken_of(whole_study: StudyResults) -> None:
    bare = whole_study.model_copy(update={"performance": None, "incremental_value": []})
    found = worth(bare)
    assert found is not None
    assert "Net benefit" not in " ".join(found.sentences)
    assert "Below" not in caption(found)
    assert "IPA" not in " ".join(texts(draw_worth(found).svg))


def test_the_answer_stands_before_the_tables(whole_study: StudyResults, tmp_path: Path) -> None:
    page = Page(write_report(whole_study, tmp_path).read_text(encoding="utf-8"))
    assert list(page.sections)[:2] == ["top", "worth"]
    assert "Not shown by this study." in page.sections["worth"].bare_text
    assert (
        "Net benefit at 24 months is higher with images at 1 of 2 thresholds (no test)."
        in page.sections["worth"].bare_text
    )
