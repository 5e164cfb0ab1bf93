"""What of a region becomes its vector."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.encoders.contract import Encoder, Float32
from engram.encoders.pooling import read_region
from engram.encoders.reading import Reading
from engram.encoders.weights import check_encoder, load_encoder
from engram.memory.contract import Frames

MIDDLE = Reading(stride=2, slices=3, masked=True)


class _Grey:
    """Its map is the frame itself and twice the frame, in two channels."""

    name, digest, untrained, verified, licence, image_size = "grey", "0" * 64, True, False, None, 12
    recipe: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self.seen: list[Frames] = []

    def encode(self, frames: Frames) -> Float32:
        self.seen.append(frames)
        return np.stack([frames, 2.0 * frames], axis=1).astype(np.float32)


@pytest.fixture
def frames() -> Frames:
    return np.random.default_rng(3).integers(1, 255, (14, 12, 12)).astype(np.uint8)


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((14, 12, 12), bool)
    for z in range(1, 12):  # frames 12 to 2, each with a plane of its own
        mask[z, 3 : 4 + z // 2, 4:9] = True
        mask[z, 2, z % 7] = True
    return mask


@pytest.mark.parametrize(
    ("reading", "slices"),
    [
        (MIDDLE, [4, 6, 8]),  # of 2, 4, ..., 12 the middle is 7
        (Reading(1, 4, True), [5, 6, 7, 8]),
        (Reading(1, 1, True), [7]),
        (Reading(2, None, True), [2, 4, 6, 8, 10, 12]),
        (Reading(3, 99, False), [2, 5, 8, 11]),
    ],
)
def test_the_slices_nearest_the_middle_of_the_region_are_read(
    reading: Reading, slices: list[int], mask: np.ndarray
) -> None:
    np.testing.assert_array_equal(reading.choose(mask), slices)


def test_a_masked_reading_is_the_mean_of_frames_black_outside(frames: Frames, mask: np.ndarray) -> None:
    black = np.where(mask[::-1], frames, 0)[[4, 6, 8]].astype(float)
    found = read_region(_Grey(), frames, mask, MIDDLE)
    np.testing.assert_allclose(found, [black.mean(), 2 * black.mean()], rtol=1e-6)
    assert found.dtype == np.float32


def test_an_unmasked_reading_sees_the_frame_and_is_the_mean_inside(frames: Frames, mask: np.ndarray) -> None:
    encoder, reading = _Grey(), Reading(2, None, False)
    found = read_region(encoder, frames, mask, reading, batch=4)
    chosen = [2, 4, 6, 8, 10, 12]
    inside = frames[chosen][mask[::-1][chosen]].astype(float)
    np.testing.assert_allclose(found, [inside.mean(), 2 * inside.mean()], rtol=1e-6)
    np.testing.assert_array_equal(np.concatenate(encoder.seen), frames[chosen])


def test_progress_ends_with_all_slices(frames: Frames, mask: np.ndarray) -> None:
    told: list[tuple[int, int]] = []
    read_region(_Grey(), frames, mask, MIDDLE, batch=2, progress=lambda *share: told.append(share))
    assert told == [(2, 3), (3, 3)]


@pytest.mark.parametrize("kind", ["resnet50", "vit"])
def test_nothing_outside_the_region_changes_a_masked_vector(
    kind: str, folders: dict[str, Path], frames: Frames, mask: np.ndarray
) -> None:
    encoder: Encoder = load_encoder(check_encoder(kind, folders[kind]))
    other = np.where(mask[::-1], frames, 255 - frames).astype(np.uint8)
    before, after = (read_region(encoder, shown, mask, MIDDLE) for shown in (frames, other))
    np.testing.assert_array_equal(before, after)
    bare = Reading(2, 3, False)
    assert not np.array_equal(read_region(encoder, frames, mask, bare), read_region(encoder, other, mask, bare))
    inside = np.where(mask[::-1], 255 - frames, frames).astype(np.uint8)
    assert not np.array_equal(before, read_region(encoder, inside, mask, MIDDLE))


def test_every_setting_is_in_the_recipe() -> None:
    readings = [MIDDLE, Reading(1, 3, True), Reading(2, None, True), Reading(2, 3, False)]
    assert len({reading.digest for reading in readings}) == 4
    assert len({reading.words for reading in readings}) == 4
