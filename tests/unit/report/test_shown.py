"""What was shown decides what Dice tells: every prompt and every way of prompting has its own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from hand_made import make_masks
from page_reader import Page

from engram.config_embedding import PromptKind
from engram.evaluation.results import StudyResults
from engram.report import prose, shown
from engram.report.page import StudyPicture, write_report
from engram.report.quality_page import quality_page
from engram.report.shown import Shown

UNAIDED = "not whether it would find it unaided"
SOME = "Only some slices are prompted"


def with_prompt(
    results: StudyResults, *, untrained: bool = False, flagged: int = 20, **protocol: Any
) -> StudyResults:
    made = results.provenance
    changed = {"protocol": made.protocol | protocol, "untrained_weights": untrained}
    masks = [make_masks("PET", "spine", 0.4, n=227, flagged=flagged)]
    return results.model_copy(update={"drawn_masks": masks, "provenance": made.model_copy(update=changed)})


@pytest.mark.parametrize("untrained", [True, False])
@pytest.mark.parametrize(
    ("prompting", "mixed"), [("all", False), ("interleaved", False), ("first", True), ("every_k, k = 8", True)]
)
def test_a_mask_as_prompt_gives_no_verdict_on_either_page(
    synthetic_demo: StudyResults, tmp_path: Path, prompting: str, mixed: bool, untrained: bool
) -> None:
    results = with_prompt(synthetic_demo, prompt_kind="mask", prompting=prompting, untrained=untrained, flagged=1)
    studies = [StudyPicture("PET", "spine", i, 0.1 if i == 0 else 0.9, 40, i == 0, None) for i in range(227)]
    section = Page(write_report(results, tmp_path).read_text(encoding="utf-8")).sections["drawn-masks"].bare_text
    for text in (section, Page(quality_page(results, studies)).sections["top"].text):
        assert shown.HANDED in text
        assert ("The other slices were tracked, and their Dice does tell" in text) is mixed
        assert ("Every slice read was prompted." in text) is not mixed
        assert "reaches the limit" not in text
        assert UNAIDED not in text
    assert section.count(shown.HANDED) == 2  # the answer and the footnote


@pytest.mark.parametrize("prompting", ["interleaved", "first", "every_k, k = 8"])
@pytest.mark.parametrize("kind", sorted(set(get_args(PromptKind)) - {"mask"}))
def test_the_footnote_says_what_was_shown(synthetic_demo: StudyResults, kind: str, prompting: str) -> None:
    note = shown.note(Shown.of(with_prompt(synthetic_demo, prompt_kind=kind, prompting=prompting)))
    tracked = prompting != "interleaved"
    assert (SOME in note) is tracked
    assert ("is shown on some slices where the region is" in note) is (tracked and kind != "random_box")
    assert ("a box of the right size at a random place, a control, not where" in note) is (kind == "random_box")
    assert (UNAIDED in note) is (kind != "random_box")
    assert ("one box around the region on all slices" in note) is (kind == "coarse_box")
    assert note.endswith(shown.KEPT)


@pytest.mark.parametrize(
    ("kind", "said"), [("box", "by chance and by the prompt alone"), ("random_box", "by chance alone")]
)
def test_a_box_elsewhere_helps_nobody(synthetic_demo: StudyResults, kind: str, said: str) -> None:
    assert said in prose.sees_the_region(with_prompt(synthetic_demo, prompt_kind=kind, untrained=True))


def test_dice_of_two_passes_is_of_the_pass_down(synthetic_demo: StudyResults) -> None:
    said = "With a pass each way, Dice is of the pass down only."
    for kind in get_args(PromptKind):
        assert said in prose.sees_the_region(with_prompt(synthetic_demo, prompt_kind=kind, passes=2))
        assert said not in prose.sees_the_region(with_prompt(synthetic_demo, prompt_kind=kind))


def test_a_prompt_that_is_not_saved_gives_no_verdict(synthetic_demo: StudyResults) -> None:
    results = with_prompt(synthetic_demo)
    del results.provenance.protocol["prompt_kind"]
    assert prose.sees_the_region(results) == shown.UNKNOWN
    assert shown.UNKNOWN in shown.note(Shown.of(results))
    assert "Orange: the prompt." in shown.colours(Shown.of(results), drawn=True)


def test_the_page_of_every_study_says_the_colours(synthetic_demo: StudyResults) -> None:
    studies = [StudyPicture("PET", "spine", i, 0.1 if i < 20 else 0.9, 40, i < 20, None) for i in range(227)]
    for kind in get_args(PromptKind):
        page = Page(quality_page(with_prompt(synthetic_demo, prompt_kind=kind), studies)).sections["top"].text
        assert ("Orange" in page) is (kind != "mask")
        assert ("a random place, a control" in page) is (kind == "random_box")
