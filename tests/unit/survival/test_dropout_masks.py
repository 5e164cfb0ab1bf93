"""Dropout masks: the probability as stated, a network's own, whoever else is drawn for."""

import numpy as np
import pytest
import torch

from engram.survival.dropout_masks import Masks


def drawn(p, seeds, counts, steps, place=0, width=32):
    masks = Masks(p, seeds, counts, place=place, width=width)
    return torch.stack([masks.draw().clone() for _ in range(steps)]).numpy()


@pytest.mark.parametrize("p", [0.05, 0.3, 0.6, 0.99])
def test_numbers_are_dropped_as_often_as_stated_and_means_are_kept(p):
    found = drawn(p, [1, 2, 3], [200, 200, 200], 60)
    share, numbers = (found == 0).mean(), found.size
    assert share == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / numbers))
    dropped = round(p * 2**16)
    assert set(np.unique(found)) == {np.float32(0), np.float32(2**16 / (2**16 - dropped))}


def test_the_probability_is_exact_to_the_stated_resolution():
    """Every 16-bit number comes as often as any other, so that the threshold alone decides."""
    numbers = np.concatenate([_drawn_numbers(seed) for seed in range(4)])
    counts = np.bincount(numbers >> 8, minlength=256)
    expected = len(numbers) / 256
    assert ((counts - expected) ** 2 / expected).sum() < 340  # chi-squared of 255 degrees of freedom, p = 0.0003
    counts = np.bincount(numbers & 255, minlength=256)
    assert ((counts - expected) ** 2 / expected).sum() < 340


def _drawn_numbers(seed):
    masks = Masks(0.5, [seed], [500], place=0, width=64)
    masks.draw()
    return masks._drawn.ravel().astype(np.int64)


def test_masks_of_two_steps_layers_and_networks_are_unrelated():
    one = drawn(0.5, [1, 2], [300, 300], 2)
    other_layer = drawn(0.5, [1, 2], [300, 300], 2, place=1)
    pairs = [(one[0, 0], one[1, 0]), (one[0, 0], one[0, 1]), (one[0, 0], other_layer[0, 0])]
    for first, second in pairs:
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4 / np.sqrt(first.size)


def test_company_does_not_matter():
    together = drawn(0.3, [5, 6, 7], [40, 60, 20], 20)
    np.testing.assert_array_equal(together[:, 0, :40], drawn(0.3, [5], [40], 20)[:, 0])
    np.testing.assert_array_equal(together[:, 2, :20], drawn(0.3, [7], [20], 20)[:, 0])


def test_a_tiny_probability_drops_nothing_and_a_large_one_leaves_something():
    assert (drawn(1e-6, [1], [50], 3) == 1).all()
    assert np.isfinite(drawn(1 - 1e-9, [1], [50], 3)).all()
