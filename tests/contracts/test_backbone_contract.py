"""What the engine relies on, of every adapter and of the fake."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engram.memory import Protocol, trace
from engram.memory.contract import Backbone, BankEntry, Prompt, Reading, Recall

SHAPE = (40, 50)
BOX = Prompt.of_box([10, 8, 30, 28])
PLANE = np.zeros(SHAPE, dtype=bool)
PLANE[8:29, 10:31] = True
PROMPTS = {"box": BOX, "points": Prompt.of_points([[20, 18], [25, 20]]), "click": Prompt.of_points([[20, 18]]),
           "mask": Prompt.of_mask(PLANE)}  # fmt: skip
FIELDS = ("memory", "pointer", "logits", "object_score", "iou")


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (4, *SHAPE)).astype(np.uint8)


def _same(a: Reading, b: Reading) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in FIELDS)


def _recall(reading: Reading, distance: int = 1) -> Recall:
    return Recall([BankEntry(reading.memory, reading.pointer, distance)], [], slices_in_study=4)


def test_it_says_what_it_is(backbone: Backbone) -> None:
    assert backbone.name
    assert backbone.digest
    assert isinstance(backbone.untrained, bool)
    assert backbone.image_size > 0
    assert backbone.bank_length >= backbone.memory_length > 0
    assert isinstance(backbone.device, torch.device)


def test_a_batch_gives_features_of_each_frame(backbone: Backbone, frames: np.ndarray) -> None:
    together, alone = backbone.encode(frames), [backbone.encode(frame[None])[0] for frame in frames]
    assert len(together) == len(frames)
    for a, b in zip(together, alone, strict=True):
        assert len(a.levels) == len(b.levels)
        for level_a, level_b in zip((*a.levels, a.position), (*b.levels, b.position), strict=True):
            assert level_a.shape == level_b.shape
            torch.testing.assert_close(level_a, level_b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [*PROMPTS, None])
def test_a_reading_is_finite_float32_of_one_shape(backbone: Backbone, frames: np.ndarray, kind: str | None) -> None:
    features = backbone.encode(frames[:2])
    first = backbone.read(features[0], BOX, None, SHAPE)
    prompt = PROMPTS[kind] if kind else None
    for recall in (None, _recall(first)):
        reading = backbone.read(features[1], prompt, recall, SHAPE)
        for name in FIELDS:
            value = getattr(reading, name)
            assert value.dtype == torch.float32
            assert value.shape == getattr(first, name).shape
            assert bool(torch.isfinite(value).all())
    assert first.memory.ndim == 3
    assert first.logits.ndim == 2
    assert first.pointer.ndim == 1
    assert first.object_score.ndim == first.iou.ndim == 0


def test_reading_changes_nothing_and_gives_the_same_bits_again(backbone: Backbone, frames: np.ndarray) -> None:
    features = backbone.encode(frames[:1])[0]
    before = [level.clone() for level in features.levels]
    first, second = (backbone.read(features, BOX, None, SHAPE) for _ in range(2))
    assert _same(first, second)
    assert all(torch.equal(a, b) for a, b in zip(before, features.levels, strict=True))


def test_the_prompt_matters_and_so_does_what_is_recalled(backbone: Backbone, frames: np.ndarray) -> None:
    features = backbone.encode(frames[:3])
    moved = Prompt.of_box([30, 20, 48, 38])
    here, there = (backbone.read(features[0], prompt, None, SHAPE) for prompt in (BOX, moved))
    assert not torch.equal(here.logits, there.logits)
    read = [backbone.read(features[2], BOX, recall, SHAPE) for recall in (None, _recall(here), _recall(there))]
    assert len({tuple(r.pointer.tolist()) for r in read}) == 3


def test_no_slice_reaches_further_than_the_bank_is_long(backbone: Backbone, frames: np.ndarray) -> None:
    """With every other way cut, a slice before the bank's reach may change nothing: the engine forgets it."""
    features = backbone.encode(frames[:2])
    old, new = (backbone.read(f, BOX, None, SHAPE) for f in features)
    entry = BankEntry(new.memory, new.pointer, 60)
    beyond = BankEntry(old.memory, old.pointer, backbone.bank_length + 1)
    within = BankEntry(old.memory, old.pointer, 1)
    read = [
        backbone.read(features[1], BOX, Recall([entry], tracked, slices_in_study=100), SHAPE)
        for tracked in ([], [beyond], [within])
    ]
    assert _same(read[0], read[1])
    assert not _same(read[0], read[2])


def test_memories_are_attended_to_no_further_than_it_says(backbone: Backbone, frames: np.ndarray) -> None:
    """Beyond that, a slice is known by its pointer alone: re-reading takes it as it was where that is the same."""
    features = backbone.encode(frames[:2])
    old, new = (backbone.read(f, BOX, None, SHAPE) for f in features)

    def read(memory: torch.Tensor, distance: int) -> Reading:
        first, later = BankEntry(new.memory, new.pointer, 60), BankEntry(memory, old.pointer, distance)
        return backbone.read(features[1], None, Recall([first], [later], slices_in_study=100), SHAPE)

    beyond, within = backbone.memory_length + 1, backbone.memory_length
    assert _same(read(old.memory, beyond), read(old.memory + 1, beyond))
    assert not _same(read(old.memory, within), read(old.memory + 1, within))


def test_every_prompting_runs_through_the_engine(backbone: Backbone, frames: np.ndarray) -> None:
    boxes = np.tile([10, 8, 30, 28], (4, 1))
    for prompting in ("all", "interleaved", "first", "every_k"):
        found = trace(backbone, frames, boxes, Protocol(prompting=prompting, every=2))
        assert len(found.memory) == 4
        assert np.isfinite(found.memory).all()
