"""Maps of a model that knows nothing are unlike those of one that does; the same map is the same."""

from __future__ import annotations

import numpy as np
import pytest

from engram.explain.patches import patch_grid
from engram.explain.sensitivity_map import SensitivityMap
from engram.explain.similarity import Similarity, map_control, similarity

SHAPE = (8, 8, 8)
PATCHES = patch_grid(np.ones(SHAPE, bool), (1, 1, 1), patch_mm=(2, 2, 2), stride_mm=(1, 1, 1))


def made(deltas: np.ndarray, patches: list = PATCHES) -> SensitivityMap:
    found = SensitivityMap(SHAPE)
    for patch, delta in zip(patches, deltas, strict=True):
        found.add(patch, float(delta))
    return found


def test_a_map_is_like_itself_and_its_opposite_has_the_same_sizes() -> None:
    deltas = np.random.default_rng(0).normal(size=len(PATCHES))
    assert similarity(made(deltas), made(3 * deltas)) == Similarity(pytest.approx(1), pytest.approx(1))
    assert similarity(made(deltas), made(-deltas)) == Similarity(pytest.approx(1), pytest.approx(-1))


def test_only_the_order_of_the_changes_counts() -> None:
    apart = patch_grid(np.ones(SHAPE, bool), (1, 1, 1), patch_mm=(2, 2, 2), stride_mm=(2, 2, 2))
    deltas = np.random.default_rng(0).normal(size=len(apart))
    found = similarity(made(deltas, apart), made(deltas**5, apart))
    assert (found.absolute, found.signed) == (pytest.approx(1), pytest.approx(1))


def test_maps_that_know_nothing_of_each_other_are_unlike() -> None:
    rng = np.random.default_rng(1)
    pairs = [rng.normal(size=(2, len(PATCHES))) for _ in range(12)]
    found = map_control("PET", "untrained weights", [similarity(*map(made, pair)) for pair in pairs], seed=0)
    assert (found.n, found.flat) == (12, 0)
    assert abs(found.signed) < 0.1
    assert found.signed_lower < found.signed < found.signed_upper
    assert found.absolute_lower < found.absolute < found.absolute_upper


def test_a_flat_map_is_like_none_and_counted() -> None:
    deltas = np.random.default_rng(0).normal(size=len(PATCHES))
    flat = similarity(made(deltas), made(np.zeros(len(PATCHES))))
    assert flat == Similarity(None, None)
    assert similarity(made(deltas), made(np.full(len(PATCHES), 0.1))) == Similarity(None, None)
    found = map_control("PET", "permuted outcomes", [flat, Similarity(0.2, 0.4), Similarity(None, 0.9)], seed=0)
    assert (found.n, found.flat, found.absolute, found.signed) == (1, 2, 0.2, 0.4)
    assert map_control("PET", "permuted outcomes", [flat], seed=0).signed is None


def test_maps_of_other_patches_are_not_compared() -> None:
    whole = made(np.ones(len(PATCHES)))
    with pytest.raises(ValueError, match="same patches"):
        similarity(whole, made(np.ones(len(PATCHES) - 1), PATCHES[1:]))
    with pytest.raises(ValueError, match="same patches"):
        similarity(made([], []), made([], []))
