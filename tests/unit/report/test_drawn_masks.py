"""What the report says of the masks that the model draws: a sentence, a table, a figure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hand_made import make_masks
from page_reader import Page
from test_report_figures import texts

from engram.errors import StorageError
from engram.evaluation.results import StudyResults
from engram.report import labels
from engram.report.figures.quality import draw_drawn_masks
from engram.report.page import write_report


def page_of(results: StudyResults, folder: Path) -> Page:
    return Page(write_report(results, folder).read_text(encoding="utf-8"))


def test_the_table_has_median_quartiles_and_flagged(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    groups = [make_masks("PET", "spine", 0.423, flagged=21), make_masks("CT", "tumour", 0.81)]
    page = page_of(synthetic_demo.model_copy(update={"drawn_masks": groups}), tmp_path)
    assert page.sections["drawn-masks"].tables[0][1:] == [
        ["PET", "spine", "227", "0.423 (0.393 to 0.443)", "0.5", "21 (9.3 %)"],
        ["CT", "tumour", "227", "0.810 (0.780 to 0.830)", "0.5", "0 (0.0 %)"],
    ]


def test_no_section_where_it_was_turned_off(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    write_report(synthetic_demo, tmp_path)
    page = page_of(synthetic_demo.model_copy(update={"drawn_masks": []}), tmp_path)
    assert "drawn-masks" not in page.sections
    assert not (tmp_path / "tables" / "drawn_masks.csv").exists()
    assert not (tmp_path / "figures" / "drawn_masks.svg").exists()


@pytest.mark.parametrize(
    ("flagged", "untrained", "end"),
    [
        (227, True, "in 0 of 227 readings (one scan of one patient, read for one region): the model does not see"),
        (220, True, "region), by chance and by the prompt alone: the model was not trained."),
        (
            220,
            False,
            "in 7 of 227 readings (one scan of one patient, read for one region); the other 220 are flagged.",
        ),
        (0, False, "in 227 of 227 readings (one scan of one patient, read for one region)."),
    ],
)
def test_the_answer_is_in_plain_words(
    synthetic_demo: StudyResults, tmp_path: Path, flagged: int, untrained: bool, end: str
) -> None:
    made = synthetic_demo.provenance.model_copy(update={"untrained_weights": untrained})
    groups = [make_masks("PET", "spine", 0.4, flagged=flagged)]
    page = page_of(synthetic_demo.model_copy(update={"drawn_masks": groups, "provenance": made}), tmp_path)
    text = page.sections["drawn-masks"].bare_text
    assert labels.DICE in text
    assert end in text
    assert ("not trained" in text) is untrained


def test_no_figure_has_a_number_where_some_have_none(whole_study: StudyResults, tmp_path: Path) -> None:
    page = page_of(whole_study, tmp_path)
    numbered = re.compile(r"(?<!paper's )Figure \d")
    assert not [name for name, section in page.sections.items() if numbered.search(section.bare_text)]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_every_scan_and_region_has_its_panel(n: int) -> None:
    groups = [make_masks("PET", f"part{i}", 0.4) for i in range(n)]
    drawing = draw_drawn_masks(groups, untrained=False)
    drawn = texts(drawing.svg)
    assert [text for text in drawn if "part" in text] == [f"PET, part{i}" for i in range(n)]
    assert drawn.count("Dice of a slice") == -(-n // 4)
    assert "limit, 0.5" in drawn
    assert drawing.svg == draw_drawn_masks(groups, untrained=False).svg


def test_a_long_name_stays_in_its_panel() -> None:
    groups = [make_masks("PET", "a_region_with_quite_a_long_name", 0.4), *[make_masks("CT", "x", 0.4)] * 3]
    (shown,) = [text for text in texts(draw_drawn_masks(groups, untrained=False).svg) if text.startswith("PET")]
    assert shown.endswith("…")
    assert len(shown) < 24


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"curve_lower": [0.1]}, "curves that differ in length"),
        ({"dice_quartiles": [0.1, 0.2]}, "quartiles that are not three"),
        ({"dice_quartiles": [0.1, 0.2, 1.2]}, "Dice outside 0 to 1"),
        ({"dice_quartiles": [-0.1, 0.2, 0.3]}, "Dice outside 0 to 1"),
        ({"curve_median": [float("nan")] * 32}, "Dice outside 0 to 1"),
        ({"flagged": 228}, "228 flagged of 227"),
    ],
)
def test_contradictions_are_refused(
    synthetic_demo: StudyResults, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    group = make_masks("PET", "spine", 0.4).model_copy(update=change)
    with pytest.raises(StorageError, match=f"drawn masks of PET, spine: .*{said}"):
        write_report(synthetic_demo.model_copy(update={"drawn_masks": [group]}), tmp_path)
