"""The paper's layout of the memory, requirement 15."""

import numpy as np
import pytest

from engram.heads.averaging import average_map
from engram.heads.layout import paper_layout, stretch

RNG = np.random.default_rng(0)


def memory_of(entries, pixels=32):
    return RNG.normal(size=(2, entries, 64, pixels, pixels)).astype(np.float32)


def test_last_two_entries_in_pairs_of_channels():
    memory = memory_of(5, pixels=64)
    layout = paper_layout(memory)
    assert layout.memory.shape == (2, 2, 32, 64, 64)
    assert layout.padded_entries == 0
    np.testing.assert_allclose(layout.memory[0, 1, 3], memory[0, 4, 6:8].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(layout.memory[0, 0, 3], memory[0, 3, 6:8].mean(axis=0), atol=1e-6)


def test_one_entry_is_padded_in_front_with_zeros():
    layout = paper_layout(memory_of(1))
    assert layout.padded_entries == 1
    assert not layout.memory[:, 0].any()
    assert layout.memory[:, 1].any()


def test_averaging_first_and_stretching_after_gives_the_same_map():
    memory = memory_of(2)
    np.testing.assert_allclose(average_map(paper_layout(memory).memory), stretch(average_map(memory)), atol=1e-6)


def test_stretch_keeps_a_map_of_that_size_bit_for_bit_and_constants_constant():
    maps = RNG.normal(size=(2, 1, 64, 64)).astype(np.float32)
    np.testing.assert_array_equal(stretch(maps), maps)
    np.testing.assert_allclose(stretch(np.full((1, 1, 16, 16), 3.5, dtype=np.float32)), 3.5, rtol=1e-6)


@pytest.mark.parametrize("shape", [(2, 2, 32, 8, 8), (2, 64, 8, 8)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="expected memory"):
        paper_layout(np.zeros(shape, dtype=np.float32))
