import numpy as np
import pytest

from engram.imaging.frames import to_frames
from engram.imaging.volume import Grid, Volume


def volume(array) -> Volume:
    array = np.asarray(array, np.float32)
    return Volume(array, Grid(array.shape, (1.0, 1.0, 1.0)))


def test_superior_first():
    array = np.zeros((3, 2, 2))
    array[2, 0, 1] = 1  # the most superior slice
    frames = to_frames(volume(array), (0, 1))
    assert np.argwhere(frames).tolist() == [[0, 0, 1]]


def test_window_rounding_and_clipping():
    values = [-1000, -500, -496.5, -496.4, 400, 1300, 3000]
    frames = to_frames(volume([[values]]), (-500.0, 1300.0))
    assert frames.dtype == np.uint8
    assert frames[0, 0].tolist() == [0, 0, 0, 1, 128, 255, 255]


def test_integers_survive_a_unit_window():
    frames = to_frames(volume(np.arange(256).reshape(1, 16, 16)), (0, 255))
    assert frames.ravel().tolist() == list(range(256))


@pytest.mark.parametrize("window", [(1, 1), (2, 1), (0, float("nan"))])
def test_impossible_window(window):
    with pytest.raises(ValueError, match="window"):
        to_frames(volume(np.zeros((1, 1, 1))), window)
