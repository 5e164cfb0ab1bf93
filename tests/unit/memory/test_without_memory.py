"""Encoder and prompt without the memory: a read-out of the same pass, equal to a study that recalls nothing."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from engram.config_embedding import ReadOutName
from engram.memory.backbone import Sam2Backbone
from engram.memory.contract import Frames, SliceFeatures
from engram.memory.engine import Wanted, plan, read_regions
from engram.memory.fake import FakeBackbone
from engram.memory.prompts import slice_prompts
from engram.memory.protocol import Protocol
from engram.memory.readouts import WITHOUT_MEMORY, Region, read_out

N, SHAPE, SPACING = 9, (40, 50), (3.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (N, *SHAPE)).astype(np.uint8)


def wanted(protocol: Protocol, *names: ReadOutName) -> dict[str, Wanted]:
    def region(first: int, last: int, shift: int) -> Region:
        mask = np.zeros((N, *SHAPE), dtype=bool)
        for z in range(first, last + 1):
            mask[N - 1 - z, 8 + shift : 28 + shift - z % 3, 10:30] = True
        return Region(slice_prompts(mask, protocol, SPACING), mask, SPACING)

    readouts = tuple(read_out(name) for name in names)
    return {"a": Wanted(region(0, 6, 0), readouts), "b": Wanted(region(2, 8, 5), readouts)}


def vectors(found: Mapping[str, Mapping[str, Mapping[str, Any]]], name: str) -> list[np.ndarray]:
    return [of_region[name]["vector"] for of_region in found.values()]


def reads(protocol: Protocol, *names: ReadOutName) -> int:
    return plan(wanted(protocol, *names), protocol).n_read


@pytest.mark.parametrize(
    ("prompting", "direction"), list(itertools.product(["interleaved", "first", "every_k"], ["down", "up", "both"]))
)
def test_equals_roi_of_a_study_in_which_no_slice_remembers(
    mini: Sam2Backbone, frames: np.ndarray, prompting: str, direction: str
) -> None:
    protocol = Protocol(prompting=prompting, direction=direction, every=3, stride=2)  # type: ignore[arg-type]
    literal = Protocol(prompting="all", direction=direction, stride=2)  # type: ignore[arg-type]
    both = read_regions(mini, frames, wanted(protocol, "roi", WITHOUT_MEMORY), protocol)
    alone = read_regions(mini, frames, wanted(literal, "roi"), literal)
    for one, other, remembered in zip(
        vectors(both, WITHOUT_MEMORY), vectors(alone, "roi"), vectors(both, "roi"), strict=True
    ):
        assert np.array_equal(one, other)
        assert not np.array_equal(one, remembered)


@pytest.mark.parametrize("batch", [1, 4])
def test_it_changes_no_other_read_out_and_encodes_nothing_more(frames: np.ndarray, batch: int) -> None:
    class Counting(FakeBackbone):
        encoded, n_read = 0, 0

        def encode(self, frames: Frames) -> list[SliceFeatures]:
            self.encoded += len(frames)
            return super().encode(frames)

        def read(self, *args: Any) -> Any:
            self.n_read += 1
            return super().read(*args)

    protocol, backbone = Protocol(stride=1, direction="both"), Counting()
    few = read_regions(FakeBackbone(), frames, wanted(protocol, "final", "roi"), protocol, batch=batch)
    more = wanted(protocol, "final", WITHOUT_MEMORY, "roi")
    many = read_regions(backbone, frames, more, protocol, batch=batch)
    assert backbone.encoded == N
    assert backbone.n_read == plan(more, protocol).n_read == 2 * 28
    for name, region in few.items():
        assert np.array_equal(region["final"]["memory"], many[name]["final"]["memory"])
        assert np.array_equal(region["roi"]["vector"], many[name]["roi"]["vector"])


def test_what_nobody_asks_to_be_remembered_is_not_propagated() -> None:
    interleaved, literal = Protocol(stride=1), Protocol(stride=1, prompting="all")
    assert reads(interleaved, WITHOUT_MEMORY) == 14
    assert reads(interleaved, "roi", WITHOUT_MEMORY) == 28
    assert reads(literal, "roi", WITHOUT_MEMORY) == 14  # which are one reading there


def test_under_a_protocol_without_memory_it_is_roi_itself(frames: np.ndarray) -> None:
    literal = Protocol(prompting="all")
    found = read_regions(FakeBackbone(), frames, wanted(literal, "roi", WITHOUT_MEMORY), literal)
    for one, other in zip(vectors(found, WITHOUT_MEMORY), vectors(found, "roi"), strict=True):
        assert np.array_equal(one, other)


def test_its_protocol_says_that_it_recalls_nothing_and_keeps_the_rest() -> None:
    protocol = Protocol(prompting="every_k", every=3, prompt="padded_box", stride=3, bank_dtype="bfloat16")
    alone = protocol.without_memory
    assert not alone.remembers
    assert alone.fields == {
        "prompting": "all", "prompt": "padded_box", "prompt_mm": 10.0, "stride": 3, "direction": "down",
        "precision": "float32",
    }  # fmt: skip
    assert alone.digest != protocol.digest
    assert alone.digest == Protocol(prompt="padded_box", stride=3).without_memory.digest
