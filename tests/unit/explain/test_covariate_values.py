"""Values of covariates: they add up, and equal closed forms and brute force."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from engram.errors import CohortError, ConfigError
from engram.explain.clinical_risk import ClinicalRisk, columns_of_covariates
from engram.explain.covariate_values import covariate_values
from engram.explain.fold_models import fold_models
from engram.table import PatientFeatures

COX, DEEPSURV = "Clinical, ridge Cox", "Clinical, DeepSurv"
MULTIMODAL = "PET + CT + clinical, spine, gate"


@pytest.fixture
def explained(evaluated):
    """The model of the first fold, who trained it, and those held out."""

    def make(row, **how):
        study, kept, _ = evaluated(row, **how)
        model, features = fold_models(*study, **kept)[0], study[0].features
        return model, features.subset(model.train_index), features.subset(model.test_index)

    return make


@pytest.mark.parametrize("row", [COX, DEEPSURV, MULTIMODAL, "PET + clinical, spine"])
def test_values_add_up_to_the_risk_less_that_of_the_background(explained, row):
    model, training, held_out = explained(row)
    found = covariate_values(model, training, held_out)
    assert found.names == ("age", "sex", "stage")
    assert found.se is None
    assert found.background == 20
    np.testing.assert_allclose(found.values.sum(axis=1), found.risk - found.baseline, atol=1e-9)
    np.testing.assert_allclose(found.risk, model.risk(held_out), atol=1e-6)
    assert (np.abs(found.values).max(axis=0) > 1e-6).all()


def test_ridge_cox_has_the_closed_form(explained):
    """Coefficient times the value less its mean over the background, summed over the columns of a covariate."""
    model, training, held_out = explained(COX)
    found = covariate_values(model, training, held_out)
    own, background = (model.inputs(who, allow_training=True).clinical for who in (held_out, training))
    coefficients = model.fitted.pipeline.named_steps["survival"].cox_.coefficients
    of_columns = coefficients * (own.astype(float) - background.astype(float).mean(axis=0))
    columns = columns_of_covariates(model)
    expected = np.stack([of_columns[:, mine].sum(axis=1) for mine in columns.values()], axis=1)
    np.testing.assert_allclose(found.values, expected, atol=1e-9)
    assert {name: np.flatnonzero(mine).tolist() for name, mine in columns.items()} == {
        "age": [0],
        "sex": [1, 2],
        "stage": [3, 4, 5, 6],
    }


def brute_force(model, training, patient):
    """Over all orders, with raw covariates put together by hand and predicted by the whole model."""
    names = list(model.config.covariates)

    def worth(taken):
        n = len(training)
        mixed = training.covariates.astype(object).copy()
        for name in taken:
            mixed[name] = pd.Series([patient.covariates[name].iloc[0]] * n, index=mixed.index, dtype=object)
        images = {key: np.repeat(array, n, axis=0) for key, array in patient.embeddings.items()}
        features = PatientFeatures(tuple(f"mixed {i}" for i in range(n)), mixed, images)
        return model.fitted.predict(features).mean()

    values, orders = dict.fromkeys(names, 0.0), list(permutations(names))
    for order in orders:
        for place, name in enumerate(order):
            values[name] += (worth(order[: place + 1]) - worth(order[:place])) / len(orders)
    return [values[name] for name in names], worth(())


@pytest.mark.parametrize("row", [DEEPSURV, MULTIMODAL])
def test_a_network_is_explained_as_by_brute_force_on_raw_covariates(explained, row):
    model, training, held_out = explained(row)
    gap = next(i for i, age in enumerate(held_out.covariates["age"]) if np.isnan(age))  # missing stays missing
    for number in (0, gap):
        patient = held_out.subset(np.array([number]))
        found = covariate_values(model, training, patient)
        values, baseline = brute_force(model, training, patient)
        np.testing.assert_allclose(found.values[0], values, atol=1e-5)
        assert found.baseline[0] == pytest.approx(baseline, abs=1e-5)


def test_a_patient_has_the_same_values_alone_and_among_others(explained):
    model, training, held_out = explained(DEEPSURV)
    together = covariate_values(model, training, held_out, most_exact=1, pairs=4)
    alone = covariate_values(model, training, held_out.subset(np.array([3])), most_exact=1, pairs=4)
    np.testing.assert_array_equal(together.values[3], alone.values[0])
    assert together.se is not None
    np.testing.assert_allclose(together.values.sum(axis=1), together.risk - together.baseline, atol=1e-6)
    exact = covariate_values(model, training, held_out)
    np.testing.assert_allclose(together.values, exact.values, atol=0.1 * np.abs(exact.values).max())


def test_a_covariate_that_the_fold_dropped_is_worth_nothing(explained):
    covariates = {
        "age": {"kind": "continuous", "unit": "years"},
        "sex": {"kind": "categorical", "levels": ["F", "M"]},
        "stage": {"kind": "ordinal", "levels": ["I", "II", "III"], "missing": "impute"},
    }
    model, training, held_out = explained(COX, covariates=covariates, evaluation={"folds": 2, "max_missing": 0.18})
    assert any("'stage' dropped" in note for note in model.fitted.notes)
    found = covariate_values(model, training, held_out)
    assert (found.values[:, 2] == 0).all()
    np.testing.assert_allclose(found.values.sum(axis=1), found.risk - found.baseline, atol=1e-9)


def test_the_background_is_some_of_those_who_trained_the_model(explained):
    model, training, held_out = explained(COX)
    few, again = (covariate_values(model, training, held_out, most_background=5) for _ in range(2))
    assert few.background == 5
    np.testing.assert_array_equal(few.values, again.values)
    with pytest.raises(ValueError, match="the background must be who trained it"):
        covariate_values(model, held_out, held_out)


def test_who_trained_the_model_and_rows_without_covariates_are_refused(explained):
    model, training, held_out = explained(COX)
    with pytest.raises(CohortError, match="20 of 20 patients trained this model"):
        covariate_values(model, training, training)
    image, training, held_out = explained("PET, spine")
    with pytest.raises(ConfigError, match="'PET, spine' sees no covariates"):
        covariate_values(image, training, held_out)


def test_other_columns_give_the_risk_that_the_whole_model_gives(explained):
    model, _, held_out = explained(MULTIMODAL)
    inputs = model.inputs(held_out)
    of_first = ClinicalRisk.of(model, inputs.subset(np.array([0])))
    assert of_first(inputs.clinical[:1])[0] == pytest.approx(model.risk(held_out)[0], abs=1e-6)
