"""A column says what was read out of the memory, where a row reads out more than the paper does."""

from __future__ import annotations

from typing import get_args

import pytest

from engram.config_embedding import ReadOutName
from engram.evaluation.results import StudyResults
from engram.report import labels
from engram.report.c_index_tables import family_table
from engram.report.layout import Table
from engram.report.tables import all_tables
from engram.table import BASELINES


def with_volume(results: StudyResults) -> StudyResults:
    """The image rows once more, as rows of the read-out `volume`."""
    changes = {"readout": "volume", "head": "PCA", "survival": "ridge Cox"}
    more = [
        row.model_copy(update={"name": f"{row.name}, volume", **changes})
        for row in results.rows
        if row.family == "image"
    ]
    return results.model_copy(update={"rows": [*results.rows, *more]})


def titles(table: Table) -> list[str]:
    return [column.title for column in table.columns]


def test_a_study_of_the_paper_s_read_out_has_no_such_column(synthetic_demo: StudyResults) -> None:
    for table in all_tables(synthetic_demo).values():
        assert "Read-out" not in titles(table)
        assert not [note for note in table.notes if note.startswith("Read-out")]


def test_every_row_of_a_table_says_its_read_out_where_one_is_another(synthetic_demo: StudyResults) -> None:
    results = with_volume(synthetic_demo)
    table = family_table(results, "table1_image_only", "image")
    assert titles(table)[:6] == ["Origin", "Mask", "Read-out", "Model", "Downsampling", "Fusion"]
    assert sorted(row[2] for row in table.rows) == ["final"] * 6 + ["volume"] * 6
    assert {(row[2], row[4]) for row in table.rows} == {("final", "averaging"), ("volume", "PCA")}
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert table.notes[-1] == (
        "Read-out: final, the last memory entries, of each pass where there are two; volume, mean, sd and maximum "
        "over all slices and pixels."
    )
    assert "Read-out" not in titles(family_table(results, "table2_multimodal", "multimodal"))


def test_every_read_out_has_words() -> None:
    assert set(labels.READ_OUTS) == {*get_args(ReadOutName), *BASELINES}


@pytest.mark.parametrize("name", get_args(ReadOutName))
def test_the_words_of_a_read_out_stand_alone(synthetic_demo: StudyResults, name: str) -> None:
    rows = [row.model_copy(update={"readout": name}) for row in synthetic_demo.rows]
    said = labels.read_outs(rows, masks_shown=False)
    assert said == f"Read-out: {name}, {labels.READ_OUTS[name]}."
    assert "same" not in said
    assert (labels.AREA_OF_THE_PROMPT in labels.read_outs(rows, masks_shown=True)) is (name == "area")


def test_a_mask_as_prompt_is_said_beside_the_drawn_area(synthetic_demo: StudyResults) -> None:
    rows = [row.model_copy(update={"readout": "area"}) for row in synthetic_demo.rows]
    for kind in ("box", "mask"):
        made = synthetic_demo.provenance
        made = made.model_copy(update={"protocol": made.protocol | {"prompt_kind": kind}})
        results = synthetic_demo.model_copy(update={"rows": rows, "provenance": made})
        note = family_table(results, "table1_image_only", "image").notes[-1]
        assert (labels.AREA_OF_THE_PROMPT in note) is (kind == "mask")
