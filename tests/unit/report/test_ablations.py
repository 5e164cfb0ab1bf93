"""Figures 5 and 6: which bars there are, how models are averaged, and what the caption owns up to."""

from __future__ import annotations

import math

import pytest
from page_reader import texts

from engram.evaluation.results import StudyResults
from engram.report.ablations import ablations
from engram.report.figures.bars import draw_bars
from engram.report.formats import number


def test_figures_of_the_paper_are_drawn_from_its_rows(whole_study: StudyResults) -> None:
    found = {one.name: one for one in ablations(whole_study)}
    assert list(found) == ["figure5a_fusion", "figure5b_fusion", "figure6_downsampling"]
    for name, head in (("figure5a_fusion", ", attention"), ("figure5b_fusion", "")):
        one = found[name]
        assert (one.positions, one.hues) == (["spine_dilated", "skeleton"], ["concatenation", "gate"])
        means = {row.name: row.mean for row in whole_study.rows}
        gate = next(bar for bar in one.bars if (bar.position, bar.hue) == ("skeleton", "gate"))
        assert gate.average.mean == pytest.approx(means[f"PET + CT, skeleton{head}, gate"])
    six = found["figure6_downsampling"]
    assert (six.positions, six.hues) == (["PET", "CT", "Combined"], ["averaging", "attention"])
    assert [bar.average.models for bar in six.bars] == [2, 2, 4, 2, 2, 4]


def test_models_of_one_bar_are_averaged_in_each_fold_first(whole_study: StudyResults) -> None:
    (six,) = [one for one in ablations(whole_study) if one.name == "figure6_downsampling"]
    bar = next(bar for bar in six.bars if (bar.position, bar.hue) == ("PET", "averaging"))
    rows = [row.c_index for row in whole_study.rows if row.name in ("PET, spine_dilated", "PET, skeleton")]
    folds = [(a + b) / 2 for a, b in zip(*rows, strict=True) if a is not None and b is not None]
    mean = sum(folds) / 5
    assert bar.average.mean == pytest.approx(mean)
    assert bar.average.se == pytest.approx(math.sqrt(sum((x - mean) ** 2 for x in folds) / 4 / 5))


def test_captions_say_what_a_reader_must_know(whole_study: StudyResults) -> None:
    for one in ablations(whole_study):
        assert "Image-only rows of 227 patients, 160 events" in one.caption
        assert "one standard error over 5 folds" in one.caption
        assert "Protocol: tuned inside each training part." in one.caption
        assert "overlap are no test" in one.caption
        assert ("their average within each fold" in one.caption) is (one.name == "figure6_downsampling")


def test_bars_say_their_means(whole_study: StudyResults) -> None:
    for one in ablations(whole_study):
        drawn = texts(draw_bars(one).svg)
        assert set(one.positions) | set(one.hues) <= set(drawn)
        assert {number(bar.average.mean) for bar in one.bars} <= set(drawn)


def test_nothing_is_drawn_where_there_is_nothing_to_compare(
    synthetic_demo: StudyResults, clinical_only: StudyResults
) -> None:
    assert ablations(synthetic_demo) == []
    assert ablations(clinical_only) == []


def test_untrained_weights_are_named(whole_study: StudyResults) -> None:
    made = whole_study.provenance.model_copy(update={"untrained_weights": True})
    found = ablations(whole_study.model_copy(update={"provenance": made}))
    assert all("Untrained weights" in texts(draw_bars(one).svg) for one in found)
