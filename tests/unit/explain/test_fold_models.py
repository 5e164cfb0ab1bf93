"""Models made again: those of the saved risks and no others, and never for those who trained them."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from engram.errors import CohortError, ConfigError, StorageError
from engram.evaluation import tuning as tuning_module
from engram.evaluation.fold_fit import fit_fold
from engram.evaluation.rows import rows_of
from engram.explain.control_models import PERMUTED, UNTRAINED, control_models
from engram.explain.fold_models import fold_models
from engram.table import EmbeddingKey

ROWS = ["Clinical, ridge Cox", "PET, spine", "PET + CT + clinical, spine, gate"]
PET = EmbeddingKey("PET", "spine")


def assert_alike(alone, together):
    """To the rounding of float32, which normalisation makes as large as 2e-5 of the risks' spread."""
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-4 * together.std())


@pytest.mark.parametrize("row", ROWS)
def test_models_made_again_have_the_risks_and_fingerprints_of_the_study(evaluated, row):
    study, kept, results = evaluated(row)
    models = fold_models(*study, **kept)
    for number, (model, result) in enumerate(zip(models, results, strict=True)):
        direct = fit_fold(study[0], study[1], study[2][number], study[3], number=number)
        np.testing.assert_array_equal(model.test_risk, result.test_risk)
        assert model.fingerprint == direct.fingerprint
        held_out = study[0].features.subset(model.test_index)
        assert held_out.ids == model.test_ids
        np.testing.assert_array_equal(model.fitted.predict(held_out), result.test_risk)
        assert_alike(model.risk(held_out), result.test_risk)


@pytest.mark.parametrize(("row", "others"), [("PET + CT, spine", ["CT, spine"]), ("CT, spine", [])])
def test_settings_and_epochs_are_those_that_a_search_found_on_this_row_or_another(
    evaluated, monkeypatch, row, others
):
    tuning = {"protocols": ["nested"], "trials": 2, "inner_folds": 2}
    training = {"max_epochs": 4, "patience": 2, "inner_folds": 1, "ensemble": 1, "learning_rate": 1e-2}
    study, kept, results = evaluated(row, others=others, tuning=tuning, training=training)
    monkeypatch.setattr(tuning_module, "validated", None)  # every trial is kept
    models = fold_models(*study, **kept)
    for model, result in zip(models, results, strict=True):
        np.testing.assert_array_equal(model.test_risk, result.test_risk)
    assert all(model.config.tuning == study[3].tuning for model in models)


def test_settings_of_a_search_on_the_test_folds_are_found_again(evaluated):
    slow = {"max_epochs": 8, "patience": 4, "inner_folds": 1, "ensemble": 1, "learning_rate": 1e-5}
    tuning = {"protocols": ["paper"], "trials": 4}
    study, kept, results = evaluated("Clinical, DeepSurv", tuning=tuning, training=slow)
    models = fold_models(*study, **kept)
    assert models[0].config.training == models[1].config.training != study[3].training
    for model, result in zip(models, results, strict=True):
        np.testing.assert_array_equal(model.test_risk, result.test_risk)


def test_no_model_is_left_on_disk(evaluated):
    study, kept, _ = evaluated("Clinical, DeepSurv")
    before = {path: path.read_bytes() for path in kept["cache_dir"].rglob("*") if path.is_file()}
    models = fold_models(*study, **kept)
    control_models(study[0], models, PERMUTED, cache_dir=kept["cache_dir"], workers=0)
    assert {path: path.read_bytes() for path in kept["cache_dir"].rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("row", ROWS)
def test_a_risk_is_the_same_alone_and_among_others(evaluated, row):
    study, kept, _ = evaluated(row)
    model = fold_models(*study, **kept)[0]
    together = model.risk(study[0].features.subset(model.test_index))
    alone = [model.risk(study[0].features.subset(np.array([i])))[0] for i in model.test_index]
    assert together.tolist() == alone


def test_versions_of_a_patient_keep_what_is_not_named(evaluated):
    study, kept, _ = evaluated(ROWS[2])
    model, features = fold_models(*study, **kept)[0], study[0].features
    first = model.test_index[:1]
    patient = features.subset(first)
    versions = np.stack([patient.embeddings[PET][0], np.zeros((2, 4, 8, 8), np.float32)])
    risks = model.risk_of_versions(patient, {PET: versions})
    assert risks[0] == model.risk(patient)[0]
    without = dataclasses.replace(patient, embeddings={**patient.embeddings, PET: versions[1:]})
    assert risks[1] == model.risk(without)[0] != risks[0]


def test_versions_that_do_not_go_together_are_refused(evaluated):
    study, kept, _ = evaluated("PET, spine")
    model, features = fold_models(*study, **kept)[0], study[0].features
    patient = features.subset(model.test_index[:1])
    with pytest.raises(ValueError, match="does not see"):
        model.risk_of_versions(patient, {EmbeddingKey("CT", "spine"): patient.embeddings[PET]})
    with pytest.raises(ValueError, match="versions of one patient, got 2"):
        model.risk_of_versions(features.subset(model.test_index[:2]), patient.embeddings)


def test_who_trained_a_model_is_not_explained_by_it(evaluated):
    study, kept, _ = evaluated("PET, spine")
    model, features = fold_models(*study, **kept)[0], study[0].features
    trained = features.subset(model.train_index[:1])
    refused = f"fold 1: 1 of 1 patients trained this model, '{trained.ids[0]}'"
    for ask in (model.risk, model.inputs, lambda one: model.risk_of_versions(one, {PET: one.embeddings[PET]})):
        with pytest.raises(CohortError, match=refused):
            ask(trained)
    assert np.isfinite(model.risk(trained, allow_training=True)).all()


def test_kept_risks_of_another_model_are_refused(evaluated):
    study, kept, _ = evaluated("Clinical, ridge Cox")
    file = sorted(kept["cache_dir"].glob("*.json"))[0]
    stored = json.loads(file.read_text())
    file.write_text(json.dumps(stored | {"test_risk": [stored["test_risk"][0] + 1e-12, *stored["test_risk"][1:]]}))
    with pytest.raises(StorageError, match=r"fold \d: .* \(1 of 20 risks differ, by up to 1e-12\)"):
        fold_models(*study, **kept)
    file.write_text(json.dumps(stored | {"fingerprint": "0"}))
    with pytest.raises(StorageError, match="another fingerprint"):
        fold_models(*study, **kept)


def test_without_anything_to_hold_it_to_no_model_is_handed_out(evaluated, tmp_path):
    study, kept, results = evaluated("Clinical, ridge Cox")
    elsewhere = kept | {"cache_dir": tmp_path / "empty"}
    with pytest.raises(StorageError, match="fold 1: no risks are kept"):
        fold_models(*study, **elsewhere)
    of_patient = {
        study[0].features.ids[i]: risk
        for fold, result in zip(study[2], results, strict=True)
        for i, risk in zip(fold.test_index, result.test_risk, strict=True)
    }
    saved = pd.Series(of_patient)
    assert len(fold_models(*study, **elsewhere, saved=saved)) == 2
    with pytest.raises(StorageError, match="1 of 20 test patients have no saved risk"):
        fold_models(*study, **kept, saved=saved.iloc[1:])
    with pytest.raises(StorageError, match="not the one that made the saved out-of-fold risks"):
        fold_models(*study, **kept, saved=saved + 1e-15)


def test_a_row_that_was_not_evaluated_is_refused(evaluated):
    study, kept, _ = evaluated("Clinical, ridge Cox")
    table, _, folds, config = study
    other = next(spec for spec in rows_of(config) if spec.name == "CT, spine")
    with pytest.raises(ConfigError, match="'CT, spine' is no row of this study"):
        fold_models(table, other, folds, config, **kept)


@pytest.mark.parametrize("row", ["PET, spine", "Clinical, ridge Cox"])
@pytest.mark.parametrize("control", [PERMUTED, UNTRAINED])
def test_controls_are_of_the_same_design_and_learned_nothing(evaluated, row, control):
    study, kept, _ = evaluated(row)
    models = fold_models(*study, **kept)
    given = (study[0], models, control)
    spoiled, again, other = (
        control_models(*given, cache_dir=kept["cache_dir"], workers=0, seed=seed) for seed in (0, 0, 1)
    )
    for model, first, same, another in zip(models, spoiled, again, other, strict=True):
        assert first.control == control
        assert (first.epochs == model.epochs) or control == UNTRAINED
        np.testing.assert_array_equal(first.test_risk, same.test_risk)
        for different in (model, another):
            assert not np.array_equal(first.test_risk, different.test_risk)
        held_out = study[0].features.subset(first.test_index)
        assert_alike(first.risk(held_out), first.test_risk)
        assert first.fingerprint != model.fingerprint
    if row == "PET, spine" and control == UNTRAINED:
        assert [model.epochs for model in spoiled] == [0, 0]


def test_permuted_controls_never_see_the_outcome_of_a_test_patient(evaluated):
    study, kept, _ = evaluated("Clinical, ridge Cox")
    models = fold_models(*study, **kept)
    time = study[0].outcome.time.copy()
    time[models[0].test_index] *= 7
    changed = dataclasses.replace(study[0], outcome=dataclasses.replace(study[0].outcome, time=time))
    one, other = (
        control_models(table, models[:1], PERMUTED, cache_dir=kept["cache_dir"], workers=0)
        for table in (study[0], changed)
    )
    assert one[0].fingerprint == other[0].fingerprint


def test_an_unknown_control_is_refused(evaluated):
    study, kept, _ = evaluated("Clinical, ridge Cox")
    models = fold_models(*study, **kept)
    with pytest.raises(ConfigError, match="'noise' is no control"):
        control_models(study[0], models, "noise", cache_dir=kept["cache_dir"], workers=0)
