"""Addresses of disturbed readings: what was changed is part of them, and nothing else is."""

from __future__ import annotations

from engram.explain.prompt_variants import prompt_variants
from engram.memory.fake import FakeBackbone
from engram.pipeline.requests import Disturbed, Request, requests_of

DIGESTS = {"ct": "c" * 64, "pet": "d" * 64, "mask:tumour": "e" * 64}
SECTIONS = {"rois": {"tumour": {"mask": "tumour"}}, "images": {}, "embedding": {"quality": False}}


def keys(config, disturbed: Disturbed) -> dict[str, str]:
    found: tuple[Request, ...] = requests_of(config, DIGESTS, FakeBackbone(), disturbed)
    return {request.modality: request.key for request in found}


def test_a_shifted_pet_is_another_scan_and_the_ct_is_the_same(made) -> None:
    config = made.config(**SECTIONS)
    own, shifted = keys(config, Disturbed()), keys(config, Disturbed(pet_shift_mm=(0.0, 0.0, 5.0)))
    assert shifted["CT"] == own["CT"]
    assert len({own["PET"], shifted["PET"], keys(config, Disturbed(pet_shift_mm=(0.0, 5.0, 0.0)))["PET"]}) == 3


def test_every_variant_has_an_address_of_its_own(made) -> None:
    config = made.config(**SECTIONS)
    variants = prompt_variants(config)
    found = [
        keys(one.of(config), Disturbed(None if one.mask is None else one.mask.recipe, one.pet_shift_mm))["PET"]
        for one in variants
    ]
    assert len({*found, keys(config, Disturbed())["PET"]}) == len(variants) + 1
