"""Regions and label maps in the study file: what is declared is used, and what would have no effect is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from engram.config import StudyConfig
from engram.config_images import Images, Region, Roi

MAPS = {"moose-3/clin_ct_vertebrae": "spine_map", "moose-3/clin_ct_ribs": "rib_map"}
SETTINGS = (
    "dilate_mm", "close_mm", "fill_canal", "include_sacrum", "erode_mm", "proximal_mm",
    "smooth_mm", "threshold_hu", "hole_cm2", "smallest_ml",
)  # fmt: skip


def study(rois: dict[str, Any], **images: Any) -> StudyConfig:
    return StudyConfig.model_validate(
        {
            "name": "s",
            "manifest": Path("m.csv"),
            "output": Path("out"),
            "outcome": {"time": "t", "unit": "days", "event": "e"},
            "images": images,
            "rois": rois,
        }
    )


def test_one_map_with_its_scheme_or_several_by_theirs() -> None:
    assert Images(labels="b", label_scheme="totalsegmentator-2/total").label_columns == {
        "totalsegmentator-2/total": "b"
    }
    assert list(Images(labels=MAPS).label_columns.items()) == list(MAPS.items())
    assert Images().label_columns == {}


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({"labels": "b"}, "set label_scheme"),
        ({"labels": "b", "label_scheme": "totalsegmentator_v2"}, "nearest are totalsegmentator-2/total, "),
        ({"labels": {"moose/ribs": "b"}}, "unknown label scheme 'moose/ribs'"),
        ({"labels": MAPS, "label_scheme": "totalsegmentator-2/total"}, "drop it"),
        ({"label_scheme": "totalsegmentator-2/total"}, "drop it"),
        ({"labels": {}}, "names no column"),
        ({"labels": ""}, "set label_scheme"),
        ({"labels": {"moose-3/clin_ct_ribs": 3}}, "must be a column, a section"),
    ],
)
def test_maps_that_are_not_named(images: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Images.model_validate(images)


def test_maps_are_read_where_a_region_or_a_read_out_needs_them() -> None:
    assert study({"x": {"region": "lumbar"}}, labels=MAPS).label_columns == MAPS
    assert study({"x": {"mask": "m"}}, labels=MAPS).label_columns == {}
    assert study({"x_approximate": {"region": "ct_threshold"}}, labels=MAPS).label_columns == {}


@pytest.mark.parametrize("region", get_args(Region))
def test_every_setting_has_an_effect_on_a_region_or_is_refused(region: str) -> None:
    used = Roi.model_validate({"region": region}).settings
    assert used
    for name in SETTINGS:
        value = False if name in ("fill_canal", "include_sacrum") else 7.0
        if name in used:
            assert Roi.model_validate({"region": region, name: value}).settings == {**used, name: value}
        else:
            with pytest.raises(ValidationError, match=f"{name} has no effect on region {region}"):
                Roi.model_validate({"region": region, name: value})


def test_a_ready_mask_has_no_settings() -> None:
    assert Roi(mask="m").settings == {}
    with pytest.raises(ValidationError, match="dilate_mm has no effect on a ready mask"):
        Roi(mask="m", dilate_mm=3.0)


def test_defaults_of_the_paper() -> None:
    spine = {"close_mm": 5.0, "fill_canal": True, "dilate_mm": 10.0, "include_sacrum": True}
    assert Roi(region="spine_dilated").settings == Roi(region="skeleton").settings == spine
    assert Roi(region="lumbar").settings == {"dilate_mm": 0.0}


def test_an_approximation_is_called_one_and_needs_a_ct() -> None:
    with pytest.raises(ValidationError, match="call it 'bones_approximate'"):
        study({"bones": {"region": "ct_threshold"}})
    with pytest.raises(ValidationError, match=r"made from the CT, but images\.ct is null"):
        study({"approximate bones": {"region": "ct_threshold"}}, ct=None)


@pytest.mark.parametrize("region", [r for r in get_args(Region) if r != "ct_threshold"])
def test_a_region_of_bones_needs_a_map(region: str) -> None:
    with pytest.raises(ValidationError, match=r"set images\.labels to its column"):
        study({"x": {"region": region}})
