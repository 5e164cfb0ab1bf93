"""The window is part of an embedding's address, by its numbers, whatever it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from engram.config import StudyConfig
from engram.memory.contract import Backbone
from engram.pipeline.requests import requests_of, window_of

DIGESTS = {
    "ct": "c",
    "pet": "p",
    "labels:totalsegmentator-2/total": "l",
    "mask:tumour": "m",
}


@dataclass(frozen=True)
class Weights:
    """All that an address takes from a backbone."""

    digest: str = "w"


def keys(config: StudyConfig, modality: str) -> list[str]:
    found = requests_of(config, DIGESTS, cast(Backbone, Weights()))
    return [request.key for request in found if request.modality == modality]


def config(made: Any, **windows: Any) -> StudyConfig:
    plain = made.config()
    return plain.model_copy(
        update={"images": type(plain.images).model_validate({**plain.images.model_dump(), **windows})}
    )


@pytest.mark.parametrize(
    ("window", "modality", "other"),
    [({"ct_window_hu": "soft_tissue"}, "CT", "PET"), ({"pet_window_suv": "suv_5"}, "PET", "CT")],
)
def test_another_window_is_another_address_of_its_scan_alone(made, window, modality: str, other: str) -> None:
    plain, changed = config(made), config(made, **window)
    assert not set(keys(plain, modality)) & set(keys(changed, modality))
    assert keys(plain, other) == keys(changed, other)


def test_a_name_and_its_numbers_have_one_address(made) -> None:
    named = config(made, ct_window_hu="lung", pet_window_suv="suv_20")
    written = config(made, ct_window_hu=[-1350, 150], pet_window_suv=[0, 20])
    assert window_of(named, "CT") == (-1350.0, 150.0)
    assert window_of(named, "PET") == (0.0, 20.0)
    for modality in ("CT", "PET"):
        assert keys(named, modality) == keys(written, modality)
