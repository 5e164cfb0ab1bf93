import numpy as np
import pytest
from scipy import ndimage

from engram.imaging.volume import Grid
from engram.roi.mask_quality import cohort_z_scores, mask_quality
from engram.roi.pieces import pieces_of

TOUCHING = np.zeros((3, 3, 3), bool)
TOUCHING[1] = TOUCHING[0, 1, 1] = TOUCHING[2, 1, 1] = True


@pytest.mark.parametrize("seed", range(5))
def test_pieces_are_those_of_a_labelling_of_the_whole_volume(seed):
    mask = np.random.default_rng(seed).random((9, 8, 7)) < 0.25
    labels, count = ndimage.label(mask, structure=TOUCHING)
    pieces = pieces_of(mask)
    voxels = np.bincount(labels.ravel())[1:]
    assert sorted(pieces.voxels) == sorted(voxels)
    largest = [i for i in range(count) if voxels[i] == voxels.max()]
    boxes = {tuple(axis.start for axis in ndimage.find_objects(labels)[i]) for i in largest}
    centres = [ndimage.center_of_mass(labels == i + 1) for i in largest]
    assert tuple(pieces.low[0]) in boxes
    assert any(np.allclose(pieces.centres[0], centre) for centre in centres)


def test_branches_that_meet_further_down_are_one_piece():
    mask = np.zeros((3, 3, 9), bool)
    mask[0:2, 1, [0, 4, 8]] = True
    mask[2, 1] = True
    assert len(pieces_of(mask)) == 1
    assert len(pieces_of(mask[:2])) == 3


def test_gaps_are_millimetres_between_boxes():
    mask = np.zeros((20, 10, 10), bool)
    mask[0:6, 2:8, 2:8] = True
    mask[10, 4, 4] = mask[19, 9, 9] = True
    gaps = pieces_of(mask).gaps_mm((3.0, 1.0, 2.0))
    np.testing.assert_allclose(sorted(gaps), [0, 4 * 3.0, np.linalg.norm([13 * 3.0, 1.0, 2.0])])


def box(*shape: int) -> np.ndarray:
    return np.zeros(shape, bool)


def test_volume_extent_and_what_the_field_of_view_cuts():
    mask = box(10, 20, 20)
    mask[0:4, 5:15, 5:15] = True
    found = mask_quality("spine", mask, Grid(mask.shape, (3.0, 2.0, 2.0)), one_piece=True)
    assert (found.volume_ml, found.extent_mm) == (400 * 12 / 1000, 12.0)
    assert (found.cut_below, found.cut_above) == (True, False)
    assert (found.pieces, found.largest_share, found.specks, found.flags) == (1, 1.0, 0, ())


def test_a_spine_in_pieces_is_named_and_lesions_in_pieces_are_not():
    mask = box(30, 20, 20)
    for z in (2, 10, 18):
        mask[z : z + 6, 5:15, 5:15] = True
    grid = Grid(mask.shape, (2.0, 2.0, 2.0))
    assert mask_quality("spine", mask, grid, one_piece=True).flags == ("spine: in 3 pieces, the largest holds 33%",)
    assert mask_quality("lesions", mask, grid).flags == ()


def test_specks_are_counted_and_named_where_they_weigh():
    mask = box(30, 30, 30)
    mask[5:15, 5:15, 5:15] = True
    mask[20::4, 20::4, 20::4] = True
    found = mask_quality("bone", mask, Grid(mask.shape, (2.0, 2.0, 2.0)))
    assert (found.pieces, found.specks) == (28, 27)
    assert not found.flags
    mask[20:22, ::4, ::4] = True
    assert "specks hold" in mask_quality("bone", mask, Grid(mask.shape, (2.0, 2.0, 2.0))).flags[0]


def test_an_empty_mask_is_said_to_be_empty():
    assert mask_quality("spine", box(4, 4, 4), Grid((4, 4, 4), (1.0, 1.0, 1.0))).flags == ("spine: empty",)


def test_z_scores_are_robust_and_say_nothing_without_a_spread():
    values = [10.0, 11.0, 12.0, 13.0, 14.0, 400.0, np.nan]
    z = cohort_z_scores(values)
    assert z[5] > 100
    assert np.abs(z[:5]).max() < 2
    assert np.isnan(z[6])
    normal = np.random.default_rng(0).normal(5, 2, 4000)
    assert np.std(cohort_z_scores(normal)) == pytest.approx(1, abs=0.03)
    assert np.isnan(cohort_z_scores([3.0, 3.0, 3.0, 9.0])).all()
    assert np.isnan(cohort_z_scores([np.nan, np.nan])).all()
