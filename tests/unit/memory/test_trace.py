"""What a memory can and cannot know: the readings, and their sharing between regions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engram.errors import StorageError
from engram.memory.backbone import Sam2Backbone
from engram.memory.contract import Prompt
from engram.memory.propagation import PropagationState
from engram.memory.protocol import Protocol
from engram.memory.tracing import MemoryTrace, trace

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
    assert result.object_scores.shape == result.ious.shape == (N,)
    assert result.order.tolist() == list(range(N))
    assert all(a.dtype == np.float32 for name, a in vars(result).items() if name != "order")


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


@pytest.mark.parametrize(("every", "same_as"), [(1, "interleaved"), (N, "first")])
def test_every_k_lies_between_interleaved_and_first(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray, every: int, same_as: str
) -> None:
    found = trace(mini, frames, boxes, Protocol(prompting="every_k", every=every))
    assert np.array_equal(found.memory, _read(mini, frames, boxes, same_as).memory)
    between = trace(mini, frames, boxes, Protocol(prompting="every_k", every=3))
    assert not np.array_equal(found.memory, between.memory)


def test_upwards_is_downwards_of_the_body_turned_over(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray
) -> None:
    up = trace(mini, frames, boxes, Protocol(direction="up"))
    turned = trace(mini, frames[::-1], boxes[::-1], Protocol())
    assert np.array_equal(up.memory, turned.memory[::-1])
    assert up.order.tolist() == list(range(N))[::-1]
    assert not np.array_equal(up.memory, trace(mini, frames, boxes, Protocol()).memory)


def test_both_ways_are_two_passes_that_know_nothing_of_each_other(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray
) -> None:
    both, down, up = (trace(mini, frames, boxes, Protocol(direction=d)) for d in ("both", "down", "up"))
    assert np.array_equal(both.memory, np.concatenate([down.memory, up.memory]))
    assert both.order.tolist() == [*range(N), *range(2 * N - 1, N - 1, -1)]


@pytest.mark.parametrize("prompting", ["all", "interleaved", "first", "every_k"])
@pytest.mark.parametrize("direction", ["down", "up"])
def test_a_pass_goes_on_from_any_slice_with_the_same_bits(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray, prompting: str, direction: str, tmp_path: Path
) -> None:
    protocol = Protocol(prompting=prompting, direction=direction, every=3)
    whole = trace(mini, frames, boxes, protocol)
    for place in range(1, N):
        saved = whole.state_before(place, mini.bank_length).save(tmp_path / "state.safetensors")
        state, rest = PropagationState.load(saved), np.sort(whole.order[place:])
        again = trace(mini, frames[rest], boxes[rest], protocol, state=state, n_slices=N)
        assert np.array_equal(again.memory, whole.memory[rest])
        assert np.array_equal(again.logits, whole.logits[rest])


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    path = PropagationState().save(tmp_path / "state.safetensors")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(StorageError, match=r"state\.safetensors: not the state of a propagation"):
        PropagationState.load(path)


def test_a_state_belongs_to_one_direction(mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray) -> None:
    with pytest.raises(ValueError, match="one direction at a time"):
        trace(mini, frames, boxes, Protocol(direction="both"), state=PropagationState())


def test_bfloat16_is_a_precision_of_its_own(mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray) -> None:
    exact, rounded = (trace(mini, frames, boxes, Protocol(precision=p)) for p in ("float32", "bfloat16"))
    error = np.linalg.norm(exact.memory - rounded.memory) / np.linalg.norm(exact.memory)
    assert 1e-4 < error < 0.3
    assert rounded.memory.dtype == np.float32


def test_another_resolution_than_the_models_is_refused(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray
) -> None:
    with pytest.raises(ValueError, match="512 pixels, but untrained-mini was loaded for 128"):
        trace(mini, frames, boxes, Protocol(resolution=512))


def test_prompts_of_another_kind_or_number_are_refused(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray
) -> None:
    with pytest.raises(ValueError, match="must be given prompts, not boxes"):
        trace(mini, frames, boxes, Protocol(prompt="mask"))
    with pytest.raises(ValueError, match="prompts must be 7, one a frame, not 2"):
        trace(mini, frames, [Prompt.of_box(box) for box in boxes[:2]], Protocol())


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompting": "some"}, {"every": 0}, {"prompt": "scribble"}, {"prompt_mm": -1.0}, {"points": 0},
        {"stride": 0}, {"direction": "left"}, {"precision": "int8"}, {"bank_dtype": "int8"}, {"prompt_seed": -1},
    ],
)  # fmt: skip
def test_a_protocol_that_does_not_exist_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Protocol(**wrong)


def test_protocols_are_hashable_and_their_digests_tell_them_apart() -> None:
    protocols = [
        Protocol(), Protocol(prompting="all"), Protocol(stride=1), Protocol(bank_dtype="bfloat16"),
        Protocol(prompting="every_k"), Protocol(prompting="every_k", every=4), Protocol(prompt="padded_box"),
        Protocol(prompt="padded_box", prompt_mm=5), Protocol(prompt="random_box"),
        Protocol(prompt="random_box", prompt_seed=1), Protocol(prompt="points"),
        Protocol(prompt="points", points=1), Protocol(direction="up"),
        Protocol(precision="bfloat16"), Protocol(resolution=512),
    ]  # fmt: skip
    assert len({p.digest for p in protocols}) == len(set(protocols)) == len(protocols)
    assert Protocol().digest == Protocol().digest


def test_what_decides_no_number_changes_no_digest() -> None:
    assert Protocol(every=3, points=5, prompt_mm=2, prompt_seed=9).digest == Protocol().digest
