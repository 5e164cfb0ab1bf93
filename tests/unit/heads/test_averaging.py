"""The averaging head: parameters, shapes, and the parameter-free average before it."""

import numpy as np
import pytest
import torch

from engram.heads.averaging import AveragingHead, average_map


def test_head_has_the_parameters_of_requirement_17():
    assert sum(p.numel() for p in AveragingHead().parameters()) == 92_672


@pytest.mark.parametrize("pixels", [64, 32, 16, 4])
def test_head_gives_128_numbers_for_every_map_size(pixels):
    assert AveragingHead()(torch.zeros(3, 1, pixels, pixels)).shape == (3, 128)


def test_paper_shapes_inside_the_head():
    x, shapes = torch.zeros(1, 1, 64, 64), []
    for layer in AveragingHead().features:
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes[5] == (64, 16, 16)
    assert shapes[7] == (128, 16, 16)
    assert shapes[8] == (128, 1, 1)


@pytest.mark.parametrize("shape", [(2, 64, 64), (2, 2, 64, 64), (2, 1, 3, 64)])
def test_head_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="averaged maps"):
        AveragingHead()(torch.zeros(shape))


def test_a_patient_s_vector_does_not_depend_on_the_others():
    torch.manual_seed(0)
    head, maps = AveragingHead(), torch.randn(5, 1, 16, 16)
    torch.testing.assert_close(head(maps)[2:3], head(maps[2:3]))


def test_average_is_the_mean_over_entries_and_channels():
    memory = np.random.default_rng(0).normal(size=(3, 2, 4, 5, 6)).astype(np.float32)
    maps = average_map(memory)
    assert maps.shape == (3, 1, 5, 6)
    assert maps.dtype == np.float32
    assert maps[1, 0, 3, 2] == pytest.approx(memory[1, :, :, 3, 2].mean(), abs=1e-6)


def test_average_of_an_average_changes_nothing_and_each_patient_stands_alone():
    memory = np.random.default_rng(1).normal(size=(4, 2, 64, 8, 8)).astype(np.float32)
    maps = average_map(memory)
    np.testing.assert_array_equal(average_map(maps[:, None]), maps)
    np.testing.assert_array_equal(average_map(memory[2:3]), maps[2:3])


@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (3, 0, 4, 5, 6)])
def test_average_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="expected memory"):
        average_map(np.zeros(shape, dtype=np.float32))


def test_average_of_no_patients_is_empty():
    assert average_map(np.zeros((0, 2, 4, 5, 6), dtype=np.float32)).shape == (0, 1, 5, 6)
