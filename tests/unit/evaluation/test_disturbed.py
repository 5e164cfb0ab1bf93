"""Rows on other embeddings: frozen models are the study's own, and nobody is judged by a model that knows him."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engram.evaluation.disturbed import (
    OtherReading,
    PairedRisks,
    c_index_change,
    frozen_risks,
    restricted,
    retrained_risks,
)
from engram.evaluation.fold_fit import fit_fold, fit_model, job_seed, visible
from engram.evaluation.folds import study_folds
from engram.evaluation.protocols import headline_rows
from engram.evaluation.rows import rows_of
from engram.outcome import SurvivalOutcome


@pytest.fixture
def study(make_config, make_study, tmp_path):
    """A table, two of its rows (one of them a network), folds, and what runs rows on folds."""
    config = make_config(
        evaluation={"folds": 3}, models={"origins": ["PET"], "families": ["image"], "heads": ["averaging", "PCA"]}
    )
    table, _ = make_study(n=36)
    specs = rows_of(config)
    keys = {key: a for key, a in table.features.embeddings.items() if key.modality == "PET"}
    table = replace(table, features=replace(table.features, embeddings=keys))

    def run(table, specs, folds):
        return headline_rows(table, specs, folds, config, workers=0, cache_dir=tmp_path)

    return config, table, specs, study_folds(table, config.evaluation), run


def other_reading(table, index, name="other", noise=0.7):
    rng = np.random.default_rng(len(index))
    some = table.subset(index)
    arrays = {
        key: (array + noise * rng.normal(size=array.shape)).astype(np.float32)
        for key, array in some.features.embeddings.items()
    }
    return OtherReading(name, index, replace(some, features=replace(some.features, embeddings=arrays)))


def test_frozen_models_are_those_of_the_study_bit_for_bit(study) -> None:
    config, table, specs, folds, run = study
    everybody, some = np.arange(36), np.arange(0, 36, 2)
    readings = [other_reading(table, everybody), other_reading(table, some, "some")]
    found = frozen_risks(table, readings, specs, folds, run)
    for row, spec in enumerate(specs):
        for number, fold in enumerate(folds):
            mine = fit_fold(table, spec, fold, config, number=number)
            assert found[0][row].own[number].tolist() == mine.test_risk.tolist()
            model = fit_model(
                table.subset(fold.train_index),
                spec,
                config,
                seed=job_seed(config.evaluation.seed, spec.name, number),
            )
            test = [i for i in some if i in fold.test_index]
            at = np.searchsorted(some, test)
            theirs = model.predict(visible(readings[1].table.features.subset(at), spec))
            assert np.allclose(found[1][row].other[number], theirs, rtol=1e-5)
            assert found[1][row].own[number].tolist() == mine.test_risk[np.isin(fold.test_index, test)].tolist()
            assert found[1][row].outcomes[number].time.tolist() == table.outcome.time[test].tolist()


def test_other_readings_train_nobody(study) -> None:
    """What is read in another way changes no risk of the study's own embeddings, nor of another reading."""
    _, table, specs, folds, run = study
    one = other_reading(table, np.arange(36))
    wild = other_reading(table, np.arange(36), "wild", noise=50.0)
    alone = frozen_risks(table, [one], specs, folds, run)
    beside = frozen_risks(table, [one, wild], specs, folds, run)
    for a, b in zip(alone[0], beside[0], strict=True):
        assert np.concatenate(a.own).tolist() == np.concatenate(b.own).tolist()
        assert np.allclose(np.concatenate(a.other), np.concatenate(b.other), rtol=1e-5)


def test_retrained_models_of_the_same_embeddings_change_nothing(study) -> None:
    _, table, specs, folds, run = study
    same = run(table, specs, folds)
    risks = retrained_risks(same, run(table, specs, folds), [table.outcome.subset(f.test_index) for f in folds])
    for spec, of_row in zip(specs, risks, strict=True):
        change = c_index_change(spec.name, "retrained", of_row, held_out_ratio=0.5, seed=0)
        assert change.difference == 0
        assert change.c_index == change.c_study


def test_noise_costs_and_the_interval_says_so(study) -> None:
    _, table, specs, folds, run = study
    found = frozen_risks(table, [other_reading(table, np.arange(36), noise=40.0)], specs, folds, run)
    change = c_index_change("row", "frozen", found[0][1], held_out_ratio=0.5, seed=0)
    assert change.n == 36
    assert change.c_study is not None
    assert change.c_study > 0.65
    assert change.difference == pytest.approx((change.c_index or 0) - change.c_study)
    assert (change.difference_lower or 0) < (change.difference or 0) < (change.difference_upper or 0)
    assert (change.difference or 0) < -0.05


def test_the_same_folds_for_some_of_the_patients(study) -> None:
    folds = study[3]
    index = np.array([i for i in range(36) if i not in folds[1].test_index and i % 5])
    found = restricted(folds, index, 36)
    assert len(found) == 2  # nobody is left to test in the second
    for fold, of in zip(found, (folds[0], folds[2]), strict=True):
        assert index[fold.test_index].tolist() == [i for i in of.test_index if i in index]
        assert index[fold.train_index].tolist() == [i for i in of.train_index if i in index]


def test_a_fold_without_comparable_pairs_counts_for_neither() -> None:
    outcomes = [SurvivalOutcome([True, True, False], [1.0, 2.0, 3.0]), SurvivalOutcome([False, False], [1.0, 2.0])]
    risks = PairedRisks(
        [np.array([3.0, 2.0, 1.0]), np.zeros(2)], [np.array([1.0, 2.0, 3.0]), np.zeros(2)], outcomes
    )
    change = c_index_change("row", "frozen", risks, held_out_ratio=0.5, seed=0)
    assert (change.c_study, change.c_index, change.difference, change.p_corrected) == (1.0, 0.0, -1.0, None)
