"""Values over a cohort: in the study's order, by numbers and not names, with honest intervals."""

import numpy as np
import pytest

from engram.evaluation.explanation_records import CovariateEffects, ExplainedModel
from engram.explain.covariate_summary import covariate_effects, mean_interval, model_record
from engram.explain.covariate_values import covariate_values
from engram.explain.fold_models import fold_models


@pytest.fixture
def explained(evaluated):
    """Models of both folds, values of all patients, and the whole study."""

    def make(row="Clinical, DeepSurv", **how):
        study, kept, _ = evaluated(row)
        models, features = fold_models(*study, **kept), study[0].features
        found = [
            covariate_values(model, features.subset(model.train_index), features.subset(model.test_index), **how)
            for model in models
        ]
        return models, found, features

    return make


def test_patients_are_in_the_order_of_the_study_whatever_the_folds(explained):
    models, found, features = explained()
    effects = covariate_effects(models[::-1], found[::-1], features)
    assert effects.patients == list(range(1, 41))
    assert effects.exact
    assert [effect.covariate for effect in effects.effects] == ["age", "sex", "stage"]
    for model, of_fold in zip(models, found, strict=True):
        for place, position in enumerate(model.test_index):
            assert effects.folds[position] == model.number + 1
            assert effects.risk[position] == of_fold.risk[place]
            values = [effect.values[position] for effect in effects.effects]
            assert values == of_fold.values[place].tolist()
            assert sum(values) == pytest.approx(effects.risk[position] - effects.baseline[position], abs=1e-6)


def test_places_are_ranks_of_what_has_an_order(explained):
    models, found, features = explained()
    age, sex, stage = (effect.places for effect in covariate_effects(models, found, features).effects)
    years = features.covariates["age"].to_numpy()
    assert age[int(np.nanargmin(years))] == 0
    assert age[int(np.nanargmax(years))] == pytest.approx(1)
    assert [place is None for place in age] == np.isnan(years).tolist()
    assert set(sex) == {None}
    levels = features.covariates["stage"].tolist()
    assert {level: {stage[i] for i, own in enumerate(levels) if own == level} for level in ("I", None)}[None] == {
        None
    }
    order = [stage[levels.index(level)] for level in ("I", "II", "III")]
    assert order == sorted(order)
    assert len(set(order)) == 3


def test_no_patient_is_named_and_a_record_survives_its_file(explained):
    models, found, features = explained(most_exact=1, pairs=4)
    effects = covariate_effects(models, found, features)
    text = effects.model_dump_json()
    assert CovariateEffects.model_validate_json(text) == effects
    assert not effects.exact
    assert all(effect.largest_se > 0 for effect in effects.effects)
    record = model_record(models[0])
    assert ExplainedModel.model_validate_json(record.model_dump_json()) == record
    assert (record.fold, record.held_out, record.networks) == (1, 20, 2)
    assert not any(patient in text + record.model_dump_json() for patient in features.ids)


def test_the_interval_is_of_the_mean_and_the_same_again(explained):
    models, found, features = explained("Clinical, ridge Cox")
    one, two = (covariate_effects(models, found, features) for _ in range(2))
    assert one == two
    for effect in one.effects:
        assert effect.mean_absolute == pytest.approx(np.abs(effect.values).mean())
        assert 0 <= effect.ci_lower < effect.mean_absolute < effect.ci_upper


def test_the_interval_has_the_width_that_theory_gives():
    parts = [np.random.default_rng(seed).normal(2.0, 1.0, 100) for seed in (0, 1)]
    found = mean_interval(parts, seed=0)
    half = 1.96 * np.sqrt(sum(part.var() for part in parts) / 2 / 200)
    assert (found.upper - found.lower) / 2 == pytest.approx(half, rel=0.1)


@pytest.mark.parametrize("parts", [[np.arange(4.0)] * 2, [np.ones(10)] * 2, [np.arange(20.0), np.ones(1)]])
def test_few_patients_a_fold_of_one_or_all_alike_have_no_interval(parts):
    assert mean_interval(parts, seed=0) is None


def test_a_patient_who_comes_twice_is_refused(explained):
    models, found, features = explained("Clinical, ridge Cox")
    with pytest.raises(ValueError, match="two folds"):
        covariate_effects([*models, models[0]], [*found, found[0]], features)
