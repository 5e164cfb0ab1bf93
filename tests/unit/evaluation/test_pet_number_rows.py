"""The baseline of PET numbers: its rows, its scaling inside a fold, and whether a signal in them is found."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from engram.errors import CohortError, ImagingError
from engram.evaluation.fold_fit import fit_fold, fit_model, visible
from engram.evaluation.folds import stratified_folds
from engram.evaluation.preprocess import Preprocess, keys_of
from engram.evaluation.rows import rows_of
from engram.evaluation.study import evaluate_study
from engram.evaluation.vectors import Scaled
from engram.table import EmbeddingKey, PatientFeatures, StudyTable

NUMBERS = EmbeddingKey("PET", "spine", "pet_numbers")
ASKED = {"baselines": ["pet_numbers"]}


@pytest.fixture
def study(make_study):
    """The small study, with five numbers of the PET; the second tells of the images' part of the hazard."""
    table, truth = make_study(80)
    numbers = np.random.default_rng(3).normal(size=(80, 5))
    numbers[:, 1] += truth["imaging"]
    embeddings = {**table.features.embeddings, NUMBERS: numbers.astype(np.float32)}
    features = PatientFeatures(table.features.ids, table.features.covariates, embeddings)
    return StudyTable(features, table.outcome), truth


def test_baselines_come_last_and_change_no_other_row(make_config):
    rois = {"spine": {"mask": "m"}, "skeleton": {"mask": "k"}}
    plain = rows_of(make_config(rois=rois))
    rows = rows_of(make_config(rois=rois, models=ASKED))
    assert rows[: len(plain)] == plain
    assert [row.name for row in rows[len(plain) :]] == [
        "PET numbers, spine",
        "PET numbers, skeleton",
        "PET numbers + clinical, spine",
        "PET numbers + clinical, skeleton",
    ]
    assert keys_of(rows[len(plain)]) == (NUMBERS,)
    assert {(row.head, row.survival) for row in rows[len(plain) :]} == {("-", "ridge Cox")}
    assert [row.fusion for row in rows[-4:]] == ["-", "-", "concatenation", "concatenation"]
    alone = rows_of(make_config(models={**ASKED, "families": ["image"]}))
    assert [row.name for row in alone][-1] == "PET numbers, spine"


def test_they_are_run_by_default_where_a_model_sees_the_pet(make_config):
    config = make_config(models={"baselines": None})
    assert sum(row.readout == "pet_numbers" for row in rows_of(config)) == 2
    for sections in ({"images": {"pet": None}}, {"models": {"baselines": None, "origins": ["CT"]}}):
        rows = rows_of(make_config(**{"models": {"baselines": None}, **sections}))
        assert not [row for row in rows if row.readout == "pet_numbers"]


def test_they_are_refused_where_no_model_sees_the_pet(make_config):
    for sections in ({"images": {"pet": None}}, {"models": {**ASKED, "origins": ["CT"]}}):
        with pytest.raises(ValidationError, match="no model of this study sees the PET"):
            make_config(**{"models": ASKED, **sections})


def test_a_signal_in_the_numbers_is_found_and_their_row_names_no_model(study, make_config, tmp_path):
    table, truth = study
    config = make_config(models={**ASKED, "families": ["image"], "origins": ["PET"]}, evaluation={"folds": 4})
    found = evaluate_study(table, config, truth, encoder="mini", workers=0, cache_dir=tmp_path)
    rows = {row.name: row for row in found.rows}
    row = rows["PET numbers, spine"]
    assert row.mean > 0.62
    assert (row.encoder, row.readout, row.family) == ("-", "pet_numbers", "image")
    assert rows["PET, spine"].encoder == "mini"
    assert row.true_mean == rows["PET, spine"].true_mean


def test_each_number_is_scaled_by_the_training_patients_and_keeps_its_place(study, make_config):
    table, _ = study
    config = make_config(models=ASKED)
    spec = {row.name: row for row in rows_of(config)}["PET numbers + clinical, spine"]
    fold = stratified_folds(table.outcome, folds=4, time_quantiles=2, seed=0)[0]
    training = table.subset(fold.train_index)
    model = fit_model(training, spec, config, seed=0)
    inputs = model.pipeline.named_steps["preprocess"].transform(visible(training.features, spec))
    raw = training.features.embeddings[NUMBERS]
    np.testing.assert_allclose(inputs.vectors["PET"], (raw - raw.mean(axis=0)) / raw.std(axis=0), atol=1e-5)
    assert inputs.clinical is not None
    assert len(model.pipeline.named_steps["survival"].cox_.coefficients) == 5 + inputs.clinical.shape[1]
    assert fit_fold(table, spec, fold, config).c_index is not None


def test_what_is_missing_is_the_training_mean_and_what_is_constant_is_dropped():
    vectors = np.array([[1.0, 7.0, np.nan], [3.0, 7.0, 2.0], [5.0, 7.0, 4.0], [7.0, 7.0, 6.0]])
    scaled = Scaled.of(vectors)
    np.testing.assert_array_equal(scaled.kept, [True, False, True])
    found = scaled.apply(vectors)
    np.testing.assert_allclose(found[0], [-3 / np.sqrt(5), 0.0], rtol=1e-6)
    assert "1 of 3 numbers dropped" in scaled.losses
    assert "imputed by the mean" in scaled.losses
    with pytest.raises(CohortError, match="none of 1 numbers differs"):
        Scaled.of(np.ones((4, 1)))


def test_a_patient_without_any_number_is_named():
    numbers = np.ones((3, 5), np.float32) * np.arange(3, dtype=np.float32)[:, None]
    numbers[1] = np.nan
    features = PatientFeatures(("A", "B", "C"), pd.DataFrame(index=range(3)), {NUMBERS: numbers})
    with pytest.raises(ImagingError, match=r"B: spine lies outside the PET.*min_roi_in_pet.*models.baselines"):
        Preprocess({}, (NUMBERS,), 0.4, paper_maps=False, components=8).fit(features)


def test_no_row_of_numbers_sees_the_memory(study, make_config):
    table, _ = study
    (spec,) = [row for row in rows_of(make_config(models=ASKED)) if row.name == "PET numbers, spine"]
    seen = visible(table.features, spec)
    assert list(seen.embeddings) == [NUMBERS]
    assert seen.covariates.shape[1] == 0
