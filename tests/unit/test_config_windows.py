"""Windows by name are the numbers they stand for, in the study file and in the address of an embedding."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engram.config_images import Images
from engram.config_windows import CT_WINDOWS_HU, PET_WINDOWS_SUV, window_name


@pytest.mark.parametrize(
    ("name", "level", "width"), [("bone", 400, 1800), ("soft_tissue", 40, 400), ("lung", -600, 1500)]
)
def test_ct_windows_are_their_level_and_width(name: str, level: float, width: float) -> None:
    assert Images.model_validate({"ct_window_hu": name}).ct_window_hu == (level - width / 2, level + width / 2)


def test_pet_windows_end_at_their_suv() -> None:
    for suv in (5, 10, 20):
        assert Images.model_validate({"pet_window_suv": f"suv_{suv}"}).pet_window_suv == (0, suv)


def test_a_name_and_its_numbers_are_one_window() -> None:
    named = Images.model_validate({"ct_window_hu": "soft_tissue", "pet_window_suv": "suv_5"})
    written = Images.model_validate({"ct_window_hu": [-160, 240], "pet_window_suv": [0, 5.0]})
    assert named == written
    assert named.model_dump_json() == written.model_dump_json()


def test_windows_are_named_by_their_numbers() -> None:
    images = Images()
    assert window_name(images.ct_window_hu, CT_WINDOWS_HU) == "bone"
    assert window_name(images.pet_window_suv, PET_WINDOWS_SUV) == "suv_10"
    assert window_name((0.0, 9.0), PET_WINDOWS_SUV) is None


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("bones", "unknown window 'bones'; use one of bone, soft_tissue, lung, wide, or \\[low, high\\]"),
        ("suv_10", "unknown window"),
        ([5, 5], "a window goes from low to high, not from 5.0 to 5.0"),
        ([300, -300], "from low to high"),
        (["-inf", 5], "finite number"),
        ([0, "nan"], "finite number"),
        ([0], "Field required"),
        (True, "tuple"),
    ],
)
def test_what_is_no_window_is_refused(window: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Images.model_validate({"ct_window_hu": window})
