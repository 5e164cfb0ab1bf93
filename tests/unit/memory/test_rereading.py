"""Reading again after a change: the numbers of a reading from the start, for the work that the change calls for."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.memory.backbone import Sam2Backbone
from engram.memory.contract import Frames, Recall
from engram.memory.engine import Wanted, plan, read_regions
from engram.memory.fake import FakeBackbone
from engram.memory.prompts import slice_prompts
from engram.memory.protocol import Protocol
from engram.memory.quality import quality
from engram.memory.readouts import Region, read_out
from engram.memory.rereading import Found, Rereader
from engram.memory.tracing import trace

N, SHAPE = 18, (24, 30)
SPACING = (3.0, 1.0, 1.0)
SPANS = {"a": (1, 13), "b": (4, 16)}  # slices 0 and 17 are of no region
EVERYTHING = (
    "final", "volume_map", "volume", "roi", "roi_without_memory", "regions", "pointers", "scores", "area",
)  # fmt: skip
PROMPTINGS = ("all", "interleaved", "first", "every_k")


class Deep(FakeBackbone):
    """Looks back on all that the contract allows, on pointers for longer than on memories; counts its work."""

    bank_length, memory_length = 5, 2

    def __init__(self) -> None:
        self.n_encoded = self.n_read = 0

    def encode(self, frames: Frames):
        self.n_encoded += len(frames)
        return super().encode(frames)

    def read(self, *args):
        self.n_read += 1
        return super().read(*args)

    def _past(self, recall: Recall | None) -> torch.Tensor:
        past = super()._past(None)
        if recall is None:
            return past
        near = [entry for entry in recall.tracked if entry.distance <= self.memory_length]
        for entry in (*near, *recall.conditioning):
            past = past + entry.memory.mean(dim=0) / (4 + entry.distance)
        pointed = [entry for entry in recall.tracked if entry.distance <= self.bank_length]
        for entry in (*pointed, *recall.conditioning):
            past = past + entry.pointer.mean() / (6 + entry.distance)
        return past


@pytest.fixture(scope="module")
def frames() -> Frames:
    return np.random.default_rng(0).integers(0, 255, (N, *SHAPE)).astype(np.uint8)


def _region(span: tuple[int, int], protocol: Protocol) -> Region:
    mask = np.zeros((N, *SHAPE), dtype=bool)
    for z in range(span[0], span[1] + 1):  # z = 0 is the most superior of the frames, the last plane of the mask
        mask[N - 1 - z, 4 : 14 - z % 3, 5 + z % 4 : 20] = True
    parts = np.where(mask, 1 + (np.arange(N) % 4)[:, None, None], 0).astype(np.uint8)
    return Region(slice_prompts(mask, protocol, SPACING), mask, SPACING, parts)


def _wanted(protocol: Protocol, names=EVERYTHING, regions=("a", "b")) -> dict[str, Wanted]:
    readouts = tuple(read_out(name) for name in names)
    readouts += (quality(),) if len(names) > 2 else ()
    return {name: Wanted(_region(SPANS[name], protocol), readouts) for name in regions}


def _occluded(frames: Frames, *slices: int) -> dict[int, Frames]:
    """A patch of each slice filled with one value."""
    changed = {z: frames[z].copy() for z in slices}
    for plane in changed.values():
        plane[3:12, 4:16] = 127
    return changed


def _with(frames: Frames, changed: Mapping[int, Frames]) -> Frames:
    seen = frames.copy()
    for z, plane in changed.items():
        seen[z] = plane
    return seen


def _assert_same_bits(found: Found, expected: Found) -> None:
    assert {name: list(one) for name, one in found.items()} == {name: list(one) for name, one in expected.items()}
    for name, readout in ((name, readout) for name, one in expected.items() for readout in one):
        for key, array in expected[name][readout].items():
            assert found[name][readout][key].dtype == array.dtype
            assert found[name][readout][key].tobytes() == array.tobytes(), (name, readout, key)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("prompting", "direction"), list(itertools.product(PROMPTINGS, ["down", "up", "both"])))
def test_a_reading_again_has_the_bits_of_a_reading_from_the_start(
    frames: Frames, prompting: str, direction: str, stride: int
) -> None:
    protocol = Protocol(prompting=prompting, direction=direction, stride=stride, every=4)
    wanted = _wanted(protocol)
    with Rereader(Deep(), frames, wanted, protocol) as rereader:
        for slices in ((), (0,), (1,), (16,), (13,), (5, 6, 7), (3, 11), (0, 4, 17)):
            changed = _occluded(frames, *slices)
            seen = _with(frames, changed)
            _assert_same_bits(rereader.reread(changed), read_regions(Deep(), seen, wanted, protocol))


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("direction", ["down", "both"])
@pytest.mark.parametrize("prompting", ["all", "first"])
def test_the_baseline_has_the_bits_of_the_engine(
    mini: Sam2Backbone, frames: Frames, prompting: str, direction: str, batch: int
) -> None:
    protocol = Protocol(prompting=prompting, direction=direction, stride=3)
    wanted, told, expected = _wanted(protocol), [], []
    whole = read_regions(
        mini, frames, wanted, protocol, batch=batch, progress=lambda done, total: expected.append((done, total))
    )
    with Rereader(
        mini, frames, wanted, protocol, batch=batch, progress=lambda done, total: told.append((done, total))
    ) as rereader:
        _assert_same_bits(rereader.baseline, whole)
    assert told == expected


@pytest.mark.parametrize("prompting", PROMPTINGS)
@pytest.mark.parametrize("direction", ["down", "both"])
def test_a_network_gives_the_same_bits_again(
    mini: Sam2Backbone, frames: Frames, prompting: str, direction: str
) -> None:
    protocol = Protocol(prompting=prompting, direction=direction, stride=2, every=3)
    wanted, changed = _wanted(protocol), _occluded(frames, 6, 7, 8)
    with Rereader(mini, frames, wanted, protocol) as rereader:
        found = rereader.reread(changed)
    _assert_same_bits(found, read_regions(mini, _with(frames, changed), wanted, protocol))
    changes = found["a"]["volume"]["vector"] != rereader.baseline["a"]["volume"]["vector"]
    assert changes.any()


def test_in_half_precision_the_bits_are_the_same_too(mini: Sam2Backbone, frames: Frames) -> None:
    protocol = Protocol(stride=2, precision="bfloat16", bank_dtype="bfloat16")
    wanted, changed = _wanted(protocol, ["final", "volume"]), _occluded(frames, 5, 6)
    with Rereader(mini, frames, wanted, protocol) as rereader:
        found = rereader.reread(changed)
    _assert_same_bits(found, read_regions(mini, _with(frames, changed), wanted, protocol))


@pytest.mark.parametrize("prompting", ["all", "interleaved"])
def test_in_batches_only_the_rounding_differs(mini: Sam2Backbone, frames: Frames, prompting: str) -> None:
    protocol = Protocol(prompting=prompting, stride=1)
    wanted, changed = _wanted(protocol, ["final", "volume", "roi"]), _occluded(frames, 5, 6, 12)
    with Rereader(mini, frames, wanted, protocol, batch=3) as rereader:
        found = rereader.reread(changed)
    expected = read_regions(mini, _with(frames, changed), wanted, protocol, batch=3)
    for name, one in expected.items():
        for readout in ("final", "volume", "roi"):
            (theirs,), (ours,) = one[readout].values(), found[name][readout].values()
            assert np.linalg.norm(ours - theirs) <= 1e-5 * np.linalg.norm(theirs)


@st.composite
def _changes(draw: st.DrawFn) -> tuple[Protocol, dict[int, Frames]]:
    protocol = Protocol(
        prompting=draw(st.sampled_from(PROMPTINGS)),
        direction=draw(st.sampled_from(["down", "up", "both"])),
        stride=draw(st.integers(1, 3)),
        every=draw(st.integers(1, 5)),
        bank_dtype=draw(st.sampled_from(["float32", "bfloat16"])),
    )
    slices = draw(st.lists(st.integers(0, N - 1), max_size=4, unique=True))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    return protocol, {z: generator.integers(0, 255, SHAPE).astype(np.uint8) for z in slices}


@settings(max_examples=40, deadline=None)
@given(_changes())
def test_whatever_changes_the_bits_are_the_same_and_no_work_is_wasted(drawn) -> None:
    protocol, changed = drawn
    frames = np.random.default_rng(1).integers(0, 255, (N, *SHAPE)).astype(np.uint8)
    wanted, backbone = _wanted(protocol, ["final", "volume"]), Deep()
    with Rereader(backbone, frames, wanted, protocol) as rereader:
        backbone.n_encoded = backbone.n_read = 0
        found = rereader.reread(changed)
        work = backbone.n_encoded, backbone.n_read
        _assert_same_bits(rereader.reread({}), rereader.baseline)
    _assert_same_bits(found, read_regions(Deep(), _with(frames, changed), wanted, protocol))
    assert work == _least_work(frames, changed, wanted, protocol)


def _least_work(
    frames: Frames, changed: Mapping[int, Frames], wanted: Mapping[str, Wanted], protocol: Protocol
) -> tuple[int, int]:
    """Slices that changed among those read; and readings of a slice that changed or recalls one that differs,
    by two readings of everything."""
    is_read = {int(z) for one in wanted.values() for z in one.region.prompts.slices}
    news = {z for z, plane in changed.items() if (plane != frames[z]).any()}
    readings = 0
    for one in wanted.values():
        prompts = one.region.prompts
        before, after = (
            trace(Deep(), seen[prompts.slices], prompts.prompts, protocol)
            for seen in (frames, _with(frames, changed))
        )
        memory = (before.memory != after.memory).any(axis=(1, 2, 3))[before.order]
        pointer = (before.pointers != after.pointers).any(axis=1)[before.order]
        n = len(prompts)
        slices = prompts.slices[before.order % n]
        for start in range(0, len(slices), n):
            readings += sum(
                int(slices[start + i]) in news
                or (protocol.remembers and _recalls_another(memory[start:][:i], pointer[start:][:i]))
                for i in range(n)
            )
    return len(is_read & news), readings


def _recalls_another(memory: np.ndarray, pointer: np.ndarray) -> bool:
    first, near, far = slice(0, 1), slice(-Deep.memory_length, None), slice(-Deep.bank_length, None)
    return bool((memory[first] | pointer[first]).any() or memory[near].any() or pointer[far].any())


def test_a_change_that_dies_out_is_not_followed_to_the_end() -> None:
    frames = np.random.default_rng(2).integers(0, 255, (60, *SHAPE)).astype(np.uint8)
    mask = np.zeros(frames.shape, dtype=bool)
    mask[:, 4:14, 5:20] = True
    protocol, backbone = Protocol(stride=1), Deep()
    region = Region(slice_prompts(mask, protocol, SPACING), mask, SPACING)
    wanted, changed = {"a": Wanted(region, (read_out("volume"),))}, _occluded(frames, 3, 4)
    with Rereader(backbone, frames, wanted, protocol) as rereader:
        backbone.n_encoded = backbone.n_read = 0
        found = rereader.reread(changed)
    assert (backbone.n_encoded, backbone.n_read) == (2, _least_work(frames, changed, wanted, protocol)[1])
    assert backbone.n_read < 40
    _assert_same_bits(found, read_regions(Deep(), _with(frames, changed), wanted, protocol))


@pytest.mark.parametrize("direction", ["down", "up", "both"])
def test_what_no_read_out_can_know_of_costs_nothing(frames: Frames, direction: str) -> None:
    protocol, backbone = Protocol(prompting="all", stride=2, direction=direction), Deep()
    wanted = _wanted(protocol, ["final"])
    is_read = {step.z for one in plan(wanted, protocol).passes for step in one.steps}
    with Rereader(backbone, frames, wanted, protocol) as rereader:
        backbone.n_encoded = backbone.n_read = 0
        rereader.reread(_occluded(frames, *set(range(N)) - is_read))
        rereader.reread({z: frames[z].copy() for z in is_read})
        assert (backbone.n_encoded, backbone.n_read) == (0, 0)
        last = max(is_read)
        rereader.reread(_occluded(frames, last))
        assert (backbone.n_encoded, backbone.n_read) == (1, 1)


def test_regions_share_the_encoding_and_only_those_reached_are_read(frames: Frames) -> None:
    protocol, backbone = Protocol(stride=1, direction="both"), Deep()
    wanted = _wanted(protocol, ["final", "volume"])
    with Rereader(backbone, frames, wanted, protocol) as rereader:
        assert backbone.n_encoded == 16
        backbone.n_encoded = backbone.n_read = 0
        found = rereader.reread(_occluded(frames, 15, 16))  # of region b alone: last down, first up
    assert (backbone.n_encoded, backbone.n_read) == (2, 2 + 13)
    _assert_same_bits({"a": found["a"]}, {"a": rereader.baseline["a"]})


def test_without_memory_only_the_changed_slices_are_read(frames: Frames) -> None:
    protocol, backbone = Protocol(stride=1), Deep()
    wanted = _wanted(protocol, ["roi_without_memory"], ["a"])
    with Rereader(backbone, frames, wanted, protocol) as rereader:
        backbone.n_encoded = backbone.n_read = 0
        rereader.reread(_occluded(frames, 5, 6))
    assert (backbone.n_encoded, backbone.n_read) == (2, 2)


@pytest.mark.parametrize("prompting", ["interleaved", "first"])
def test_fast_does_less_and_says_nearly_the_same(frames: Frames, prompting: str) -> None:
    protocol, changed = Protocol(prompting=prompting, stride=1), _occluded(frames, 5, 6)
    wanted, backbone, work, found = _wanted(protocol, ["volume"], ["a"]), Deep(), [], []
    with Rereader(backbone, frames, wanted, protocol, tolerance=1e-3) as rereader:
        for tolerance in (1e-3, None):
            rereader.tolerance, before = tolerance, backbone.n_read
            found.append(rereader.reread(changed)["a"]["volume"]["vector"])
            work.append(backbone.n_read - before)
    fast, exact = found
    change = np.linalg.norm(exact - rereader.baseline["a"]["volume"]["vector"])
    assert work[0] < work[1]
    assert 0 < np.linalg.norm(fast - exact) < 0.01 * change


def test_fast_goes_on_to_the_end_where_the_first_slice_changed(frames: Frames) -> None:
    """Every later slice looks back on it, however far it is."""
    protocol, backbone = Protocol(stride=1), Deep()
    with Rereader(backbone, frames, _wanted(protocol, ["volume"], ["a"]), protocol, tolerance=0.05) as rereader:
        n = backbone.n_read
        rereader.reread(_occluded(frames, 2))
        assert backbone.n_read - n < n - 1
        before = backbone.n_read
        rereader.reread(_occluded(frames, 1))
        assert backbone.n_read - before == n


def test_fast_of_a_network_is_near_too(mini: Sam2Backbone, frames: Frames) -> None:
    protocol, changed = Protocol(stride=1), _occluded(frames, 2)
    wanted = _wanted(protocol, ["volume"], ["a"])
    exact, fast = (
        _read_again(Rereader(mini, frames, wanted, protocol, tolerance=tolerance), changed)
        for tolerance in (None, 1e-2)
    )
    assert np.linalg.norm(fast - exact) < 1e-2 * np.linalg.norm(exact)


def _read_again(rereader: Rereader, changed: Mapping[int, Frames]) -> np.ndarray:
    with rereader:
        return rereader.reread(changed)["a"]["volume"]["vector"]


def test_the_temporary_file_is_gone_after_the_context(frames: Frames, monkeypatch: pytest.MonkeyPatch) -> None:
    files, make = [], tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: files.append(make()) or files[-1])
    protocol = Protocol(direction="both")
    with Rereader(FakeBackbone(), frames, _wanted(protocol), protocol) as rereader:
        rereader.reread(_occluded(frames, 5))
        assert [file.closed for file in files] == [False, True]
        assert rereader.bytes_on_disk == files[0].seek(0, 2) > 0
    assert files[0].closed
    with pytest.raises(ValueError, match="inside the context"):
        rereader.reread({})


def test_a_baseline_that_fails_leaves_no_file(frames: Frames, monkeypatch: pytest.MonkeyPatch) -> None:
    files, make = [], tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: files.append(make()) or files[-1])

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Rereader(FakeBackbone(), frames, _wanted(Protocol()), Protocol(), progress=stop)
    assert [file.closed for file in files] == [True]


def test_what_cannot_be_read_again_is_refused(frames: Frames) -> None:
    wanted = _wanted(Protocol(), ["final"])
    with Rereader(FakeBackbone(), frames, wanted, Protocol()) as rereader:
        for z in (-1, N):
            with pytest.raises(ValueError, match=f"slice {z} is not there: the scan has 18"):
                rereader.reread({z: frames[0]})
        for plane in (frames[0][:-1], frames[0].astype(float), frames[0].tolist()):
            with pytest.raises(ValueError, match="slice 3 must be a NumPy array, uint8"):
                rereader.reread({3: plane})
    for tolerance in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="tolerance must be a positive"):
            Rereader(FakeBackbone(), frames, wanted, Protocol(), tolerance=tolerance)
    with pytest.raises(ValueError, match="512 pixels"):
        Rereader(FakeBackbone(), frames, wanted, Protocol(resolution=512))
