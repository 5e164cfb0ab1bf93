"""The p-values that the paper prints, what overlapping folds allow, and folds that give none."""

import numpy as np
import pytest
from scipy import stats

from engram.evaluation.folds import Fold
from engram.evaluation.statistics import corrected_se, fold_statistics, held_out_ratio, one_sided_p, two_sided_p

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
    smallest = one_sided_p(mean + half - 0.5, se - half, folds=5)
    largest = one_sided_p(mean - half - 0.5, se + half, folds=5)
    assert smallest <= printed <= largest


@pytest.mark.parametrize(("mean", "se", "printed"), PRINTED)
def test_no_p_of_the_paper_is_two_sided(mean, se, printed):
    assert (
        not 2 * one_sided_p(mean + 5e-4 - 0.5, se - 5e-4, folds=5)
        <= printed
        <= 2 * one_sided_p(mean - 5e-4 - 0.5, se + 5e-4, folds=5)
        or printed < 1.5e-4
    )  # SEs of .007 to .008 are rounded too coarsely to tell the two apart


def test_best_row_of_table_1_from_its_rounded_numbers():
    assert one_sided_p(0.159, 0.015, folds=5) == pytest.approx(2.1e-4, abs=0.2e-4)


def test_against_scipy_and_direction():
    values = [0.6, 0.7, 0.55, 0.65, 0.62]
    found = fold_statistics(values, held_out_ratio=0.25)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.se == pytest.approx(stats.sem(values))
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0.5, alternative="greater").pvalue)
    assert found.p_two_sided == pytest.approx(stats.ttest_1samp(values, 0.5).pvalue)
    assert fold_statistics([1 - v for v in values], held_out_ratio=0.25).p > 0.95


def test_folds_without_a_c_index_are_left_out():
    found = fold_statistics([None, 0.6, None, 0.7], held_out_ratio=0.25)
    assert (found.mean, found.se) == (pytest.approx(0.65), pytest.approx(0.05))
    assert found.p == pytest.approx(stats.t.sf(3, 1))


def test_too_few_folds_give_none():
    assert fold_statistics([None, None], held_out_ratio=0.25).mean is None
    one = fold_statistics([0.6, None], held_out_ratio=0.25)
    assert (one.mean, one.se, one.p) == (0.6, None, None)
    equal = fold_statistics([0.75, 0.75], held_out_ratio=0.25)
    assert (equal.se, equal.p) == (0.0, None)
    with pytest.raises(ValueError, match="a t-test needs two"):
        one_sided_p(0.6, 0.1, folds=1)


def test_the_corrected_test_is_that_of_the_definition():
    """Nadeau and Bengio's variance as MachineShop (R) writes it: F = 1 + repeats * folds / (folds - 1)."""
    values = np.random.default_rng(0).normal(0.6, 0.05, 50)
    for folds, repeats in ((5, 1), (5, 10)):
        some = values[: folds * repeats]
        factor = 1 + repeats * folds / (folds - 1)
        t = (some.mean() - 0.5) / np.sqrt(factor * some.var(ddof=1) / some.size)
        expected = 2 * stats.t.sf(abs(t), some.size - 1)
        found = fold_statistics(some.tolist(), held_out_ratio=1 / (folds - 1))
        assert found.p_corrected == pytest.approx(expected)
        assert found.p_corrected > found.p_two_sided


def test_all_but_one_p_of_the_paper_stay_below_5_percent_when_corrected():
    """One-sided, as they are printed, from rounded means and SEs. The one: combined, spine, ResNet (.650, .047)."""
    p = [
        two_sided_p(mean - 0.5, corrected_se(se, folds=5, held_out_ratio=0.25), folds=5) / 2
        for mean, se, _ in PRINTED
    ]
    above = [index for index, value in enumerate(p) if value > 0.05]
    assert above == [9]
    assert p[9] == pytest.approx(0.0505, abs=0.0005)


def test_paired_differences_are_tested_against_zero():
    one, other = [0.6, 0.7, 0.55, 0.65, 0.62], [0.58, 0.71, 0.5, 0.6, 0.6]
    found = fold_statistics([a - b for a, b in zip(one, other, strict=True)], held_out_ratio=0.25, null=0)
    assert found.p_two_sided == pytest.approx(stats.ttest_rel(one, other).pvalue)
    assert found.p == pytest.approx(stats.ttest_rel(one, other, alternative="greater").pvalue)


@pytest.mark.parametrize("k", [2, 5, 10])
def test_the_ratio_is_one_in_k_minus_one_whatever_the_rest(k):
    patients = np.arange(227)
    parts = np.array_split(patients, k)
    assert held_out_ratio([Fold(np.setdiff1d(patients, part), part) for part in parts]) == pytest.approx(
        1 / (k - 1)
    )
