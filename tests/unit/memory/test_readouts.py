"""Read-outs against plain numpy over the whole trace."""

from __future__ import annotations

import numpy as np
import pytest

from engram.memory.drawn import coverage, drawn_mask
from engram.memory.engine import Wanted, read_regions
from engram.memory.fake import FakeBackbone
from engram.memory.prompts import slice_prompts
from engram.memory.protocol import Protocol
from engram.memory.quality import DrawnQuality, drawn_planes, quality
from engram.memory.readouts import AREA_BINS, Arrays, Region, read_out
from engram.memory.tracing import MemoryTrace, trace
from engram.roi.anatomy import PARTS, part_map
from engram.roi.masks import bone_map

N, SHAPE, SPACING = 10, (48, 56), (4.0, 2.0, 1.5)
PROTOCOL = Protocol(stride=1)
SCHEME = "totalsegmentator-2/total"


@pytest.fixture(scope="module")
def region() -> Region:
    mask, labels = np.zeros((2, N, *SHAPE), dtype=int)
    mask[2:9, 10:30, 20:41] = 1
    labels[2:5, 10:30, 20:30] = 31  # L1
    labels[5:9, 10:20, 20:41] = 50  # C1
    plane = mask.astype(bool)
    return Region(
        slice_prompts(plane, PROTOCOL, SPACING), plane, SPACING, part_map(bone_map(labels, scheme=SCHEME))
    )


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (N, *SHAPE)).astype(np.uint8)


@pytest.fixture(scope="module")
def whole(region: Region, frames: np.ndarray) -> MemoryTrace:
    return trace(FakeBackbone(), frames[region.prompts.slices], region.prompts.prompts, PROTOCOL)


@pytest.fixture(scope="module")
def found(region: Region, frames: np.ndarray) -> dict[str, Arrays]:
    names = ("final", "volume_map", "volume", "roi", "regions", "pointers", "scores", "area")
    wanted = Wanted(region, (*(read_out(name, final_entries=3) for name in names), quality()))
    return read_regions(FakeBackbone(), frames, {"a": wanted}, PROTOCOL)["a"]


def _moments(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mean = np.average(values, axis=1, weights=weights)
    sd = np.sqrt(np.average((values - mean[:, None]) ** 2, axis=1, weights=weights))
    return np.concatenate([mean, sd, values[:, weights > 0].max(axis=1)])


def test_final_keeps_the_last_entries_oldest_first(found: dict[str, Arrays], whole: MemoryTrace) -> None:
    assert np.array_equal(found["final"]["memory"], whole.memory[-3:])


def test_the_volume_map_is_the_mean_over_slices(found: dict[str, Arrays], whole: MemoryTrace) -> None:
    np.testing.assert_allclose(found["volume_map"]["memory"], whole.memory.mean(axis=0)[None], rtol=1e-6)


def test_volume_sees_every_pixel_of_every_slice(found: dict[str, Arrays], whole: MemoryTrace) -> None:
    values = whole.memory.transpose(1, 0, 2, 3).reshape(whole.memory.shape[1], -1)
    np.testing.assert_allclose(found["volume"]["vector"], _moments(values, np.ones(values.shape[1])), rtol=1e-5)


def test_roi_sees_the_region_alone(found: dict[str, Arrays], whole: MemoryTrace, region: Region) -> None:
    grid = whole.memory.shape[2:]
    weights = np.stack([coverage(region.plane(z), grid) for z in region.prompts.slices]).ravel()
    values = whole.memory.transpose(1, 0, 2, 3).reshape(whole.memory.shape[1], -1)
    np.testing.assert_allclose(found["roi"]["vector"], _moments(values, weights), rtol=1e-5)
    assert not np.allclose(found["roi"]["vector"], found["volume"]["vector"], rtol=1e-3)


def test_regions_keeps_parts_apart_and_says_nan_where_there_is_none(
    found: dict[str, Arrays], whole: MemoryTrace, region: Region
) -> None:
    channels, grid = whole.memory.shape[1], whole.memory.shape[2:]
    vectors = found["regions"]["vector"].reshape(len(PARTS), 3 * channels)
    present = [PARTS[i] for i in range(len(PARTS)) if np.isfinite(vectors[i]).all()]
    assert present == ["cervical spine", "lumbar spine"]
    assert np.isnan(vectors[0]).all()
    lumbar = PARTS.index("lumbar spine")
    weights = [
        coverage((region.part_plane(z) == lumbar + 1) & region.plane(z), grid) for z in region.prompts.slices
    ]
    values = whole.memory.transpose(1, 0, 2, 3).reshape(channels, -1)
    np.testing.assert_allclose(vectors[lumbar], _moments(values, np.stack(weights).ravel()), rtol=1e-5)


def test_regions_without_a_label_map_is_refused(region: Region, frames: np.ndarray) -> None:
    bare = Wanted(Region(region.prompts, region.mask, SPACING), (read_out("regions"),))
    with pytest.raises(ValueError, match=r"needs a label map: set images\.labels"):
        read_regions(FakeBackbone(), frames, {"a": bare}, PROTOCOL)


def test_pointers_and_scores_are_moments_over_slices(found: dict[str, Arrays], whole: MemoryTrace) -> None:
    np.testing.assert_allclose(found["pointers"]["vector"], _moments(whole.pointers.T, np.ones(7)), rtol=1e-5)
    expected = [f(x) for x in (whole.object_scores, whole.ious) for f in (np.mean, np.std, np.min)]
    np.testing.assert_allclose(found["scores"]["vector"], expected, rtol=1e-5)


def test_area_follows_the_drawn_mask_down_the_region(found: dict[str, Arrays], whole: MemoryTrace) -> None:
    import torch

    areas = [drawn_mask(torch.from_numpy(logits), SHAPE).sum() * 2.0 * 1.5 / 100 for logits in whole.logits]
    curve = found["area"]["vector"]
    assert curve.shape == (AREA_BINS,)
    np.testing.assert_allclose(curve[0], np.interp(0.5 / AREA_BINS * 6, range(7), areas), rtol=1e-5)
    assert min(areas) - 1e-6 <= curve.min() <= curve.max() <= max(areas) + 1e-6


def test_quality_is_the_dice_of_what_was_drawn(
    found: dict[str, Arrays], whole: MemoryTrace, region: Region
) -> None:
    import torch

    told = DrawnQuality.of(found["quality"])
    drawn = [drawn_mask(torch.from_numpy(logits), SHAPE) for logits in whole.logits]
    planes = [region.plane(z) for z in region.prompts.slices]
    dice = [2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in zip(drawn, planes, strict=True)]
    np.testing.assert_allclose(told.dice, dice)
    both = sum((a & b).sum() for a, b in zip(drawn, planes, strict=True))
    assert told.overall_dice == pytest.approx(2 * both / (np.sum(drawn) + np.sum(planes)))
    assert told.slices.tolist() == region.prompts.slices.tolist()
    assert np.array_equal(drawn_planes(found["quality"]), whole.logits > 0)


@pytest.mark.parametrize("shape", [(62, 40), (8, 109), (3, 5), (32, 64)])
def test_coverage_is_the_exact_share_of_each_cell(shape: tuple[int, int]) -> None:
    plane, grid = np.random.default_rng(0).random(shape) < 0.4, (8, 16)
    # Cut every pixel into as many pieces as there are cells, so that cells are whole numbers of pieces.
    fine = np.kron(plane, np.ones(grid)).reshape(grid[0], shape[0], grid[1], shape[1])
    found = coverage(plane, grid)
    np.testing.assert_allclose(found, fine.mean(axis=(1, 3)), atol=1e-12)
    assert found.mean() == pytest.approx(plane.mean())


def test_parts_are_named_by_the_scheme() -> None:
    labels = np.array([0, 25, 27, 32, 44, 50, 69, 71, 73, 75, 77, 91, 92, 116, 117, 79])
    parts = part_map(bone_map(labels[None, None], scheme=SCHEME))[0, 0]
    names = ["none" if i == 0 else PARTS[i - 1] for i in parts]
    assert names == [
        "none", "sacrum and pelvis", "lumbar spine", "thoracic spine", "cervical spine", "cervical spine",
        "limbs", "shoulder girdle", "shoulder girdle", "limbs", "sacrum and pelvis",
        "skull", "ribs and sternum", "ribs and sternum", "none", "none",
    ]  # fmt: skip
