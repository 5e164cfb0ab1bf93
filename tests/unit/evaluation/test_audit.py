"""The audit passes what does not leak, and fails what does: each way of leaking by itself."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engram.evaluation.alterations import altered, centred, leaky, permuted, with_outcomes
from engram.evaluation.audit import (
    cheap,
    kinds_of,
    order_check,
    permutation_check,
    permuted_rows,
    training_checks,
)
from engram.evaluation.audit_data import duplicate_checks, duplicates, fold_check, folds_digest
from engram.evaluation.audit_planted import planted_leak
from engram.evaluation.audit_records import PermutedRow
from engram.evaluation.fold_fit import fit_fold
from engram.evaluation.folds import stratified_folds
from engram.evaluation.rows import rows_of
from engram.survival.splits import Fold
from engram.table import EmbeddingKey, PatientFeatures, StudyTable


@pytest.fixture
def config(make_config):
    return make_config(
        images={"labels": "b", "label_scheme": "totalsegmentator-2/total"},
        models={"origins": ["PET"]},
        embedding={"readouts": ["volume"]},
        training={"max_epochs": 2, "patience": 1, "inner_folds": 1, "ensemble": 1},
        evaluation={"folds": 3},
    )


@pytest.fixture
def table(make_study):
    made, _ = make_study(36, strength=0.5)
    vectors = np.random.default_rng(1).normal(size=(36, 6)).astype(np.float32)
    features = replace(made.features, embeddings={EmbeddingKey("PET", "spine", "volume"): vectors})
    return replace(made, features=features)


@pytest.fixture
def folds(table):
    return stratified_folds(table.outcome, folds=3, time_quantiles=2, seed=0)


@pytest.fixture
def run(config):
    """The path of the study, without files."""

    def path(table, specs, folds):
        return [[fit_fold(table, spec, fold, config) for fold in folds] for spec in specs]

    return path


@pytest.fixture
def rows(config):
    return {spec.name: spec for spec in rows_of(config)}


@pytest.fixture
def clinical(rows):
    return rows["Clinical, ridge Cox"]


def states(checks):
    return [check.passed for check in checks]


def test_the_study_passes(table, rows, folds, run, config):
    specs = kinds_of(list(rows.values()))
    assert [spec.name for spec in specs] == [
        "Clinical, ridge Cox",
        "Clinical, DeepSurv",
        "PET, spine, volume",
        "PET + clinical, spine, volume",
    ]
    checks = list(training_checks(table, specs, folds[:1], config.covariates, run))
    assert states(checks) == [True, True, True, True], [check.detail for check in checks]
    assert "4 fit(s)" in checks[0].detail


def with_test_risks(results, extra):
    """The results with something added to the test risks of each fold."""
    return [[replace(r, test_risk=r.test_risk + e) for r, e in zip(row, extra, strict=True)] for row in results]


def leaks(run, config):
    """Ways of leaking, and the checks that must fail: altered test patients, their outcomes alone."""

    def everybody(table, fold):
        return Fold(np.arange(len(table)), fold.test_index)

    def together(table, specs, folds):
        (fold,) = folds
        return run(centred(table, fold.test_index, config.covariates), specs, folds)

    def ranked(table, specs, folds):
        return [
            [replace(r, test_risk=r.test_risk.argsort().argsort()) for r in row] for row in run(table, specs, folds)
        ]

    def by_outcome(table, specs, folds):
        return with_test_risks(run(table, specs, folds), [table.outcome.event[fold.test_index] for fold in folds])

    return {
        "scaled": (lambda t, s, f: run(leaky(t, config.covariates), s, f), [False, True]),
        "trained on": (lambda t, s, f: run(t, s, [everybody(t, one) for one in f]), [False, False]),
        "told": (by_outcome, [True, False]),
        "centred together": (together, [True, True, True, False]),
        "ranked together": (ranked, [True, True, True, False]),
        "unprinted": (lambda t, s, f: [[replace(r, fingerprint="") for r in row] for row in run(t, s, f)], [False]),
    }


@pytest.mark.parametrize(
    "way", ["scaled", "trained on", "told", "centred together", "ranked together", "unprinted"]
)
def test_each_leak_is_caught(table, rows, folds, run, config, way, monkeypatch):
    monkeypatch.setattr("engram.evaluation.audit.altered", lambda *a, **k: altered(*a, **{**k, "size": 10}))
    path, expected = leaks(run, config)[way]
    specs = [rows["PET + clinical, spine, volume"]]
    found = list(training_checks(table, specs, folds[:1], config.covariates, path))
    assert states(found)[: len(expected)] == expected
    failed = [check for check in found if check.passed is False]
    assert all("PET + clinical, spine, volume, fold 1" in check.detail for check in failed)


def test_a_pipeline_that_learns_nothing_is_not_called_tight(table, clinical, folds, run, config):
    """Comparing what never changes proves nothing."""
    frozen = run(table, [clinical], folds[:1])
    _, _, seen, _ = training_checks(table, [clinical], folds[:1], config.covariates, lambda *_: frozen)
    assert seen.passed is False


def test_the_planted_leak_is_caught_and_a_blind_audit_is_not_believed(table, clinical, folds, run, config):
    check = planted_leak(table, clinical, folds[0], config.covariates, run)
    assert check.passed
    assert "mean and spread of all patients" in check.detail
    assert "centred among themselves" in check.detail
    frozen = run(table, [clinical], folds[:1])
    blind = planted_leak(table, clinical, folds[0], config.covariates, lambda *_: frozen)
    assert blind.passed is False
    assert blind.detail.startswith("Not caught: ")


def test_permuted_outcomes_of_a_tight_and_of_a_leaking_row(table, clinical, run):
    def folds_of(permuted_table):
        return stratified_folds(permuted_table.outcome, folds=3, time_quantiles=2, seed=0)

    (tight,) = permuted_rows(table, [clinical], folds_of, run, permutations=4)
    assert len(tight.c_index) == 4
    assert tight.lower < tight.mean < tight.upper
    assert permutation_check([tight]).passed

    def told(permuted_table, specs, folds):
        results = run(permuted_table, specs, folds)
        return [[replace(one, c_index=0.8 + one.c_index / 10) for one in row] for row in results]

    assert permutation_check(permuted_rows(table, [clinical], folds_of, told, permutations=4)).passed is False


def test_a_row_below_chance_is_no_leak_and_one_permutation_says_nothing():
    low = PermutedRow(row="a", c_index=[0.3, 0.31, 0.32], mean=0.31, lower=0.29, upper=0.33)
    assert permutation_check([low]).passed
    assert permutation_check([PermutedRow(row="a", c_index=[0.9], mean=0.9, lower=None, upper=None)]).passed is None
    assert permutation_check([]).passed is None


def test_another_order_gives_the_same_risks(table, rows, folds, run):
    specs = cheap(list(rows.values()))
    assert [spec.survival for spec in specs] == ["ridge Cox"] * 3
    same = order_check(table, specs, folds, run)
    assert same.passed
    assert "ridge Cox should give the same risks, and does: 'Clinical, ridge Cox', " in same.detail

    def by_position(moved, specs, folds):
        return with_test_risks(run(moved, specs, folds), [0.01 * fold.test_index for fold in folds])

    off = order_check(table, specs, folds, by_position)
    assert off.passed is False
    assert "does not for 'Clinical, ridge Cox'" in off.detail


def test_alterations_touch_whom_they_name_and_all_of_them(table, config):
    index = np.array([3, 7])
    others = np.setdiff1d(np.arange(len(table)), index)
    wild = altered(table, index, config.covariates, seed=0)
    for key, array in wild.features.embeddings.items():
        before = table.features.embeddings[key]
        assert np.isfinite(array).all()
        assert (np.abs(array[index]).max(axis=1) > 1000).all()
        np.testing.assert_array_equal(array[others], before[others])
    pd.testing.assert_frame_equal(
        wild.features.covariates.iloc[others], table.features.covariates.astype(object).iloc[others]
    )
    assert wild.features.covariates.iloc[index].notna().all(axis=None)
    for made in (wild, with_outcomes(table, index, seed=0)):
        np.testing.assert_array_equal(made.outcome.event[index], ~table.outcome.event[index])
        np.testing.assert_array_equal(made.outcome.time[others], table.outcome.time[others])
    shuffled = permuted(table, others, seed=0)
    np.testing.assert_array_equal(shuffled.outcome.time[index], table.outcome.time[index])
    assert sorted(shuffled.outcome.time) == sorted(table.outcome.time)
    pairs = {(event, time) for event, time in zip(table.outcome.event, table.outcome.time, strict=True)}
    assert {
        (event, time) for event, time in zip(shuffled.outcome.event, shuffled.outcome.time, strict=True)
    } == pairs


def twins(table, embedding=True, clinical=True, constant=False):
    """Patient 5 once more, under the id of patient 20."""
    index = np.arange(len(table))
    index[20] = 5 if clinical else 20
    covariates = table.features.covariates.iloc[index].reset_index(drop=True)
    arrays = {key: array.copy() for key, array in table.features.embeddings.items()}
    for array in arrays.values():
        array[20] = array[5] if embedding else array[20]
        if constant:
            array[[5, 20]] = 0
    return StudyTable(PatientFeatures(table.features.ids, covariates, arrays), table.outcome.subset(index))


@pytest.mark.parametrize(
    ("kind", "passed"),
    [
        ({}, [False, None]),
        ({"clinical": False}, [False, True]),
        ({"embedding": False}, [True, None]),
        ({"embedding": False, "clinical": False}, [True, True]),
        ({"constant": True, "clinical": False}, [True, True]),
    ],
)
def test_patients_who_come_twice(table, kind, passed):
    made = twins(table, **kind)
    split = [Fold(np.setdiff1d(np.arange(36), [5]), np.array([5]))]
    found = duplicates(made, split)
    assert all(one.ids == ("P005", "P020") and one.across for one in found)
    checks = list(duplicate_checks(found, images=True))
    assert states(checks) == passed
    assert not any("P005" in check.detail for check in checks)
    assert not any(one.across for one in duplicates(made, [Fold(np.arange(36), np.array([], dtype=int))]))


def test_folds_that_overlap_or_change_are_refused(table, folds):
    assert fold_check(folds, folds, len(table)).passed
    later = [Fold(np.arange(20), np.arange(20, 30)), Fold(np.arange(30), np.arange(30, 36))]
    by_time = fold_check(later, later, 36)
    assert by_time.passed
    assert "20 patient(s) who never test" in by_time.detail
    both = [Fold(np.arange(36), folds[0].test_index), *folds[1:]]
    assert "both train and test in fold 1" in fold_check(both, both, 36).detail.lower()
    assert "test twice" in fold_check([folds[0], folds[0]], [folds[0], folds[0]], 36).detail
    assert fold_check(folds, folds[::-1], 36).passed is False
    assert folds_digest(folds) != folds_digest(folds[::-1])
