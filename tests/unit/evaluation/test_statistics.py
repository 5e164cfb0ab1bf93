"""The p-values that the paper prints, and folds that give none."""

import numpy as np
import pytest
from scipy import stats

from engram.evaluation.statistics import fold_statistics, one_sided_p

# Paper Tables 1 and 2: mean, SE, p.
PRINTED = [
    (0.659, 0.015, 2.081e-4), (0.659, 0.025, 1.587e-3), (0.659, 0.018, 4.836e-4), (0.655, 0.022, 9.975e-4),
    (0.654, 0.022, 1.128e-3), (0.654, 0.008, 1.983e-5), (0.654, 0.026, 1.919e-3), (0.651, 0.021, 9.451e-4),
    (0.651, 0.013, 1.382e-4), (0.650, 0.047, 1.676e-2), (0.647, 0.008, 3.085e-5), (0.641, 0.034, 6.770e-3),
    (0.639, 0.013, 2.497e-4), (0.638, 0.035, 8.203e-3), (0.638, 0.024, 2.344e-3), (0.618, 0.012, 3.136e-4),
    (0.604, 0.010, 2.183e-4), (0.598, 0.007, 9.568e-5), (0.586, 0.009, 2.990e-4), (0.571, 0.015, 4.956e-3),
    (0.560, 0.011, 3.039e-3), (0.548, 0.012, 8.132e-3), (0.710, 0.032, 1.308e-3), (0.710, 0.034, 1.697e-3),
    (0.710, 0.040, 3.104e-3), (0.709, 0.030, 1.057e-3), (0.706, 0.031, 1.244e-3), (0.703, 0.029, 1.144e-3),
]  # fmt: skip


@pytest.mark.parametrize(("mean", "se", "printed"), PRINTED)
def test_every_p_of_the_paper_is_one_sided_within_rounding(mean, se, printed):
    half = 0.0005
    smallest = one_sided_p(mean + half, se - half, folds=5)
    largest = one_sided_p(mean - half, se + half, folds=5)
    assert smallest <= printed <= largest


@pytest.mark.parametrize(("mean", "se", "printed"), PRINTED)
def test_no_p_of_the_paper_is_two_sided(mean, se, printed):
    assert (
        not 2 * one_sided_p(mean + 5e-4, se - 5e-4, folds=5)
        <= printed
        <= 2 * one_sided_p(mean - 5e-4, se + 5e-4, folds=5)
        or printed < 1.5e-4
    )  # SEs of .007 to .008 are rounded too coarsely to tell the two apart


def test_best_row_of_table_1_from_its_rounded_numbers():
    assert one_sided_p(0.659, 0.015, folds=5) == pytest.approx(2.1e-4, abs=0.2e-4)


def test_against_scipy_and_direction():
    values = [0.6, 0.7, 0.55, 0.65, 0.62]
    found = fold_statistics(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.se == pytest.approx(stats.sem(values))
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0.5, alternative="greater").pvalue)
    assert fold_statistics([1 - v for v in values]).p > 0.95


def test_folds_without_a_c_index_are_left_out():
    found = fold_statistics([None, 0.6, None, 0.7])
    assert (found.mean, found.se) == (pytest.approx(0.65), pytest.approx(0.05))
    assert found.p == pytest.approx(stats.t.sf(3, 1))


def test_too_few_folds_give_none():
    assert fold_statistics([None, None]).mean is None
    one = fold_statistics([0.6, None])
    assert (one.mean, one.se, one.p) == (0.6, None, None)
    equal = fold_statistics([0.75, 0.75])
    assert (equal.se, equal.p) == (0.0, None)
    with pytest.raises(ValueError, match="a t-test needs two"):
        one_sided_p(0.6, 0.1, folds=1)
