"""The grid of patches: inside the region, over all of it, the same for the same study; and its frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.explain.patches import Patch, fill_value, occluded_planes, patch_grid
from engram.imaging.frames import to_frames
from engram.imaging.volume import Grid, Volume

SPACING = (3.0, 2.0, 2.0)


def thin_curve() -> np.ndarray:
    """A rib, more or less: one voxel thick, bent through the volume, from a spine."""
    mask = np.zeros((20, 30, 30), bool)
    mask[3:15, 12:18, 0:6] = True
    for i in range(60):
        angle = i / 60 * np.pi
        mask[5 + i // 8, int(14 + 12 * np.sin(angle)), int(14 + 12 * np.cos(angle))] = True
    return mask


def covered(patches: list[Patch], shape: tuple[int, ...]) -> np.ndarray:
    seen = np.zeros(shape, bool)
    for patch in patches:
        seen[patch.box] = True
    return seen


masks = st.builds(
    lambda shape, share, seed: np.random.default_rng(seed).random(shape) < share,
    st.tuples(*[st.integers(1, 14)] * 3),
    st.sampled_from([0.005, 0.1, 0.9]),
    st.integers(0, 2**32 - 1),
).filter(np.any)
lengths = st.tuples(*[st.floats(0.5, 40)] * 3)
spacings = st.tuples(*[st.floats(0.5, 10)] * 3)


@settings(deadline=None, max_examples=80)
@given(masks, spacings, lengths, st.floats(0.1, 1))
def test_patches_have_their_centres_inside_and_cover_the_whole_region(mask, spacing, patch_mm, share) -> None:
    stride_mm = tuple(share * side for side in patch_mm)
    patches = patch_grid(mask, spacing, patch_mm=patch_mm, stride_mm=stride_mm)
    assert all(mask[patch.centre] for patch in patches)
    assert covered(patches, mask.shape)[mask].all()
    assert [patch.number for patch in patches] == list(range(len(patches)))
    assert len({patch.centre for patch in patches}) == len(patches)
    tops = [patch.centre[0] for patch in patches]
    assert tops == sorted(tops, reverse=True)


@settings(deadline=None, max_examples=40)
@given(masks, spacings, lengths, lengths)
def test_there_is_always_a_patch_and_the_literal_grid_is_a_part_of_the_complete_one(
    mask, spacing, patch_mm, stride_mm
) -> None:
    how = {"patch_mm": patch_mm, "stride_mm": stride_mm}
    literal = patch_grid(mask, spacing, complete=False, **how)
    assert len(literal) >= 1
    assert all(mask[patch.centre] for patch in literal)
    on_grid = [patch.centre for patch in patch_grid(mask, spacing, **how) if patch.on_grid]
    assert on_grid == [patch.centre for patch in literal if patch.on_grid]


def test_lengths_are_millimetres_whatever_the_voxels() -> None:
    for spacing, size in (
        ((3.0, 2.0, 2.0), (4, 6, 6)),
        ((6.0, 1.0, 4.0), (2, 12, 3)),
        ((7.0, 50.0, 8.1), (2, 1, 1)),
    ):
        patches = patch_grid(np.ones((24, 24, 24), bool), spacing, patch_mm=(12, 12, 12), stride_mm=(12, 12, 12))
        sizes = {tuple(part.stop - part.start for part in patch.box) for patch in patches}
        assert sizes == {size}
        assert len(patches) == np.prod([24 // n for n in size])


def test_the_grid_moves_with_the_region() -> None:
    mask = np.zeros((30, 40, 40), bool)
    mask[4:13, 5:20, 6:17] = True
    how = {"patch_mm": (9.0, 8.0, 8.0), "stride_mm": (6.0, 4.0, 6.0)}
    here = patch_grid(mask, SPACING, **how)
    there = patch_grid(np.roll(mask, (7, 11, 3), axis=(0, 1, 2)), SPACING, **how)
    assert [tuple(np.add(patch.centre, (7, 11, 3))) for patch in here] == [patch.centre for patch in there]


def test_the_grid_reaches_equally_far_over_both_ends() -> None:
    mask = np.zeros((1, 1, 30), bool)
    mask[..., 5:15] = True  # 10 voxels by patches of 4 at a stride of 4: 12, one voxel too many on each side
    patches = patch_grid(mask, (1, 1, 1), patch_mm=(1, 1, 4), stride_mm=(1, 1, 4))
    assert [(patch.box[2].start, patch.box[2].stop) for patch in patches] == [(4, 8), (8, 12), (12, 16)]


def test_patches_are_clipped_at_the_edge_of_the_volume() -> None:
    mask = np.zeros((5, 5, 5), bool)
    mask[4, 0, 2] = True
    (patch,) = patch_grid(mask, (1, 1, 1), patch_mm=(5, 5, 5), stride_mm=(5, 5, 5))
    assert patch.box == (slice(2, 5), slice(0, 3), slice(0, 5))
    assert patch.centre == (4, 0, 2)


def test_what_is_too_thin_for_the_grid_gets_patches_of_its_own() -> None:
    how = {"patch_mm": (9.0, 8.0, 8.0), "stride_mm": (9.0, 8.0, 8.0)}
    mask = thin_curve()
    literal = patch_grid(mask, SPACING, complete=False, **how)
    complete = patch_grid(mask, SPACING, **how)
    assert not covered(literal, mask.shape)[mask].all()
    assert covered(complete, mask.shape)[mask].all()
    assert {patch.on_grid for patch in complete} == {True, False}


def test_the_voxel_nearest_to_the_grid_point_gets_the_patch() -> None:
    mask = np.zeros((1, 2, 15), bool)
    mask[0, 0, [0, 4, 6, 14]] = True  # grid points 2, 7, 12 of the second row: none inside
    mask[0, 1, 14] = True
    patches = patch_grid(mask, (1, 1, 1), patch_mm=(1, 2, 5), stride_mm=(1, 2, 5))
    assert [patch.centre for patch in patches] == [(0, 0, 0), (0, 0, 6), (0, 1, 14)]


def test_nothing_that_has_a_patch_gets_another_one() -> None:
    how = {"patch_mm": (9.0, 10.0, 10.0), "stride_mm": (9.0, 10.0, 10.0)}  # odd numbers of voxels
    patches = patch_grid(thin_curve(), SPACING, **how)
    moved = [patch for patch in patches if not patch.on_grid]
    assert len(moved) > 5
    for patch in moved:
        centre = np.zeros(thin_curve().shape, bool)
        centre[patch.centre] = True
        assert sum(bool(centre[other.box].any()) for other in patches) == 1


def test_where_no_grid_point_is_inside_the_voxel_nearest_to_the_centroid_is_the_only_patch() -> None:
    ring = np.zeros((3, 21, 21), bool)
    ring[1, 0, :] = ring[1, -1, :] = ring[1, :, 0] = ring[1, :, -1] = True
    ring[1, 3, 10] = True  # the innermost
    how = {"patch_mm": (1.0, 3.0, 3.0), "stride_mm": (1.0, 50.0, 50.0)}
    for complete in (True, False):  # the stride is longer than the patch: nothing is completed
        (patch,) = patch_grid(ring, (1, 1, 1), complete=complete, **how)
        assert (patch.centre, patch.on_grid) == ((1, 3, 10), False)


@pytest.mark.parametrize(
    ("mask", "lengths", "words"),
    [
        (np.zeros((3, 3, 3), bool), {}, "mask with voxels"),
        (np.ones((3, 3), bool), {}, "mask with voxels"),
        (np.ones((3, 3, 3), bool), {"patch_mm": (0, 1, 1)}, "patch_mm"),
        (np.ones((3, 3, 3), bool), {"stride_mm": (1, 1, float("nan"))}, "stride_mm"),
    ],
)
def test_impossible_grids_are_refused(mask, lengths, words) -> None:
    how = {"patch_mm": (1, 1, 1), "stride_mm": (1, 1, 1)} | lengths
    with pytest.raises(ValueError, match=words):
        patch_grid(mask, (1, 1, 1), **how)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_occluded_planes_are_the_frames_of_the_filled_volume(dtype) -> None:
    voxels = (np.random.default_rng(0).normal(0, 400, (9, 12, 11))).astype(dtype)
    volume = Volume(voxels, Grid(voxels.shape, SPACING))
    window = (-20.0, 20.0)
    before = to_frames(volume, window)
    patch = Patch(0, (slice(2, 5), slice(0, 4), slice(7, 11)), (3, 2, 9))
    fill = fill_value(voxels, np.ones(voxels.shape, bool))
    filled = voxels.astype(np.float32)
    filled[patch.box] = fill
    expected = to_frames(Volume(filled, volume.grid), window)
    changed = occluded_planes(voxels, patch, fill, window)
    assert list(changed) == list(patch.frames(9)) == [4, 5, 6]
    for frame in range(9):
        assert (changed.get(frame, before[frame]) == expected[frame]).all()
    assert (to_frames(volume, window) == before).all()
    assert all((changed[frame] != before[frame]).any() for frame in changed)


def test_the_fill_is_the_mean_of_the_volume_or_of_the_region() -> None:
    voxels = np.zeros((2, 2, 2), np.float32)
    mask = np.zeros(voxels.shape, bool)
    mask[0, 0] = True
    voxels[mask] = [1, 3]
    assert fill_value(voxels, mask) == 0.5
    assert fill_value(voxels, mask, "region mean") == 2


def test_the_mean_of_many_voxels_is_not_rounded_away() -> None:
    voxels = np.full((8, 512, 512), 0.1, np.float32)
    assert fill_value(voxels, voxels > 0) == pytest.approx(float(np.float32(0.1)), rel=1e-12)
