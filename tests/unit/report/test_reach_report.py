"""The reach on the page: what share of the region a read-out knows of, in words, numbers and a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from page_reader import Page, texts

from engram.config_embedding import ReadOutName
from engram.errors import StorageError
from engram.evaluation.reach_records import (
    CohortReach,
    PartReach,
    Reach,
    ReachCurve,
    load_reach,
    save_reach,
)
from engram.evaluation.results import StudyResults
from engram.report.beside import Beside
from engram.report.figures.reach import _STYLES, draw_cohort_reach, draw_patient_reach
from engram.report.page import write_report
from engram.report.reach_section import ANOTHER, in_words, reach_section


def cohort(readout: str, *, prompting: str = "interleaved", modality: str = "PET", **more: Any) -> CohortReach:
    places = np.linspace(0, 100, 51)
    falls = {"final": 4.0, "volume": 60.0}.get(readout, 500.0)
    mean = 0.4 * np.exp((places - 100) / falls)
    mean[mean < 1e-7] = 0.0
    told: dict[str, Any] = {
        "known": [0.03, 0.04, 0.07], "known_from": 96.0, "known_to": 100.0, "most": [0.03, 0.03, 0.04],
        "parts": [
            PartReach(part="thoracic spine", patients=20, mean=3.2e-6, quartiles=[1e-7, 2e-6, 4e-6]),
            PartReach(part="lumbar spine", patients=19, mean=0.12, quartiles=[0.1, 0.11, 0.2]),
        ],
    }  # fmt: skip
    return CohortReach(
        modality=modality, roi="spine", readout=readout, prompting=prompting, patients=20, slices_read=74.0,
        places=places.tolist(), mean=mean.tolist(), lower=(mean / 4).tolist(), upper=(mean * 2).tolist(),
        **(told | more),
    )  # fmt: skip


def curve(patient: int, readout: str = "final") -> ReachCurve:
    return ReachCurve(
        patient=patient, modality="PET", roi="spine", readout=readout, prompting="interleaved", slices_read=4,
        places=[0.0, 33.0, 67.0, 100.0], stands_for=[1] * 4, changes=[0.0, 0.0, 1e-5, 0.3],
    )  # fmt: skip


def reach_of(results: StudyResults, *found: CohortReach, **more: Any) -> Reach:
    made = results.provenance
    told: dict[str, Any] = {
        "study": made.study_digest, "manifest": made.manifest_digest, "weights": made.weights_digest,
        "untrained": False, "stride": 1, "threshold": 1e-4, "curves": [curve(1), curve(2)], "cohort": list(found),
    }  # fmt: skip
    return Reach(**(told | more))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, "knows of 3 slices of 74 (4 %): the last 4 % of the region."),
        (
            {"known_from": 0.0, "known": [0.9, 0.95, 1.0]},
            "70 slices of 74 (95 %): from the top of the region to its",
        ),
        ({"known_from": 0.0, "known_to": 4.0}, "(4 %): the first 4 % of the region"),
        ({"known_from": 0.0}, "(4 %): a few between 0 % and 100 % of the way down the region"),
        ({"known_from": 20.0, "known_to": 60.0, "known": [0.4] * 3}, "between 20 % and 60 % of the way down"),
        ({"known_from": 99.8, "known": [0.01] * 3}, "1 slice of 74 (1 %): the end of the region"),
        ({"known_from": None, "known_to": None, "known": [0.0] * 3}, "knows of no slice."),
    ],
)
def test_words_say_of_what_a_read_out_knows(told: dict[str, Any], expected: str) -> None:
    sentence = in_words(cohort("final", **told), about=False)
    assert sentence.startswith("“final” of PET, spine (interleaved), the read-out of the paper, knows of")
    assert expected in sentence
    assert "paper" not in in_words(cohort("roi", **told), about=False)
    assert ("knows of about" in in_words(cohort("final", **told), about=True)) is ("no slice" not in expected)


def test_the_page_has_words_numbers_parts_and_a_drawing(whole_study: StudyResults, tmp_path: Path) -> None:
    reach = reach_of(whole_study, cohort("final"), cohort("roi", parts=[]))
    write_report(whole_study, tmp_path, beside=Beside(reach=reach))
    section = Page((tmp_path / "report.html").read_text(encoding="utf-8")).sections["reach"]
    assert "Each slice read was occluded alone" in section.text
    assert "in 2 patients" in section.text
    assert "the last 4 % of the region" in section.text
    known, parts = section.tables
    assert known[1] == ["PET", "spine", "interleaved", "final", "20", "74", "4 % (3 to 7)", "96 %", "100 %",
                        "3 % (3 to 4)"]  # fmt: skip
    assert parts[0][4:] == ["Thoracic spine", "Lumbar spine"]
    assert [line[3:] for line in parts[1:]] == [["final", "3.2e-06 (20)", "1.2e-01 (19)"]]
    for name in ("tables/reach.csv", "tables/reach_parts.csv", "figures/reach.svg"):
        assert (tmp_path / name).is_file()
    assert "Untrained" not in section.text
    write_report(whole_study, tmp_path)
    assert "reach" not in Page((tmp_path / "report.html").read_text(encoding="utf-8")).sections
    assert not (tmp_path / "tables" / "reach.csv").exists()
    assert not (tmp_path / "figures" / "reach.svg").exists()


@pytest.mark.parametrize("what", ["study", "manifest", "weights"])
def test_the_reach_of_another_study_is_not_shown(whole_study: StudyResults, tmp_path: Path, what: str) -> None:
    reach = reach_of(whole_study, cohort("final"), **{what: "0" * 64})
    write_report(whole_study, tmp_path, beside=Beside(reach=reach))
    section = Page((tmp_path / "report.html").read_text(encoding="utf-8")).sections["reach"]
    assert ANOTHER in section.text
    assert section.tables == []
    assert not (tmp_path / "figures" / "reach.svg").exists()


def test_random_weights_and_strides_are_said(whole_study: StudyResults) -> None:
    for stride, said in ((2, "every 2nd"), (3, "every 3rd"), (4, "every 4th"), (12, "every 12th")):
        section = reach_section(reach_of(whole_study, cohort("final"), stride=stride, untrained=True), whole_study)
        assert section is not None
        assert said in section.what
        assert "The weights are random" in section.what
        assert section.figure is not None
        assert "Untrained weights" in texts(section.figure.svg)


def test_a_panel_for_each_scan_and_prompting_and_a_line_for_each_read_out() -> None:
    found = [cohort(name, prompting=p) for p in ("all", "first") for name in ("final", "roi")]
    said = texts(draw_cohort_reach(found, threshold=1e-4, untrained=False).svg)
    assert [text for text in said if text.startswith("PET")] == ["PET, spine: all", "PET, spine: first"]
    assert [text for text in said if text in ("final", "roi", "volume")] == ["final", "roi"]
    assert "none" in said


def test_one_patient_is_drawn_alone_and_by_number() -> None:
    drawing = draw_patient_reach([curve(3), curve(3, "roi")], threshold=1e-4, untrained=True)
    assert drawing.name == "reach_patient_3"
    with pytest.raises(ValueError, match="one patient are drawn, not of 2"):
        draw_patient_reach([curve(1), curve(2)], threshold=1e-4, untrained=True)


def test_what_is_saved_is_read_back_or_refused(whole_study: StudyResults, tmp_path: Path) -> None:
    reach, path = reach_of(whole_study, cohort("final")), tmp_path / "reach.json"
    with pytest.raises(StorageError, match=r"not measured yet. Run 'engram explain'"):
        load_reach(path)
    save_reach(reach, path)
    assert load_reach(path) == reach
    path.write_text(reach.model_copy(update={"reach_version": 0}).model_dump_json())
    with pytest.raises(StorageError, match="another version"):
        load_reach(path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(StorageError, match="not readable"):
        load_reach(path)


def test_every_read_out_has_a_line_of_its_own() -> None:
    assert set(_STYLES) == set(get_args(ReadOutName))
    assert len(set(map(str, _STYLES.values()))) == len(_STYLES)
