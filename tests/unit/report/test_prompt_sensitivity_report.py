"""The section on disturbed prompts: what it says of controls, what it shows, and of which study."""

from __future__ import annotations

import pytest
from made_sensitivity import ROWS, VARIANTS, made_sensitivity

from engram.errors import StorageError
from engram.evaluation.results import StudyResults
from engram.evaluation.robustness_records import (
    PromptSensitivity,
    VariantResult,
    load_sensitivity,
    save_sensitivity,
)
from engram.report.beside import Beside
from engram.report.page import write_report
from engram.report.prompt_sensitivity import lines, sensitivity_section


@pytest.fixture
def made(synthetic_demo: StudyResults) -> PromptSensitivity:
    return made_sensitivity(synthetic_demo)


def altered(made: PromptSensitivity, name: str, **changes: object) -> PromptSensitivity:
    variants = [
        one.model_copy(update={"changes": [c.model_copy(update=changes) for c in one.changes]})
        if one.name == name
        else one
        for one in made.variants
    ]
    return made.model_copy(update={"variants": variants})


def test_the_page_has_section_figure_and_tables(synthetic_demo, made, tmp_path) -> None:
    page = write_report(synthetic_demo, tmp_path, beside=Beside(sensitivity=made)).read_text()
    assert '<section id="prompts">' in page
    assert '<a href="#prompts">' in page
    assert "Disturbed prompts.</b>" in page
    assert page.count("uninformative region (control)") > 4
    for name in ("tables/prompt_stability.csv", "tables/prompt_c_index.csv", "figures/prompt_sensitivity.svg"):
        assert (tmp_path / name).is_file()
    stability = (tmp_path / "tables/prompt_stability.csv").read_text().splitlines()
    assert stability[1] == (
        'box jittered by 5 mm,"PET, spine_dilated, final",227,1.000,0.980,0.985,0.970,0.770,0.92,0.67 to 0.97'
    )
    c_index = (tmp_path / "tables/prompt_c_index.csv").read_text().splitlines()
    assert len(c_index) == 1 + len(VARIANTS) * len(ROWS) * 2
    assert c_index[1].startswith('box jittered by 5 mm,"PET + CT, spine_dilated",frozen,227,0.610,0.606,')
    again = write_report(synthetic_demo, tmp_path, beside=Beside(sensitivity=made)).read_text()
    assert again == page


def test_without_it_nothing_is_left_of_an_earlier_one(synthetic_demo, made, tmp_path) -> None:
    write_report(synthetic_demo, tmp_path, beside=Beside(sensitivity=made))
    page = write_report(synthetic_demo, tmp_path).read_text()
    assert 'id="prompts"' not in page
    assert not list(tmp_path.glob("*/prompt_*"))


def test_that_of_another_study_shows_no_number(synthetic_demo, made) -> None:
    other = made.model_copy(update={"hashes": made.hashes.model_copy(update={"data": "0" * 64})})
    section = sensitivity_section(other, synthetic_demo)
    assert section is not None
    assert (section.tables, section.figure) == ({}, None)
    assert "it is not of these results" in section.sentences[0]


def test_chance_is_expected_of_controls_and_said_with_its_interval(made) -> None:
    random_box, air, *_ = lines(made)
    assert air.startswith("Uninformative region (control), retrained; expected is chance, 0.5. PET + CT, spine_dil")
    assert "c 0.490 (95 % CI 0.450 to 0.530), with an interval that holds chance" in air
    assert "whole slice" not in air
    assert "c 0.580 (95 % CI 0.540 to 0.620), above chance" in random_box
    assert random_box.startswith("Random box (control), retrained; it would be chance, 0.5, if the prompt alone")
    assert "still pool inside the region's" in random_box


def test_chance_is_judged_by_both_ends(made) -> None:
    name = "uninformative region (control)"
    assert "below chance" in lines(altered(made, name, ci_lower=0.3, ci_upper=0.4))[1]
    unknown = lines(altered(made, name, ci_lower=None, ci_upper=None))[1]
    assert "c 0.490, too few patients for an interval" in unknown


def test_of_many_rows_those_off_chance_are_named(made) -> None:
    air = made.variants[-1]
    kept = [one for one in air.changes if one.model == "retrained"]
    others = [kept[0].model_copy(update={"row": f"row {i}"}) for i in range(5)]
    off = kept[1].model_copy(update={"row": "the odd one", "ci_lower": 0.501, "ci_upper": 0.6})
    many = air.model_copy(update={"changes": [*others, off]})
    said = lines(made.model_copy(update={"variants": [*made.variants[:-1], many]}))[1]
    assert "Of 6 rows: 5 with an interval that holds chance, 1 above chance; the odd one, c 0.470 (95" in said
    assert "row 3" not in said
    assert "features of its whole slice" in said


def test_the_largest_loss_is_of_no_control_and_told_with_caution(made) -> None:
    frozen, retrained = lines(made)[2:4]
    assert frozen.startswith("Models frozen: of 10 changes, the lowest is -0.020 (95 % CI -0.050 to +0.010)")
    assert "one coarse box" in frozen
    assert "looks worse than it is" in retrained


def test_what_could_not_be_made_is_said(made) -> None:
    empty = VariantResult(
        name="mask eroded by 9 mm", kind="mask", control=False, left_out={"mask of 'spine' is empty": 200},
        absent=["spine: could be made of 27 of 227 patients, too few to be compared"], stability=[], changes=[],
    )  # fmt: skip
    said = lines(made.model_copy(update={"variants": [*made.variants, empty]}))
    assert said[-2] == "Mask eroded by 9 mm could not be made of everybody: mask of 'spine' is empty (200)."
    assert "no numbers: spine: could be made of 27 of 227" in said[-1]


def test_a_variant_that_changed_nothing_is_no_sign_of_stability(made) -> None:
    *others, shifted, random_box, _air = made.variants
    same = [one.model_copy(update={"unchanged": one.n}) for one in shifted.stability]
    both = made.model_copy(
        update={"variants": [*others, shifted.model_copy(update={"stability": same}), random_box]}
    )
    assert lines(made)[-1].startswith("Models retrained")
    assert lines(both)[-1].startswith(
        "PET shifted 5 mm superior changed no embedding of any patient: PET, spine_dilated, final. Its distance"
    )  # a CT stays where it is


def test_untrained_weights_are_said_on_figure_and_tables(synthetic_demo, made) -> None:
    section = sensitivity_section(made, synthetic_demo)
    assert section is not None
    assert section.figure is not None
    assert "Untrained weights" in section.figure.svg
    assert all(table.untrained for table in section.tables.values())


def test_it_is_read_back_as_it_was_and_refused_where_damaged(made, tmp_path) -> None:
    path = save_sensitivity(made, tmp_path / "sensitivity.json")
    assert load_sensitivity(path) == made
    path.write_text(path.read_text()[:-20])
    with pytest.raises(StorageError, match="Run 'engram sensitivity' again"):
        load_sensitivity(path)
    with pytest.raises(StorageError, match="Run 'engram sensitivity' first"):
        load_sensitivity(tmp_path / "none.json")
