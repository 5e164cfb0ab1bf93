"""A column says what was read out of the memory, where a row reads out more than the paper does."""

from __future__ import annotations

from typing import get_args

from engram.config import ReadOutName
from engram.evaluation.results import StudyResults
from engram.report import labels
from engram.report.tables import Table, all_tables, family_table


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
        "Read-out: final, the last memory entries; volume, mean, sd and maximum over all slices."
    )
    assert "Read-out" not in titles(family_table(results, "table2_multimodal", "multimodal"))


def test_every_read_out_has_words() -> None:
    assert set(labels.READ_OUTS) == set(get_args(ReadOutName))
