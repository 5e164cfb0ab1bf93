"""Agreement of two readings: against a published table, and where the answer is known."""

import numpy as np
import pytest

from engram.explain.stability import agreement, icc_2_1

# Shrout and Fleiss, Psychol Bull 86 (1979) 420, table 2: six subjects, four judges; ICC(2,1) is .29, ICC(3,1) .71.
JUDGES = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)


@pytest.fixture
def own():
    return np.random.default_rng(0).normal(size=(12, 2, 3, 4, 4)).astype(np.float32) + 5


def test_the_published_example() -> None:
    assert icc_2_1(JUDGES[:, :, None])[0] == pytest.approx(0.29, abs=0.005)


def test_a_reading_agrees_with_itself(own) -> None:
    same = agreement(own, own)
    assert same.icc.shape == (96,)
    for found in (same.icc, same.cosine, same.centred):
        assert np.allclose(found, 1)


def test_a_shift_of_all_patients_alike_is_disagreement(own) -> None:
    """Absolute agreement, not consistency; the cosine does not see what all have in common."""
    moved = agreement(own, own + 3)
    assert moved.icc.max() < 0.6
    assert moved.cosine.min() > 0.97
    assert moved.centred.max() < 0.5


def test_another_patients_embedding_is_no_agreement(own) -> None:
    swapped = agreement(own, np.roll(own, 1, axis=0))
    assert abs(float(np.median(swapped.icc))) < 0.25
    assert swapped.cosine.mean() > 0.9  # which is why it is read against `between`
    assert swapped.cosine.mean() == pytest.approx(swapped.between, abs=0.01)
    assert abs(float(swapped.centred.mean())) < 0.3


def test_between_is_the_mean_over_all_pairs(own) -> None:
    flat = own.reshape(12, -1).astype(float)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    pairs = [unit[i] @ unit[j] for i in range(12) for j in range(12) if i != j]
    assert agreement(own, own).between == pytest.approx(np.mean(pairs))


def test_what_does_not_differ_between_patients_has_no_icc(own) -> None:
    own[:, 0, 0, 0, 0] = 2.5
    icc = agreement(own, own).icc
    assert np.isnan(icc).tolist() == [True] + [False] * 95


def test_a_component_that_a_patient_lacks_counts_for_the_others_alone() -> None:
    own = np.random.default_rng(1).normal(size=(8, 5))
    other = own + np.random.default_rng(2).normal(size=(8, 5), scale=0.1)
    whole = agreement(own[1:], other[1:])
    own[0, :2], other[0, 4] = np.nan, np.nan
    found = agreement(own, other)
    assert found.icc[[0, 1, 4]] == pytest.approx(whole.icc[[0, 1, 4]])
    assert np.isfinite(found.cosine).all()


def test_shapes_must_agree(own) -> None:
    with pytest.raises(ValueError, match="two readings of the same 3 patients"):
        agreement(own, own[:-1])
    with pytest.raises(ValueError, match="two readings"):
        agreement(own[:2], own[:2])
