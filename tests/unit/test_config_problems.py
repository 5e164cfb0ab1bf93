"""Whatever is wrong in a study file is said in plain words: the field, what it takes, and what stands there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from engram.config import _SECTIONS, StudyConfig
from engram.config_problems import in_words

STUDY: dict[str, Any] = {
    "name": "s",
    "manifest": Path("cohort.csv"),
    "output": Path("results"),
    "outcome": {"time": "t", "unit": "months", "event": "e"},
    "covariates": {"iss": {"kind": "ordinal", "levels": ["I", "II"]}},
    "images": {"labels": "bones", "label_scheme": "totalsegmentator-2/total"},
    "rois": {"spine": {"region": "spine_dilated"}},
}
WRONG: tuple[Any, ...] = (
    None, "", "x", 0, -1, 1.5, True, float("nan"), float("inf"), [], [None], ["x"], [1, 2, 3], [float("nan"), 1.0],
    {}, {"a": 1}, date(2020, 1, 1), 10**400,
)  # fmt: skip
# How pydantic speaks of what it wanted, to programmers.
JARGON = (
    "Input",
    "should be",
    "valid",
    "tuple",
    "dictionary",
    "instance",
    "NoneType",
    "<class",
    "pathlib",
    "parse",
)


def problems(place: str, value: object) -> list[str]:
    study = copy.deepcopy(STUDY)
    *above, field = place.split(".")
    section = study
    for name in above:
        section = section.setdefault(name, {})
    section[field] = value
    try:
        StudyConfig.model_validate(study)
    except ValidationError as error:
        return in_words(error, _SECTIONS)
    return []


def places() -> Iterator[str]:
    named = {"covariates.<name>": "covariates.iss", "rois.<name>": "rois.spine"}
    for place, section in _SECTIONS.items():
        fields = [name for name in section.model_fields if name != "folder"]
        yield from (".".join(filter(None, [named.get(place, place), field])) for field in fields)


@pytest.mark.parametrize("place", sorted(places()))
def test_no_wrong_value_of_any_field_is_answered_in_jargon(place: str) -> None:
    for value in WRONG:
        for line in problems(place, value):
            assert not any(word in line for word in JARGON), f"{value!r}: {line}"
            assert len(line) < 300, line


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("tuning.protocols", [], "must be a list of at least one of fixed, nested, "),
        ("embedding.readouts", "final", "must be a list of any of final, volume_map, "),
        ("embedding.readouts", ["last"], "embedding.readouts.0: must be one of final, "),
        ("models.families", "clinical", "must be a list of any of clinical, image, multimodal, not 'clinical'"),
        ("training.hidden", 32, "must be a list of whole numbers of at least 1, not 32"),
        ("training.hidden", [0], "training.hidden.0: must be a whole number of at least 1, not 0"),
        ("training.dropout", float("nan"), "must be a number of at least 0 and below 1, not nan"),
        ("training.learning_rate", 0, "must be a number above 0, not 0"),
        ("evaluation.max_missing", 40, "must be a number from 0 to 1, not 40"),
        ("evaluation.folds", 1, "must be a whole number of at least 2, not 1"),
        ("embedding.resolution", "512 px", "must be a whole number of at least 32, or null, not '512 px'"),
        ("embedding.stride", None, "must be a whole number of at least 1, not nothing (null)"),
        ("images.ct_window_hu", [400], "must be a list of two numbers, not [400]"),
        ("images.ct_window_hu", [], "must be a list of two numbers, not []"),
        ("images.ct_window_hu", 1800, "must be a list of two numbers, not 1800"),
        ("images.ct_window_hu", ["a", 2], "images.ct_window_hu.0: must be a number, not 'a'"),
        ("report.pictures", "perhaps", "must be true or false, not 'perhaps'"),
        ("outcome", "months", "must be a section with time, unit, event, not 'months'"),
        ("covariates", ["age"], "must be a section of names, each with fields of its own, not ['age']"),
        ("covariates.iss.levels", "I, II", "must be a list of texts, or null, not 'I, II'"),
        ("outcome.time", date(2020, 1, 1), "is text, but the value is a date. Quote it: '2020-01-01'"),
        ("manifest", 7, "must be a path, not 7"),
        ("truth", {}, "truth.clinical: is missing; it is text"),
        ("rois.spine.dilate_mm", {"spine": 5}, "must be a number of at least 0, or null, not a section (spine)"),
        ("rois.spine.dilate_mm", 10**400, "must be a number of at least 0, or null, not 1000"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(place: str, value: object, words: str) -> None:
    found = problems(place, value)
    assert found
    assert found[0].startswith(place)
    assert words in found[0]


def test_a_list_that_lacks_two_parts_is_one_problem() -> None:
    assert len(problems("images.ct_window_hu", [])) == 1


def test_a_very_long_value_is_cut() -> None:
    (found,) = problems("training.dropout", "x" * 10_000)
    assert len(found) < 200
    assert found.endswith("...")
