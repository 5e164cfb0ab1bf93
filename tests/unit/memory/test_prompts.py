"""Prompts from the mask: what each kind shows of the region, and what it does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engram.memory.contract import Prompt
from engram.memory.prompts import SlicePrompts, points_inside, slice_prompts
from engram.memory.protocol import Protocol
from engram.roi.boxes import slice_boxes

SPACING = (3.0, 2.0, 1.0)
SHAPE = (60, 80)


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((9, *SHAPE), dtype=bool)
    for z in range(1, 8):
        mask[z, 20 + z : 40 + z, 30 : 50 + z] = True
    return mask


def _boxes(mask: np.ndarray, **choices: object) -> np.ndarray:
    return np.array([p.box for p in slice_prompts(mask, Protocol(**choices), SPACING).prompts])


def test_the_default_is_the_tight_box_of_every_second_slice(mask: np.ndarray) -> None:
    found, tight = slice_prompts(mask, Protocol(), SPACING), slice_boxes(mask, stride=2)
    assert found.slices.tolist() == tight.slices.tolist() == [1, 3, 5, 7]
    assert np.array_equal([p.box for p in found.prompts], tight.boxes)


def test_a_padded_box_grows_by_mm_on_each_side_and_stays_on_the_frame(mask: np.ndarray) -> None:
    tight, padded = _boxes(mask), _boxes(mask, prompt="padded_box", prompt_mm=10)
    assert np.array_equal(padded - tight, np.tile([-10, -5, 10, 5], (4, 1)))
    wide = _boxes(mask, prompt="padded_box", prompt_mm=500)
    assert np.array_equal(wide, np.tile([0, 0, SHAPE[1] - 1, SHAPE[0] - 1], (4, 1)))


def test_a_jittered_box_moves_by_its_sd_and_its_seed(mask: np.ndarray) -> None:
    tight = _boxes(mask, stride=1)
    moved = np.concatenate(
        [_boxes(mask, stride=1, prompt="jittered_box", prompt_mm=2, prompt_seed=s) - tight for s in range(60)]
    )
    assert np.allclose(moved.std(axis=0), [2, 1, 2, 1], rtol=0.15)
    assert np.abs(moved.mean(axis=0)).max() < 0.3
    again = _boxes(mask, prompt="jittered_box", prompt_seed=4)
    assert np.array_equal(again, _boxes(mask, prompt="jittered_box", prompt_seed=4))
    assert not np.array_equal(again, _boxes(mask, prompt="jittered_box", prompt_seed=5))


def test_a_random_box_keeps_the_size_and_tells_nothing_of_the_place(mask: np.ndarray) -> None:
    tight = _boxes(mask, stride=1)
    drawn = np.stack([_boxes(mask, stride=1, prompt="random_box", prompt_seed=s) for s in range(40)])
    assert np.allclose(drawn[..., 2:] - drawn[..., :2], tight[:, 2:] - tight[:, :2], atol=1e-4)
    assert drawn.min() >= 0
    assert (drawn[..., 2] <= SHAPE[1] - 1).all()
    assert (drawn[..., 3] <= SHAPE[0] - 1).all()
    assert np.ptp(drawn[:, :, 0]) > 40


def test_two_masks_draw_other_random_boxes(mask: np.ndarray) -> None:
    other = np.roll(mask, 1, axis=2)
    a, b = (_boxes(m, prompt="random_box") for m in (mask, other))
    assert not np.allclose(a, b)


def test_one_coarse_box_holds_the_region_on_every_slice(mask: np.ndarray) -> None:
    boxes, tight = _boxes(mask, prompt="coarse_box"), _boxes(mask)
    assert np.array_equal(boxes, np.tile([*tight[:, :2].min(axis=0), *tight[:, 2:].max(axis=0)], (4, 1)))


def test_a_mask_prompt_is_the_plane_itself(mask: np.ndarray) -> None:
    found = slice_prompts(mask, Protocol(prompt="mask"), SPACING)
    for z, prompt in zip(found.slices, found.prompts, strict=True):
        assert prompt.mask is not None
        assert np.array_equal(prompt.mask, mask[::-1][z])
        assert prompt.box is None


@pytest.mark.parametrize("n", [1, 3])
def test_points_lie_inside_and_apart(mask: np.ndarray, n: int) -> None:
    found = slice_prompts(mask, Protocol(prompt="points", points=n), SPACING)
    for z, prompt in zip(found.slices, found.prompts, strict=True):
        assert prompt.points is not None
        assert prompt.labels is not None
        assert prompt.points.shape == (n, 2)
        assert prompt.labels.tolist() == [1] * n
        columns, rows = prompt.points.astype(int).T
        assert mask[::-1][z][rows, columns].all()
        assert len({tuple(p) for p in prompt.points}) == n


def test_the_first_point_is_the_deepest_in_millimetres() -> None:
    plane = np.zeros((40, 40), dtype=bool)
    plane[5:12, 2:30] = True  # 7 rows of 2 mm are wider than
    plane[20:40, 30:38] = True  # 8 columns of 1 mm
    x, y = points_inside(plane, 1, SPACING)[0]
    assert plane[int(y), int(x)]
    assert int(y) == 8


def test_fewer_points_come_from_a_mask_of_fewer_pixels() -> None:
    plane = np.zeros((8, 8), dtype=bool)
    plane[3, 4] = True
    assert points_inside(plane, 3, SPACING).tolist() == [[4, 3]]


def test_a_prompt_is_points_or_a_mask() -> None:
    with pytest.raises(ValueError, match="either points with their labels or a mask"):
        Prompt()
    with pytest.raises(ValueError, match="either points with their labels or a mask"):
        Prompt(points=np.zeros((1, 2), np.float32))
    with pytest.raises(ValueError, match="a box is"):
        Prompt.of_box([1, 2, 3])
    with pytest.raises(ValueError, match="as many prompts"):
        SlicePrompts(np.arange(2), ())


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Prompt.of_points(np.zeros((0, 2))), "at least one point"),
        (lambda: Prompt.of_points([3, 4]), r"points must be \(k, 2\)"),
        (lambda: Prompt.of_points([[3, np.nan]]), "points must be finite"),
        (lambda: Prompt.of_points([[3, 4j]]), "points must be numbers, not complex128"),
        (lambda: Prompt(np.array([[1, np.inf]], np.float32), np.ones(1, np.int32)), "points must be finite"),
        (lambda: Prompt.of_box([5, 2, 4, 3]), "x0 <= x1 and y0 <= y1"),
        (lambda: Prompt.of_box([1, 2, 4, -np.inf]), "a box must be finite"),
        (lambda: Prompt.of_mask(np.ones((4, 4), np.uint8)), r"bool \(h, w\), not uint8 \(4, 4\)"),
        (lambda: Prompt.of_mask(np.ones((1, 4, 4), bool)), r"not bool \(1, 4, 4\)"),
        (lambda: Prompt.of_mask([[True]]), "not list"),
        (lambda: Prompt.of_mask(np.zeros((4, 4), bool)), "is empty"),
    ],
)
def test_a_prompt_that_shows_nothing_is_refused(make: Callable[[], Prompt], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        make()


def test_a_region_that_is_not_bool_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"must be bool \(z, y, x\), not uint8"):
        slice_prompts(mask.astype(np.uint8), Protocol(), SPACING)
