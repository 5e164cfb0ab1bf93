"""Gaps filled with draws: what can be there, and nothing of a test patient."""

from dataclasses import replace

import numpy as np
import pandas as pd
from side_analyses import OF_CLINICAL, RIDGE, main_analysis, quick_rows, with_gaps

from engram.evaluation.imputation import GapFiller
from engram.evaluation.missingness import missingness
from engram.table import PatientFeatures


def fitted(table, config, index, seed=1):
    part = table.features.subset(np.asarray(index))
    return GapFiller.of(part, config.covariates, max_missing=0.4, seed=seed)


def test_gaps_are_filled_with_what_can_be_there(clinical, make_config):
    table, config = with_gaps(clinical(n=80)), make_config(**OF_CLINICAL)
    train, test = np.arange(60), np.arange(60, 80)
    filler = fitted(table, config, train)
    raw = table.features.covariates
    for filled, index in ((filler.training, train), (filler.fill(table.features.subset(test)), test)):
        assert filled.notna().all(axis=None)
        assert set(filled["sex"]) <= {"F", "M"}
        assert set(filled["stage"]) <= {"I", "II", "III"}
        assert (
            filled["age"]
            .between(raw["age"][train].min(), raw["age"][train].max())[raw["age"].isna().to_numpy()[index]]
            .all()
        )
        known = raw.iloc[index].reset_index(drop=True)
        pd.testing.assert_frame_equal(filled.where(known.notna()), known.where(known.notna()), check_dtype=False)
    other = fitted(table, config, train, seed=2)
    assert not other.training.equals(filler.training)
    assert fitted(table, config, train).training.equals(filler.training)


def test_draws_follow_what_goes_with_what(make_config):
    """A missing age is drawn near that of patients alike, and spreads."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=300)
    covariates = pd.DataFrame({"age": 60 + 8 * size + rng.normal(size=300), "size": size})
    covariates.loc[:99, "age"] = np.nan
    config = make_config(
        **OF_CLINICAL,
        covariates={"age": {"kind": "continuous", "unit": "y"}, "size": {"kind": "continuous", "unit": "1"}},
    )
    features = PatientFeatures(tuple(f"P{i}" for i in range(300)), covariates)
    filled = GapFiller.of(features, config.covariates, max_missing=0.4, seed=0).training["age"][:100]
    residual = filled - (60 + 8 * size[:100])
    assert np.corrcoef(filled, size[:100])[0, 1] > 0.95
    assert 0.6 < residual.std() < 1.5


def test_nothing_of_a_test_patient_reaches_the_imputer(clinical, make_config, quick):
    """Every test patient is altered: what the training patients get is the same to the last bit."""
    config = make_config(**OF_CLINICAL, sensitivity={"imputations": 2}, evaluation={"max_missing": 0.6})
    table = with_gaps(clinical(n=60))
    folds, results = main_analysis(table, config, quick)
    fold, seen = folds[0], []

    def watching(table, specs, folds, config, **kwargs):
        training = table.features.covariates.iloc[folds[0].train_index]
        if len(training) == len(fold.train_index) and training.notna().all(axis=None):
            seen.append(training)
        return quick_rows(table, specs, folds, config, **kwargs)

    wild = table.features.covariates.copy()
    wild.loc[fold.test_index, "age"] = np.linspace(-1e6, 1e6, len(fold.test_index))
    wild.loc[fold.test_index, "sex"] = None
    wild.loc[fold.test_index, "stage"] = "III"
    altered = replace(table, features=replace(table.features, covariates=wild))
    for one in (table, altered):
        missingness(one, [RIDGE], [results[0][:1]], [fold], config, replace(quick, rows=watching))
    assert len(seen) == 4
    for before, after in zip(seen[:2], seen[2:], strict=True):
        pd.testing.assert_frame_equal(before, after, check_exact=True)
    moved = wild.copy()
    moved.loc[fold.train_index, "age"] += np.linspace(0, 50, len(fold.train_index))
    assert not fitted(altered, config, fold.train_index).training.equals(
        fitted(
            replace(table, features=replace(table.features, covariates=moved)), config, fold.train_index
        ).training
    )
