import numpy as np
import pytest

from engram.imaging.frames import to_frames
from engram.imaging.volume import Grid, Volume
from engram.roi.boxes import SliceBoxes, slice_boxes


def test_inclusive_pixels_superior_first():
    mask = np.zeros((6, 8, 10), bool)
    mask[4, 2:5, 3:9] = True  # the second slice from the top
    mask[1, 7, 0] = True  # one pixel
    found = slice_boxes(mask)
    assert found.slices.tolist() == [1, 4]
    assert found.boxes.tolist() == [[3, 2, 8, 4], [0, 7, 0, 7]]
    assert found.boxes.dtype == np.float32


def test_every_second_slice_that_has_mask():
    mask = np.zeros((12, 4, 4), bool)
    mask[[1, 2, 5, 6, 7, 10], 1, 1] = True
    assert slice_boxes(mask).slices.tolist() == [1, 4, 5, 6, 9, 10]
    assert slice_boxes(mask, stride=2).slices.tolist() == [1, 5, 9]  # of mask slices, not of all slices
    assert slice_boxes(mask, stride=99).slices.tolist() == [1]


def test_boxes_index_the_frames_and_are_tight():
    mask = np.random.default_rng(0).random((9, 20, 30)) < 0.004
    frames = to_frames(Volume(mask.astype(np.float32), Grid(mask.shape, (1, 1, 1))), (0, 1))
    found = slice_boxes(mask)
    assert len(found) == mask.any(axis=(1, 2)).sum()
    for index, box in zip(found.slices, found.boxes.astype(int), strict=True):
        x0, y0, x1, y1 = box
        inside = frames[index][y0 : y1 + 1, x0 : x1 + 1]
        assert inside.sum() == frames[index].sum()
        for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
            assert edge.any()


@pytest.mark.parametrize(
    ("mask", "stride"),
    [(np.zeros((3, 4, 5), bool), 1), (np.ones((3, 4, 5), bool), 0), (np.ones((4, 5), bool), 1)],
)
def test_bad_arguments(mask, stride):
    with pytest.raises(ValueError):
        slice_boxes(mask, stride=stride)


def test_slices_and_boxes_go_together():
    with pytest.raises(ValueError):
        SliceBoxes(np.arange(3), np.zeros((2, 4), np.float32))
