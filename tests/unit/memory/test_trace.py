"""What a memory can and cannot know: the readings, and their sharing between regions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engram.memory.backbone import Sam2Backbone
from engram.memory.contract import Prompt
from engram.memory.propagation import PropagationState
from engram.memory.protocol import Protocol
from engram.memory.tracing import MemoryTrace, trace

N = 7
FIELDS = ("memory", "logits", "pointers", "object_scores", "ious")


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
    assert all(getattr(result, name).dtype == np.float32 for name in FIELDS)


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
    assert all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in vars(first) if name != "start"
    )


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


@pytest.mark.parametrize("prompting", ["all", "interleaved", "first", "every_k"])
@pytest.mark.parametrize("direction", ["down", "up"])
def test_a_resumed_pass_is_resumed_again_with_the_same_bits(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray, prompting: str, direction: str
) -> None:
    protocol = Protocol(prompting=prompting, direction=direction, every=3)
    whole = trace(mini, frames, boxes, protocol)
    middle = np.sort(whole.order[2:5])
    first = whole.state_before(2, mini.bank_length)
    second = trace(mini, frames[middle], boxes[middle], protocol, state=first, n_slices=N)
    for place in range(4):
        state, rest = second.state_before(place, mini.bank_length), np.sort(whole.order[2 + place :])
        assert state.n_read == 2 + place
        again = trace(mini, frames[rest], boxes[rest], protocol, state=state, n_slices=N)
        for name in FIELDS:
            assert np.array_equal(getattr(again, name), getattr(whole, name)[rest])


def test_a_pass_that_keeps_nothing_is_resumed_from_its_count_alone(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray
) -> None:
    read = trace(mini, frames[3:], boxes[3:], Protocol(prompting="all"), state=PropagationState(3), n_slices=N)
    state = read.state_before(2, mini.bank_length)
    assert (state.n_read, state.first, state.tracked) == (5, None, ())


def test_a_state_that_does_not_exist_is_refused(mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray) -> None:
    down, both = (trace(mini, frames[:1], boxes[:1], Protocol(direction=d)) for d in ("down", "both"))
    with pytest.raises(ValueError, match="one direction at a time, not both"):
        both.state_before(1, mini.bank_length)
    for place in (-1, 2):
        with pytest.raises(ValueError, match=f"place must be 0 to 1, .* not {place}"):
            down.state_before(place, mini.bank_length)
    with pytest.raises(ValueError, match="bank_length must be at least 1"):
        down.state_before(1, 0)


def test_a_longer_bank_than_the_state_keeps_is_refused(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray
) -> None:
    short = trace(mini, frames[:4], boxes[:4], Protocol()).state_before(4, 1)
    rest = trace(mini, frames[4:], boxes[4:], Protocol(), state=short, n_slices=N)
    assert rest.state_before(2, 1).n_read == 6
    with pytest.raises(ValueError, match="keeps 1 later slices, but a bank of 2 needs 2"):
        rest.state_before(2, 2)


@pytest.mark.parametrize("n_slices", [None, 0, N - 1])
def test_a_pass_has_no_fewer_slices_than_are_read(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray, n_slices: int | None
) -> None:
    state = trace(mini, frames[:3], boxes[:3], Protocol()).state_before(3, mini.bank_length)
    with pytest.raises(ValueError, match=r"n_slices must be at least 7 \(3 read before and 4 now\)"):
        trace(mini, frames[3:], boxes[3:], Protocol(), state=state, n_slices=n_slices)


def test_views_of_frames_are_read_as_their_copies(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray
) -> None:
    large = np.zeros((N, 100, 80), dtype=np.uint8).transpose(0, 2, 1)
    large[:, ::2, ::2] = frames
    view = large[:, ::2, ::2]
    assert not view.flags.c_contiguous
    assert np.array_equal(
        trace(mini, view, boxes, Protocol()).memory, trace(mini, frames, boxes, Protocol()).memory
    )


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


def test_a_batch_holds_a_slice(mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray) -> None:
    for batch in (0, -1):
        with pytest.raises(ValueError, match=f"batch must be at least 1 slice, not {batch}"):
            trace(mini, frames, boxes, Protocol(), batch=batch)


@pytest.mark.parametrize(
    ("box", "what"),
    [
        ([np.nan, 8, 30, 28], r"boxes must be finite: \[nan\]"),
        ([10, 8, np.inf, 28], r"boxes must be finite: \[inf\]"),
        ([10, 8, 1e300, 28], "boxes must be finite"),
        ([10, 8, 30j, 28], "boxes must be numbers, not complex128"),
        (["10", "8", "30", "28"], "boxes must be numbers"),
        ([30, 8, 10, 28], "x0 <= x1 and y0 <= y1"),
        ([10, 28, 30, 8], "x0 <= x1 and y0 <= y1"),
        ([50, 8, 60, 28], "prompt 0 lies outside its frame of 50 x 40 pixels: x 50 to 60, y 8 to 28"),
        ([10, 40, 30, 44], "prompt 0 lies outside"),
        ([-9, 8, -1, 28], "prompt 0 lies outside"),
        ([10, -9, 30, -1], "prompt 0 lies outside"),
    ],
)
def test_a_box_that_is_none_is_refused(
    mini: Sam2Backbone, frames: np.ndarray, box: list[object], what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        trace(mini, frames[:1], [box], Protocol())


def test_a_box_may_reach_over_the_edge_of_the_frame(mini: Sam2Backbone, frames: np.ndarray) -> None:
    assert len(trace(mini, frames[:1], [[-5, -5, 60, 60]], Protocol()).memory) == 1


@pytest.mark.parametrize(
    ("prompt", "kind", "what"),
    [
        (
            Prompt.of_mask(np.ones((40, 50), dtype=bool)),
            "box",
            "prompt 0 is of kind mask; protocol.prompt 'box'",
        ),
        (Prompt.of_box([1, 2, 3, 4]), "mask", "prompt 0 is of kind box; protocol.prompt 'mask'"),
        (Prompt.of_box([1, 2, 3, 4]), "points", "prompt 0 is of kind box; protocol.prompt 'points'"),
        (Prompt.of_points([[1, 2]]), "coarse_box", "prompt 0 is of kind points; protocol.prompt 'coarse_box'"),
        (
            Prompt.of_mask(np.ones((50, 40), dtype=bool)),
            "mask",
            r"mask of prompt 0 is \(50, 40\), its frame \(40, 50\)",
        ),
        (Prompt.of_points([[50, 2]]), "points", "prompt 0 lies outside"),
    ],
)
def test_a_prompt_that_the_protocol_does_not_declare_is_refused(
    mini: Sam2Backbone, frames: np.ndarray, prompt: Prompt, kind: str, what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        trace(mini, frames[:1], [prompt], Protocol(prompt=kind))


def test_prompts_mixed_with_boxes_are_refused(mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray) -> None:
    for mixed in ([Prompt.of_box(boxes[0]), boxes[1]], [boxes[0], Prompt.of_box(boxes[1])]):
        with pytest.raises(ValueError, match=r"mixed: no prompt is [01] \(ndarray\)"):
            trace(mini, frames[:2], mixed, Protocol())


def test_frames_that_are_no_array_are_refused(mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"frames must be a NumPy array, .* not list"):
        trace(mini, frames.tolist(), boxes, Protocol())


@pytest.mark.parametrize(
    ("frames", "boxes"),
    [
        (np.zeros((2, 0, 8), np.uint8), np.zeros((2, 4))),
        (np.zeros((2, 8, 0), np.uint8), np.zeros((2, 4))),
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
        {"stride": True}, {"stride": 2.0}, {"every": 3.0}, {"points": np.int64(3)}, {"prompt_seed": False},
        {"resolution": 512.0}, {"resolution": True}, {"stride": None},
        {"prompt_mm": np.nan}, {"prompt_mm": np.inf}, {"prompt_mm": "5"}, {"prompt_mm": True},
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


@pytest.mark.parametrize("same", [5, np.float32(5), np.int64(5)])
def test_a_length_has_one_digest_however_its_number_is_written(same: float) -> None:
    assert Protocol(prompt="padded_box", prompt_mm=same) == Protocol(prompt="padded_box", prompt_mm=5.0)
    assert _padded_digest(same) == _padded_digest(5.0) != _padded_digest(5.5)
    assert _padded_digest(-0.0) == _padded_digest(0.0)


def _padded_digest(mm: float) -> str:
    return Protocol(prompt="padded_box", prompt_mm=mm).digest


def test_every_slice_prompted_has_one_digest_by_either_name() -> None:
    assert Protocol(prompting="every_k", every=1).digest == Protocol(prompting="interleaved").digest
    assert Protocol(prompting="every_k", every=2).digest != Protocol(prompting="interleaved").digest
