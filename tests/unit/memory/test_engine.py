"""The engine: the least work, each slice once, the same numbers as reading a region alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from engram.config_embedding import ReadOutName
from engram.memory.backbone import Sam2Backbone
from engram.memory.contract import Frames
from engram.memory.engine import Wanted, plan, read_regions
from engram.memory.fake import FakeBackbone
from engram.memory.prompts import slice_prompts
from engram.memory.protocol import Protocol
from engram.memory.quality import quality
from engram.memory.readouts import Region, read_out
from engram.memory.tracing import trace

N, SHAPE = 12, (40, 50)
SPACING = (3.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (N, *SHAPE)).astype(np.uint8)


def _region(first: int, last: int, protocol: Protocol, shift: int = 0) -> Region:
    mask = np.zeros((N, *SHAPE), dtype=bool)
    for z in range(first, last + 1):  # z = 0 is the most superior of the frames, the last plane of the mask
        mask[N - 1 - z, 8 + shift : 28 + shift - z % 3, 10:30] = True
    return Region(slice_prompts(mask, protocol, SPACING), mask, SPACING)


def _wanted(protocol: Protocol, names: Sequence[ReadOutName] = ("final",)) -> dict[str, Wanted]:
    readouts = tuple(read_out(name) for name in names)
    return {
        "a": Wanted(_region(0, 8, protocol), readouts),
        "b": Wanted(_region(3, 11, protocol, shift=5), readouts),
    }


class Counting(FakeBackbone):
    """Remembers how often it was asked."""

    def __init__(self) -> None:
        self.encoded, self.n_read = [], 0

    def encode(self, frames: Frames):
        self.encoded += [int(frame.sum()) for frame in frames]
        return super().encode(frames)

    def read(self, *args):
        self.n_read += 1
        return super().read(*args)


@pytest.mark.parametrize(
    ("prompting", "direction"), list(itertools.product(["all", "interleaved", "first", "every_k"], ["down", "up"]))
)
def test_two_regions_share_the_encoding_and_keep_their_own_numbers(
    mini: Sam2Backbone, frames: np.ndarray, prompting: str, direction: str
) -> None:
    protocol = Protocol(prompting=prompting, direction=direction, stride=2, every=3)
    wanted = _wanted(protocol)
    together = read_regions(mini, frames, wanted, protocol)
    for name, one in wanted.items():
        prompts = one.region.prompts
        alone = trace(mini, frames[prompts.slices], prompts.prompts, protocol)
        assert np.array_equal(together[name]["final"]["memory"], alone.memory[alone.order[-2:]])


@pytest.mark.parametrize("direction", ["down", "both"])
def test_each_slice_is_encoded_once_whatever_the_regions_and_passes(frames: np.ndarray, direction: str) -> None:
    protocol, backbone = Protocol(stride=1, direction=direction), Counting()
    wanted = _wanted(protocol, ["final", "volume"])
    todo = plan(wanted, protocol)
    read_regions(backbone, frames, wanted, protocol)
    assert len(backbone.encoded) == len(set(backbone.encoded)) == todo.n_encoded == N
    assert backbone.n_read == todo.n_read == (18 if direction == "down" else 36)


def test_final_under_all_reads_the_last_entries_and_nothing_else(frames: np.ndarray) -> None:
    protocol, backbone = Protocol(prompting="all", stride=1), Counting()
    read_regions(backbone, frames, _wanted(protocol), protocol)
    assert len(backbone.encoded) == 4  # slices 7 and 8 for one region, 10 and 11 for the other
    assert backbone.n_read == 4


def test_a_read_out_of_the_volume_under_all_needs_every_slice(frames: np.ndarray) -> None:
    protocol = Protocol(prompting="all", stride=1)
    assert plan(_wanted(protocol, ["volume"]), protocol).n_read == 18
    assert plan(_wanted(protocol, ["final"]), protocol).n_read == 4


@pytest.mark.parametrize("batch", [1, 5])
def test_both_ways_equal_two_passes(frames: np.ndarray, batch: int) -> None:
    protocol = Protocol(direction="both", stride=1)
    wanted = _wanted(protocol, ["final", "volume_map"])
    found = read_regions(FakeBackbone(), frames, wanted, protocol, batch=batch)
    for name, one in wanted.items():
        prompts = one.region.prompts
        alone = trace(FakeBackbone(), frames[prompts.slices], prompts.prompts, protocol)
        n = len(prompts)
        last = np.concatenate([alone.memory[alone.order[n - 2 : n]], alone.memory[alone.order[-2:]]])
        assert np.array_equal(found[name]["final"]["memory"], last)
        np.testing.assert_allclose(found[name]["volume_map"]["memory"][0], alone.memory.mean(axis=0), rtol=1e-5)


def test_adding_a_read_out_changes_no_other(mini: Sam2Backbone, frames: np.ndarray) -> None:
    protocol = Protocol()
    few = read_regions(mini, frames, _wanted(protocol), protocol)
    wanted = {
        n: Wanted(w.region, (*w.readouts, read_out("volume"), quality())) for n, w in _wanted(protocol).items()
    }
    many = read_regions(mini, frames, wanted, protocol)
    for name in few:
        assert np.array_equal(few[name]["final"]["memory"], many[name]["final"]["memory"])


def test_progress_counts_slices_to_the_end(frames: np.ndarray) -> None:
    protocol, told = Protocol(stride=1), []
    read_regions(
        FakeBackbone(), frames, _wanted(protocol), protocol, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(i, N) for i in range(1, N + 1)]


def test_a_region_of_one_slice_gives_one_entry(frames: np.ndarray) -> None:
    protocol = Protocol()
    wanted = {"a": Wanted(_region(3, 3, protocol), (read_out("final"),))}
    assert len(read_regions(FakeBackbone(), frames, wanted, protocol)["a"]["final"]["memory"]) == 1


def test_nothing_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one read-out"):
        Wanted(_region(0, 3, Protocol()), ())
