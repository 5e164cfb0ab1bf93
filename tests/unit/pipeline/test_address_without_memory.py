"""Where a read-out without memory lies in the store, and that no other has moved for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from engram.memory.contract import Backbone
from engram.pipeline.requests import protocol_of, protocol_of_readout, readouts_of, requests_of

DIGESTS = {"ct": "c", "pet": "p", "mask:tumour": "m", "labels:totalsegmentator-2/total": "l"}
# As they were before there was a read-out without memory: first and last digits.
BEFORE = {"final": ("0a55d11c", "2a94f36a"), "roi": ("1b5cf068", "dbf3f3d9")}


def keys(made: Any, **embedding: Any) -> dict[str, str]:
    """Of the PET's tumour, by read-out."""
    wanted = {"readouts": ["final", "roi", "roi_without_memory"], "quality": False, **embedding}
    weights = cast(Backbone, SimpleNamespace(digest="w"))
    found = requests_of(made.config(embedding=wanted), DIGESTS, weights)
    return {one.readout: one.key for one in found if (one.modality, one.roi) == ("PET", "tumour")}


def test_no_address_has_moved(made: Any) -> None:
    found = keys(made)
    assert {name: (found[name][:8], found[name][-8:]) for name in BEFORE} == BEFORE


def test_what_decides_the_memory_does_not_move_what_recalls_none(made: Any) -> None:
    base = keys(made)
    assert len(set(base.values())) == 3
    for change in ({"prompting": "first"}, {"prompting": "every_k", "every": 4}, {"prompting": "all"}):
        other = keys(made, **change)
        assert other["roi_without_memory"] == base["roi_without_memory"]
        assert other["roi"] != base["roi"]
    for change in ({"stride": 1}, {"prompt": "coarse_box"}, {"precision": "bfloat16"}, {"direction": "both"}):
        assert keys(made, **change)["roi_without_memory"] != base["roi_without_memory"]


def test_the_protocol_that_the_store_tells_is_the_one_it_was_read_by(made: Any) -> None:
    config = made.config(embedding={"readouts": ["roi", "roi_without_memory"]})
    told = {name: protocol_of_readout(config, one).words for name, one in readouts_of(config).items()}
    of_study = protocol_of(config).words
    assert told["roi"] == told["quality"] == of_study
    without = of_study.replace("prompting interleaved", "prompting all").replace(", bank_dtype float32", "")
    assert told["roi_without_memory"] == without != of_study
