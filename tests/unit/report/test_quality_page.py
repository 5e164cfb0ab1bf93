"""The page of every study: worst first, pixels alone, whole in itself, and gone when it is not wanted."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hand_made import make_masks
from page_reader import Page
from PIL import Image, PngImagePlugin

from engram.errors import StorageError
from engram.evaluation.results import DrawnMasks, StudyResults
from engram.report.page import StudyPicture, write_report
from engram.report.quality_page import quality_page
from engram.report.shown import INVERSE
from engram.report.thumbnails import thumbnail

ORANGE = (230, 159, 0)


@pytest.fixture
def png(tmp_path: Path) -> Path:
    """Grey noise with an orange line one pixel wide, and a file that names somebody."""
    pixels = np.repeat(np.random.default_rng(0).integers(0, 255, (400, 1600, 1), np.uint8), 3, axis=2)
    pixels[101] = ORANGE
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "Doe^Jane")
    Image.fromarray(pixels).save(tmp_path / "k.png", pnginfo=text)
    return tmp_path / "k.png"


def study(
    row: int, dice: float, png: Path | None = None, *, modality: str = "PET", roi: str = "spine"
) -> StudyPicture:
    return StudyPicture(modality, roi, row, dice, slices=40 + row, flagged=dice < 0.5, png=png)


def counted(results: StudyResults, studies: list[StudyPicture]) -> StudyResults:
    groups: dict[tuple[str, str], list[StudyPicture]] = {}
    for one in studies:
        groups.setdefault((one.modality, one.roi), []).append(one)
    masks: list[DrawnMasks] = [
        make_masks(*name, 0.4, n=len(group), flagged=sum(one.flagged for one in group))
        for name, group in groups.items()
    ]
    return results.model_copy(update={"drawn_masks": masks})


@pytest.fixture
def html(synthetic_demo: StudyResults) -> Callable[[list[StudyPicture]], str]:
    return lambda studies: quality_page(counted(synthetic_demo, studies), studies)


def rows(html: str) -> list[int]:
    return [int(row) for row in re.findall(r"<b>Row (\d+)</b>", html)]


def test_each_scan_and_region_goes_from_the_lowest_dice_up(html, png: Path) -> None:
    ct = [study(row, dice, png, modality="CT") for row, dice in ((2, 0.9), (3, 0.2))]
    page = html([*(study(row, dice, png) for row, dice in ((2, 0.7), (3, 0.1), (4, 0.1))), *ct])
    assert rows(page) == [3, 4, 2, 3, 2]
    assert re.findall(r'<section id="group-\d" data-scan="(\w+)" data-region="(\w+)">', page) == [
        ("PET", "spine"),
        ("CT", "spine"),
    ]
    assert "Dice 0.100 · 43 slices · <span" in page
    assert page.count('<figure class="flagged">') == page.count(">flagged</span>") == 3


def test_the_page_says_that_it_is_not_for_sharing_and_loads_nothing(html, png: Path) -> None:
    page = html([study(2, 0.1, png)])
    read = Page(page)
    assert "Do not share this page" in page
    assert "Untrained weights" in page
    assert all(address.startswith("data:image/jpeg;base64,") for address in read.loads)
    assert "http" not in page
    assert read.tags.count("script") == 1


def test_thumbnails_are_small_and_hold_pixels_alone(png: Path) -> None:
    made = thumbnail(png)
    content = base64.b64decode(made.data_uri.partition(",")[2])
    assert b"Doe^Jane" in png.read_bytes()
    assert b"Doe^Jane" not in content
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (made.width_px, made.height_px) == (640, 160)
        assert not {"exif", "comment", "icc_profile"} & set(picture.info)
    assert len(content) <= 40_000


def test_an_outline_of_one_pixel_is_still_seen(png: Path) -> None:
    content = base64.b64decode(thumbnail(png).data_uri.partition(",")[2])
    with Image.open(io.BytesIO(content)) as picture:
        line = np.asarray(picture)[40].astype(float)
    assert np.abs(line.mean(axis=0) - ORANGE).max() < 12


def test_a_small_picture_is_not_enlarged(tmp_path: Path) -> None:
    Image.new("L", (150, 100)).save(tmp_path / "s.png")
    made = thumbnail(tmp_path / "s.png")
    assert (made.width_px, made.height_px) == (150, 100)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", None])
def test_a_damaged_picture_is_named(tmp_path: Path, png: Path, content: bytes | None) -> None:
    damaged = tmp_path / "d.png"
    damaged.write_bytes(png.read_bytes()[:5000] if content is None else content)
    with pytest.raises(StorageError, match=r"d\.png: not a whole PNG file"):
        thumbnail(damaged)


def test_a_study_without_picture_keeps_its_place(html, png: Path) -> None:
    page = html([study(2, 0.3, png), study(3, 0.2), study(4, 0.1, png)])
    assert rows(page) == [4, 3, 2]
    assert page.count("no picture in the store") == 1
    assert "1 of 3 pictures are not there" in page
    assert "are not there" not in html([study(2, 0.3, png)])


@pytest.mark.parametrize(("n", "middle"), [(600, range(275, 325)), (420, range(200, 250)), (301, range(200, 250))])
def test_of_very_many_the_lowest_some_of_the_middle_and_the_highest_are_shown(html, n: int, middle: range) -> None:
    few = [study(row, 0.5, modality="CT") for row in range(120)]
    page = html([*(study(row, row / n) for row in range(n)), *few])
    shown = rows(page)
    assert shown[:300] == [*range(200), *middle, *range(n - 50, n)]
    assert shown[300:] == list(range(120))
    assert page.count("Shown are 300: the 200 lowest, 50 of the middle and the 50 highest.") == 1


def test_up_to_four_hundred_all_are_shown(html) -> None:
    assert rows(html([study(row, row / 400) for row in range(400)])) == list(range(400))


def test_names_of_regions_stay_text(html) -> None:
    page = html([study(2, 0.1, roi='"><script>alert(1)</script>')])
    assert page.count("<script") == 1


@pytest.mark.parametrize("change", [{"n": 3}, {"flagged": 0}])
def test_studies_that_the_results_do_not_count_are_refused(
    synthetic_demo: StudyResults, change: dict[str, int]
) -> None:
    masks = make_masks("PET", "spine", 0.4, n=2, flagged=2).model_copy(update=change)
    with pytest.raises(StorageError, match=r"quality\.csv, PET, spine: 2 studies, 2 .*Run 'engram evaluate' again"):
        quality_page(synthetic_demo.model_copy(update={"drawn_masks": [masks]}), [study(2, 0.1), study(3, 0.1)])


def test_report_names_the_page_and_a_stale_one_is_removed(
    synthetic_demo: StudyResults, png: Path, tmp_path: Path
) -> None:
    studies = [study(2, 0.3, png), study(3, 0.2, png)]
    results = counted(synthetic_demo, studies)
    written = []
    for _ in range(2):
        page = Page(write_report(results, tmp_path / "run", studies=studies).read_text(encoding="utf-8"))
        assert "quality.html" in page.loads
        assert "not for sharing" in page.sections["drawn-masks"].text
        written.append((tmp_path / "run" / "quality.html").read_bytes())
    assert written[0] == written[1]
    page = Page(write_report(results, tmp_path / "run").read_text(encoding="utf-8"))
    assert "quality.html" not in page.loads
    assert not (tmp_path / "run" / "quality.html").exists()


def test_what_is_absent_is_said_where_pictures_would_be(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    page = Page(write_report(synthetic_demo, tmp_path, absent=["No pictures & why."]).read_text(encoding="utf-8"))
    assert "No pictures & why." in page.sections["pictures"].text


def test_inverse_grey_is_said_where_pet_is_shown_and_nowhere_else(html, png: Path) -> None:
    assert INVERSE in html([study(2, 0.3, png)])
    assert INVERSE not in html([study(2, 0.3, png, modality="CT")])
