"""Several models as one: folds first, then their mean."""

import pytest

from engram.evaluation.fold_averages import average_models


class Row:
    def __init__(self, *c_index):
        self.c_index = list(c_index)


def test_models_are_averaged_within_each_fold_first():
    found = average_models([Row(0.6, 0.8), Row(0.7, None)])
    assert found.values == pytest.approx((0.65, 0.8))
    assert found.mean == pytest.approx(0.725)  # the mean of all three would be 0.7
    assert found.se == pytest.approx(0.075)
    assert found.models == 2


def test_what_does_not_exist_is_none():
    found = average_models([Row(None, None), Row(None, 0.6)])
    assert found.values == (None, 0.6)
    assert (found.mean, found.se) == (0.6, None)
    assert average_models([Row(None)]).mean is None


def test_rows_of_other_folds_are_refused():
    with pytest.raises(ValueError, match="zip"):
        average_models([Row(0.5), Row(0.5, 0.6)])
