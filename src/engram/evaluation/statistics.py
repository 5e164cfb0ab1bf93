"""Mean, standard error and p over test folds: as the paper has them (2.4.3), and as folds that overlap allow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from engram.survival.splits import Fold

CHANCE = 0.5  # the c-index of a random model


@dataclass(frozen=True)
class FoldStatistics:
    """What the values of the folds say of their mean; None where the folds allow none.

    se: sd / sqrt(folds). p: one-sided, of mean > null, as all that the paper prints. p_two_sided: the same test,
    two-sided. p_corrected: two-sided, by the corrected resampled t-test. The first two take the folds for
    independent, which they are not, and are optimistic.
    """

    mean: float | None
    se: float | None
    p: float | None
    p_two_sided: float | None
    p_corrected: float | None


def fold_statistics(
    values: Sequence[float | None], *, held_out_ratio: float, null: float = CHANCE
) -> FoldStatistics:
    """Statistics over the folds that have a value: no mean without one, no se and p with fewer than two.

    values: one a test fold (c-indices, or with null=0 the differences of two rows on the same folds); with repeated
    cross-validation, those of all repeats. held_out_ratio: see `held_out_ratio`.
    """
    usable = np.array([value for value in values if value is not None], dtype=np.float64)
    folds = int(usable.size)
    if not folds:
        return FoldStatistics(None, None, None, None, None)
    mean = float(usable.mean())
    if folds < 2:
        return FoldStatistics(mean, None, None, None, None)
    se = float(usable.std(ddof=1) / math.sqrt(folds))
    effect = mean - null
    return FoldStatistics(
        mean,
        se,
        one_sided_p(effect, se, folds=folds),
        two_sided_p(effect, se, folds=folds),
        two_sided_p(effect, corrected_se(se, folds=folds, held_out_ratio=held_out_ratio), folds=folds),
    )


def held_out_ratio(folds: Sequence[Fold]) -> float:
    """Test patients for each training patient, over all folds: 1 / (k - 1) in k-fold cross-validation."""
    return sum(len(fold.test_index) for fold in folds) / sum(len(fold.train_index) for fold in folds)


def corrected_se(se: float, *, folds: int, held_out_ratio: float) -> float:
    """The standard error of a mean over test folds that share training patients (r k folds, with r repeats).

    se: sd / sqrt(folds). The variance sd^2 / folds becomes sd^2 (1 / folds + n_test / n_train): 1.5 times the se
    with five folds. Nadeau and Bengio, Machine Learning 52 (2003) 239; for repeats, Bouckaert and Frank, PAKDD
    2004.
    """
    return se * math.sqrt(1 + folds * held_out_ratio)


def one_sided_p(effect: float, se: float, *, folds: int) -> float | None:
    """p of a one-sample t-test of effect > 0 with folds - 1 degrees of freedom; None where se is 0.

    Raises ValueError for fewer than two folds.
    """
    _check_folds(folds)
    return float(stats.t.sf(effect / se, df=folds - 1)) if se > 0 else None


def two_sided_p(effect: float, se: float, *, folds: int) -> float | None:
    """p of a one-sample t-test of effect = 0 with folds - 1 degrees of freedom; None where se is 0.

    Raises ValueError for fewer than two folds.
    """
    _check_folds(folds)
    return float(2 * stats.t.sf(abs(effect) / se, df=folds - 1)) if se > 0 else None


def _check_folds(folds: int) -> None:
    if folds < 2:
        raise ValueError(f"{folds} fold(s): a t-test needs two")
