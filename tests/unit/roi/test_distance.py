import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from engram.roi import distance
from engram.roi.distance import around, closed, grown, padded_crop, paste, shrunk

SPACINGS = st.tuples(*[st.floats(0.5, 6.0) for _ in range(3)])


def speckled(seed: int, shape: tuple[int, int, int] = (14, 11, 12), share: float = 0.03) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), spacing=SPACINGS, radius=st.floats(0.1, 12.0), height=st.integers(1, 6))
def test_slabs_give_the_result_of_the_whole(seed, spacing, radius, height):
    mask, whole = speckled(seed), pytest.MonkeyPatch()
    thick = ~speckled(seed, share=0.1)
    with whole.context() as patch:
        patch.setattr(distance, "_SLAB_VOXELS", height * mask.shape[1] * mask.shape[2])
        slabs = grown(mask, radius, spacing), shrunk(thick, radius, spacing)
    if mask.any():
        reached = ndimage.distance_transform_edt(~mask, sampling=spacing) <= radius
        np.testing.assert_array_equal(slabs[0], reached)
    np.testing.assert_array_equal(slabs[1], ndimage.distance_transform_edt(thick, sampling=spacing) > radius)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), spacing=SPACINGS, radii=st.tuples(st.floats(0, 9), st.floats(0, 9)))
def test_growing_is_monotone_in_millimetres(seed, spacing, radii):
    mask = speckled(seed)
    less, more = (grown(mask, radius, spacing) for radius in sorted(radii))
    assert not (mask & ~less).any()
    assert not (less & ~more).any()
    kept, fewer = (shrunk(~mask, radius, spacing) for radius in sorted(radii))
    assert not (fewer & ~kept).any()


@settings(max_examples=20, deadline=None)
@given(
    spacing=st.tuples(*[st.floats(1.5, 6.0)] * 3),
    radius=st.floats(4.0, 12.0),
    change=st.sampled_from(["grown", "shrunk"]),
)
def test_what_voxels_there_are_matters_by_less_than_a_voxel(spacing, radius, change):
    """A block of 30 mm, grown or shrunk on any grid, ends within a voxel of where the millimetres say."""
    size = [int(70 / side) for side in spacing]
    places = [(np.arange(n) + 0.5) * side for n, side in zip(size, spacing, strict=True)]
    block = np.logical_and.reduce(np.meshgrid(*[abs(p - 35) <= 15 for p in places], indexing="ij"))
    done = {"grown": grown, "shrunk": shrunk}[change](block, radius, spacing)
    for axis, (place, side) in enumerate(zip(places, spacing, strict=True)):
        others = tuple({0, 1, 2} - {axis})
        before, after = (place[mask.any(axis=others)].max() for mask in (block, done))
        expected = before + radius if change == "grown" else before - radius
        assert abs(after - expected) <= side + 1e-6


def test_nothing_to_grow_or_to_shrink():
    empty, full = np.zeros((4, 5, 6), bool), np.ones((4, 5, 6), bool)
    assert not grown(empty, 5.0, (1, 1, 1)).any()
    assert shrunk(full, 5.0, (1, 1, 1)).all()
    assert grown(full, 0.0, (1, 1, 1)) is full


def test_the_edge_of_the_scan_is_not_shrunk():
    mask = np.zeros((10, 10, 10), bool)
    mask[:, 2:, 2:] = True
    kept = shrunk(mask, 1.0, (1, 1, 1))
    assert kept[0, 5, 5]
    assert kept[9, 9, 9]
    assert not kept[:, 2].any()


def test_closing_only_adds():
    mask = np.pad(speckled(3), 6)
    assert closed(mask, 3.0, (1.0, 1.0, 1.0))[mask].all()


def test_a_crop_goes_back_where_it_came_from():
    mask = np.zeros((6, 7, 8), bool)
    mask[0:2, 3, 6:8] = True
    box = (slice(0, 2), slice(3, 4), slice(6, 8))
    crop, margin = padded_crop(mask, box, 2.5, (1.0, 5.0, 1.0))
    assert (margin, crop.shape) == ((4, 2, 4), (10, 5, 10))
    back = np.zeros_like(mask)
    paste(back, crop, box, margin)
    np.testing.assert_array_equal(back, mask)
    assert around(box, 2.5, (1.0, 5.0, 1.0), mask.shape) == (slice(0, 6), slice(1, 6), slice(2, 8))
