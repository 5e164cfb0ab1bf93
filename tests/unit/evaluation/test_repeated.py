"""Repeated cross-validation: how far the split alone moves a result."""

from dataclasses import replace

import numpy as np
import pytest
from side_analyses import OF_CLINICAL, RIDGE, fixed_rows, main_analysis

from engram.evaluation.folds import study_folds
from engram.evaluation.repeated import repeated_rows
from engram.evaluation.rows import RIDGE_COX, rows_of
from engram.evaluation.statistics import fold_statistics


def test_repeats_begin_with_the_main_analysis_and_go_on_with_other_folds(clinical, make_config, quick):
    table, config = clinical(n=60), make_config(**OF_CLINICAL, evaluation={"folds": 3, "repeats": 4})
    folds, results = main_analysis(table, config, quick)
    (row,) = repeated_rows(table, [RIDGE], results, folds, config, quick).rows
    assert [len(repeat) for repeat in row.c_index] == [3] * 4
    assert row.c_index[0] == [result.c_index for result in results[0]]
    assert len({tuple(repeat) for repeat in row.c_index}) == 4
    assert row.means == pytest.approx(np.mean(row.c_index, axis=1))
    assert row.sd == pytest.approx(np.std(row.means, ddof=1))
    every = np.ravel(row.c_index)
    assert row.se_corrected == pytest.approx(np.std(every, ddof=1) * np.sqrt(1 / 12 + 1 / 2))
    assert row.p_corrected == fold_statistics(list(every), held_out_ratio=0.5).p_corrected
    (again,) = repeated_rows(
        table, [RIDGE], results, folds, config, replace(quick, cache_dir=quick.cache_dir / "b")
    ).rows
    assert again == row


def test_declared_pairs_are_compared_over_all_folds_of_all_repeats(make_study, make_config, quick):
    models = {"families": ["clinical", "multimodal"], "origins": ["PET"], "multimodal_heads": ["PCA"]}
    config = make_config(models=models, evaluation={"folds": 3, "repeats": 3})
    table, specs = make_study(n=60)[0], [spec for spec in rows_of(config) if spec.survival == RIDGE_COX]
    assert [spec.name for spec in specs] == ["Clinical, ridge Cox", "PET + clinical, spine, PCA"]
    folds = study_folds(table, config.evaluation)
    results = fixed_rows(table, specs, folds, config, workers=0, cache_dir=quick.cache_dir)
    runner = replace(quick, rows=fixed_rows)
    found = repeated_rows(table, specs, results, folds, config, runner)
    (one,) = found.comparisons
    clinical, both = (np.ravel(row.c_index) for row in found.rows)
    assert (one.row, one.other) == (specs[1].name, specs[0].name)
    assert one.differences == pytest.approx((both - clinical).reshape(3, 3).mean(axis=1))
    assert one.mean == pytest.approx(np.mean(one.differences))
    assert one.se_corrected == pytest.approx(np.std(both - clinical, ddof=1) * np.sqrt(1 / 9 + 1 / 2))
    expected = fold_statistics(list(both - clinical), held_out_ratio=0.5, null=0).p_corrected
    assert one.p_corrected == one.p_adjusted == pytest.approx(expected)
    alone = repeated_rows(table, specs[1:], results[1:], folds, config, runner)
    assert (len(alone.rows), alone.comparisons) == (1, [])


def test_few_sites_are_not_dealt_twice_in_one_way(clinical, make_config, quick):
    """Otherwise the spread over repeats would be 0, as if the split did not matter."""
    evaluation = {"folds": 3, "splits": "grouped", "group": "site", "repeats": 3}
    table, config = clinical(n=60), make_config(**OF_CLINICAL, evaluation=evaluation)
    table = replace(table, groups=tuple("abc"[i % 3] for i in range(60)))
    folds, results = main_analysis(table, config, quick)
    (row,) = repeated_rows(table, [RIDGE], results, folds, config, replace(quick, rows=fixed_rows)).rows
    assert (len(row.c_index), row.sd) == (1, None)
