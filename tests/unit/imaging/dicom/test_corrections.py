"""The corrections table: read strictly, found by patient and series."""

from __future__ import annotations

from datetime import datetime

import pytest

from engram.errors import ManifestError
from engram.imaging.dicom.corrections import Corrections, Stated, correction_line, series_id

UID = "1.2.3.4"
SHORT = series_id(UID)
HEADER = "patient_id,series,field,value,source"


@pytest.fixture
def read(tmp_path):
    def read(*lines: str) -> Corrections:
        path = tmp_path / "corrections.csv"
        path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
        return Corrections.read(path)

    return read


def test_short_id_is_part_of_the_sha256():
    assert series_id("1.2.3.4") == "6694f83c9f"  # printf 1.2.3.4 | sha256sum


def test_all_fields(read):
    table = read(
        f"P01,{SHORT},weight_kg,71.5,chart",
        f"P01,{SHORT},dose_mbq,301,sheet",
        f"P01,{SHORT},half_life_s,6586.2,sheet",
        f"P01,{SHORT},injected,2024-05-31T09:15:00,sheet",
        f"P01,{SHORT},decay_reference,2024-05-31 10:15,vendor",
        f"P01,{SHORT},take,no,wrong arm",
    )
    expected = Stated(71.5, 301.0, 6586.2, datetime(2024, 5, 31, 9, 15), datetime(2024, 5, 31, 10, 15))
    assert table.stated("P01", UID) == expected
    assert table.take("P01") == {SHORT: False}


def test_nothing_is_stated_about_others(read):
    table = read(f"P01,{SHORT},weight_kg,71.5,chart", f"P01,{SHORT},take,yes,chart")
    assert table.stated("P02", UID) == table.stated("P01", "1.2.3.5") == Stated()
    assert table.take("P02") == {}


@pytest.mark.parametrize("order", [1, -1])
def test_a_line_for_one_series_wins_over_one_for_all(read, order):
    lines = ["P01,,weight_kg,70,chart", f"P01,{SHORT.upper()},weight_kg,71,later chart"]
    table = read(*lines[::order])
    assert table.stated("P01", UID).weight_kg == 71
    assert table.stated("P01", "other").weight_kg == 70


def test_unused_lines_are_told(read):
    table = read("P01,,weight_kg,70,chart", "P09,,weight_kg,70,chart", "P01,0123456789,dose_mbq,300,sheet")
    assert [line.row for line in table.unused([("P01", UID)])] == [3, 4]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("P01,,weight,70,chart", "row 2, P01, column 'field': unknown field (value: 'weight')"),
        ("P01,,weight_kg,seventy,chart", "row 2, P01, column 'value': the value cannot be read (value: 'seventy')"),
        ("P01,,weight_kg,-70,chart", "cannot be read"),
        ("P01,,weight_kg,0,chart", "cannot be read"),
        ('P01,,weight_kg,"70,5",chart', "cannot be read"),
        ("P01,,dose_mbq,inf,chart", "cannot be read"),
        ("P01,,injected,09:15,chart", "a date and local time"),
        ("P01,,injected,2024-05-31,chart", "a date and local time"),
        ("P01,,injected,2024-05-31T09:15:00+02:00,chart", "a date and local time"),
        ("P01,12345,weight_kg,70,chart", "column 'series': this is no short series id (value: '12345')"),
        ("P01,,take,yes,chart", "'take' needs a series"),
        (f"P01,{SHORT},take,maybe,chart", "yes or no"),
        ("P01,,weight_kg,70,", "row 2, column 'source': the cell is empty"),
        (",,weight_kg,70,chart", "row 2, column 'patient_id': the cell is empty"),
    ],
)
def test_wrong_lines_are_named(read, line, told):
    with pytest.raises(ManifestError) as error:
        read(line)
    assert told in str(error.value)


def test_every_problem_at_once(read):
    with pytest.raises(ManifestError) as error:
        read("P01,,weight,70,chart", "P01,,weight_kg,x,chart", "P02,,dose_mbq,300,a", "P02,,dose_mbq,310,b")
    assert [problem.row for problem in error.value.problems] == [2, 3, 5]
    assert "line 4 states the same field already" in str(error.value)


def test_a_missing_column_is_named(tmp_path):
    path = tmp_path / "corrections.csv"
    path.write_text("patient_id,field,value\nP01,weight_kg,70\n", encoding="utf-8")
    with pytest.raises(ManifestError, match="column 'series': this column is missing") as error:
        Corrections.read(path)
    assert "column 'source'" in str(error.value)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(ManifestError, match="no such corrections table"):
        Corrections.read(tmp_path / "none.csv")


def test_the_line_to_add_is_one_that_can_be_read(read):
    line = correction_line("Doe, 1", UID, "weight_kg")
    assert line == f'"Doe, 1",{SHORT},weight_kg,<kg>,<where it comes from>'
    assert read(line.replace("<kg>", "70")).stated("Doe, 1", UID).weight_kg == 70
