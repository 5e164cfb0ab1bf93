"""images.html and its strips, from hand-made cards."""

import re
from pathlib import Path

import pytest
from PIL import Image

from engram.errors import StorageError
from engram.report.figures.strips import Strip, draw_strips
from engram.report.images_page import ImageCard, Measured, images_page


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "sheet.png"
    Image.new("RGB", (300, 400), "white").save(path, comment="P001")
    return path


def card(row: int, *, volume: float | None = 10.0, flags=(), png=None, left_out=None) -> ImageCard:
    return ImageCard(
        row, left_out, (Measured("spine, volume (mL)", volume, 0), Measured("Dice", 0.9, 2)), flags, png
    )


def page(cards, strips=(), **changed) -> str:
    asked = {"regions": [("spine", "#d55e00")], "shown": "What is shown.", "synthetic": False}
    return images_page("A study", cards, strips, **(asked | changed))


def rows(text: str) -> list[str]:
    return re.findall(r"<b>Row (\d+)</b>", text)


def test_flagged_patients_come_first_the_most_flagged_before_all():
    cards = [card(2), card(3, flags=("a",)), card(4), card(5, flags=("b", "c"))]
    text = page(cards)
    assert rows(text) == ["5", "3", "2", "4"]
    assert text.count('class="flagged"') == 2
    assert "4 patients with images that could be measured; 2 flagged, 0 not analysed" in text


def test_a_card_has_its_picture_numbers_flags_and_why_it_is_left_out(picture):
    text = page([card(7, volume=1234.4, flags=("vertebrae_T7 < odd",), png=picture, left_out="PFS missing")])
    assert "data:image/jpeg;base64," in text
    assert "not analysed: PFS missing" in text
    assert "vertebrae_T7 &lt; odd" in text
    assert '<td class="number">1234</td>' in text
    assert '<td class="number">0.90</td>' in text
    assert 'data-numbers="1234.4 0.9"' in text
    assert "P001" not in text


def test_what_is_missing_is_said():
    text = page([card(2, volume=None)])
    assert "no picture" in text
    assert '<td class="number">–</td>' in text
    assert 'data-numbers=" 0.9"' in text


def test_many_flags_are_shortened():
    text = page([card(2, flags=tuple(f"flag {i}" for i in range(12)))])
    assert "flag 7" in text
    assert "flag 8" not in text
    assert "and 4 more in image_quality.csv" in text


def test_the_page_warns_that_it_is_not_to_be_shared_and_says_what_is_synthetic():
    assert "Do not share this page" in page([card(2)])
    assert "These patients do not exist" in page([card(2)], synthetic=True)
    assert "These patients do not exist" not in page([card(2)])


def test_pictures_are_shown_of_the_first_patients_only(picture, monkeypatch):
    monkeypatch.setattr("engram.report.images_page._MOST", 2)
    text = page([card(row, png=picture, flags=("x",) if row == 4 else ()) for row in (2, 3, 4)])
    assert text.count("data:image/jpeg") == 2
    assert "Pictures are shown of the first 2 patients" in text
    assert rows(text) == ["4", "2", "3"]


def test_equal_cards_give_equal_text_and_a_damaged_picture_is_named(picture, tmp_path):
    strips = [Strip("spine, volume (mL)", (2, 3, 4), (1.0, 2.0, 9.0), (False, False, True))]
    assert page([card(2, png=picture)], strips) == page([card(2, png=picture)], strips)
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(StorageError, match=r"broken\.png"):
        page([card(2, png=broken)])


def test_a_strip_has_a_dot_a_patient_and_names_who_lies_far():
    values = (*(float(v) for v in range(1, 9)), 300.0)
    strip = Strip("spine, volume (mL)", tuple(range(2, 11)), values, (*[False] * 8, True))
    svg = draw_strips([strip, Strip("Dice", (2, 3), (0.8, 0.9), (False, False))]).svg
    assert "spine, volume (mL)" in svg
    assert "row 10" in svg
    assert "row 9" not in svg
    assert svg.count("<use") > len(values) + 2


def test_names_are_text_whatever_they_hold():
    strip = Strip("$x_1$ <b>", (2, 3), (1.0, 2.0), (False, False))
    svg = draw_strips([strip]).inline
    assert "$x_1$ &lt;b&gt;" in svg
