"""What a memory can and cannot know: the readings, and their sharing between regions."""

from __future__ import annotations

import numpy as np
import pytest

from engram.memory.backbone import Sam2Backbone
from engram.memory.propagation import MemoryTrace, trace
from engram.memory.protocol import Protocol
from engram.memory.study import final_memories
from engram.roi.boxes import SliceBoxes

N = 7


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (N, 40, 50)).astype(np.uint8)


@pytest.fixture(scope="module")
def boxes() -> np.ndarray:
    return np.array([[10 + i, 8, 30 + i, 28] for i in range(N)], dtype=np.float32)


def _read(mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray, prompting: str) -> MemoryTrace:
    return trace(mini, frames, boxes, Protocol(prompting=prompting))


def _occluded(frames: np.ndarray, z: int) -> np.ndarray:
    changed = frames.copy()
    changed[z] = 128
    return changed


def test_shapes_are_the_models_own(mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray) -> None:
    result = _read(mini, frames, boxes, "interleaved")
    side = mini.image_size // 16
    assert result.memory.shape == (N, 64, side, side)
    assert result.logits.shape == (N, 4 * side, 4 * side)
    assert result.pointers.shape == (N, 128)
    assert result.object_scores.shape == (N,)
    assert all(a.dtype == np.float32 for a in vars(result).values())


def test_prompting_all_gives_entries_that_know_only_their_own_slice(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray
) -> None:
    before, after = (_read(mini, f, boxes, "all") for f in (frames, _occluded(frames, 2)))
    same = [np.array_equal(before.memory[z], after.memory[z]) for z in range(N)]
    assert same == [z != 2 for z in range(N)]


@pytest.mark.parametrize("prompting", ["interleaved", "first"])
def test_memory_flows_down_the_body_and_never_up(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray, prompting: str
) -> None:
    before, after = (_read(mini, f, boxes, prompting) for f in (frames, _occluded(frames, 2)))
    changed = [not np.array_equal(before.logits[z], after.logits[z]) for z in range(N)]
    assert changed[:2] == [False, False]
    assert changed[2]
    assert changed[3], "the next slice attends to the memory of the occluded one"


def test_only_the_first_box_matters_when_the_rest_is_tracked(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray
) -> None:
    moved = boxes.copy()
    moved[1:] += 5
    before, after = (_read(mini, frames, b, "first") for b in (boxes, moved))
    assert np.array_equal(before.memory, after.memory)


def test_reading_twice_gives_the_same_bits(mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray) -> None:
    first, second = (_read(mini, frames, boxes, "interleaved") for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(vars(first).values(), vars(second).values(), strict=True))


@pytest.mark.parametrize("prompting", ["all", "interleaved", "first"])
def test_two_regions_share_the_encoding_and_keep_their_own_numbers(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray, prompting: str
) -> None:
    protocol = Protocol(prompting=prompting)
    regions = {
        "a": SliceBoxes(np.arange(0, N, 2), boxes[0:N:2]),
        "b": SliceBoxes(np.arange(1, 5), boxes[1:5] - 3),
    }
    together = final_memories(mini, frames, regions, protocol, entries=2)
    for name, read in regions.items():
        alone = trace(mini, frames[read.slices], read.boxes, protocol)
        assert np.array_equal(together[name].memory, alone.memory[-2:])
        assert np.array_equal(together[name].object_scores, alone.object_scores)
        assert together[name].slices.tolist() == read.slices.tolist()


def test_each_slice_is_encoded_once_for_all_regions(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    encode = mini.encode
    monkeypatch.setattr(mini, "encode", lambda frame: encoded.append(1) or encode(frame))
    regions = {name: SliceBoxes(np.arange(N), boxes) for name in ("a", "b", "c")}
    final_memories(mini, frames, regions, Protocol(), entries=2)
    assert len(encoded) == N


def test_a_region_of_one_slice_gives_one_entry(mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray) -> None:
    found = final_memories(mini, frames, {"a": SliceBoxes(np.array([3]), boxes[3:4])}, Protocol(), entries=2)
    assert found["a"].memory.shape[0] == 1


@pytest.mark.parametrize(
    ("frames", "boxes"),
    [
        (np.zeros((2, 8, 8), np.float32), np.zeros((2, 4))),
        (np.zeros((8, 8), np.uint8), np.zeros((1, 4))),
        (np.zeros((0, 8, 8), np.uint8), np.zeros((0, 4))),
        (np.zeros((2, 8, 8), np.uint8), np.zeros((3, 4))),
    ],
)
def test_wrong_shapes_are_refused(mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray) -> None:
    with pytest.raises(ValueError, match="must be"):
        trace(mini, frames, boxes, Protocol())


@pytest.mark.parametrize("wrong", [{"prompting": "some"}, {"stride": 0}, {"bank_dtype": "int8"}])
def test_a_protocol_that_does_not_exist_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Protocol(**wrong)


def test_protocols_are_hashable_and_their_digests_tell_them_apart() -> None:
    protocols = [Protocol(), Protocol(prompting="all"), Protocol(stride=1), Protocol(bank_dtype="bfloat16")]
    assert len({p.digest for p in protocols}) == len(set(protocols)) == 4
    assert Protocol().digest == Protocol().digest
