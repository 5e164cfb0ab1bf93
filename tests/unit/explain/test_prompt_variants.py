"""Which variants a study has: each thing that is asked for, none that is the study's own reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engram.config import StudyConfig
from engram.explain.prompt_variants import prompt_variants
from engram.pipeline.requests import protocol_of


def config(**sections: Any) -> StudyConfig:
    body = {
        "name": "test",
        "manifest": Path("cohort.csv"),
        "outcome": {"time": "t", "unit": "months", "event": "e"},
        "images": {},
        "rois": {"spine": {"mask": "m"}},
        "output": Path("out"),
    }
    return StudyConfig.model_validate(body | sections)


NONE = {
    "jitter_mm": [], "pad_mm": [], "coarse_box": False, "random_box": False, "points": [], "mask_prompt": False,
    "erode_mm": [], "dilate_mm": [], "noise_mm": [], "uninformative": False, "shift_mm": [],
}  # fmt: skip


def names(**sections: Any) -> list[str]:
    return [variant.name for variant in prompt_variants(config(**sections))]


def test_the_defaults() -> None:
    found = prompt_variants(config())
    assert [one.name for one in found] == [
        "box jittered by 5 mm", "box padded by 10 mm", "one coarse box", "3 points", "full mask",
        "mask eroded by 3 mm", "mask dilated by 5 mm", "mask surface noise, sd 3 mm", "PET shifted 5 mm superior",
        "random box (control)", "uninformative region (control)",
    ]  # fmt: skip
    assert [one.name for one in found if one.control] == [one.name for one in found[-2:]]


@pytest.mark.parametrize(("field", "value", "name"), [
    ("jitter_mm", [2.5], "box jittered by 2.5 mm"), ("pad_mm", [4], "box padded by 4 mm"),
    ("coarse_box", True, "one coarse box"), ("random_box", True, "random box (control)"),
    ("points", [1], "1 point"), ("mask_prompt", True, "full mask"), ("erode_mm", [1], "mask eroded by 1 mm"),
    ("dilate_mm", [2], "mask dilated by 2 mm"), ("noise_mm", [2], "mask surface noise, sd 2 mm"),
    ("shift_mm", [7], "PET shifted 7 mm superior"), ("uninformative", True, "uninformative region (control)"),
])  # fmt: skip
def test_each_can_be_asked_for_alone_or_left_out(field: str, value: Any, name: str) -> None:
    assert names(robustness=NONE) == []
    assert names(robustness=NONE | {field: value}) == [name]


def test_the_studys_own_prompt_is_no_variant_and_its_tight_box_then_is() -> None:
    padded = names(embedding={"prompt": "padded_box", "prompt_mm": 10})
    assert "box padded by 10 mm" not in padded
    assert padded[0] == "tight box"
    assert "box padded by 10 mm" in names(embedding={"prompt": "padded_box", "prompt_mm": 4})


def test_a_pet_is_shifted_against_a_ct_alone() -> None:
    assert not [name for name in names(images={"ct": None}) if "shifted" in name]
    assert not [name for name in names(models={"origins": ["CT"]}) if "shifted" in name]


@pytest.mark.parametrize(
    ("towards", "mm"), [("left", (5, 0, 0)), ("posterior", (0, 5, 0)), ("superior", (0, 0, 5))]
)
def test_where_a_pet_is_shifted_to(towards: str, mm: tuple[float, ...]) -> None:
    asked = NONE | {"shift_mm": [5], "shift_towards": towards}
    assert prompt_variants(config(robustness=asked))[0].pet_shift_mm == mm


def test_a_variant_changes_its_prompt_and_nothing_else_of_the_protocol() -> None:
    study = config(embedding={"prompting": "first", "stride": 3})
    jittered = prompt_variants(study)[0].of(study)
    assert protocol_of(jittered).fields == protocol_of(study).fields | {
        "prompt": "jittered_box", "prompt_mm": 5.0, "prompt_seed": 0,
    }  # fmt: skip
