"""Vector read-outs in a fold: what is dropped, imputed, scaled and rotated, and whether a signal is found."""

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from engram.errors import CohortError, ImagingError
from engram.evaluation import vectors as vectors_module
from engram.evaluation.fold_fit import fit_fold, fit_model
from engram.evaluation.folds import stratified_folds
from engram.evaluation.preprocess import Preprocess
from engram.evaluation.rows import rows_of
from engram.evaluation.vectors import Components
from engram.outcome import SurvivalOutcome
from engram.table import EmbeddingKey, PatientFeatures, StudyTable

PET, CT = EmbeddingKey("PET", "spine", "volume"), EmbeddingKey("CT", "spine", "volume")
REGIONS = EmbeddingKey("PET", "spine", "regions")


def features_of(**embeddings):
    names = {"pet": PET, "ct": CT, "regions": REGIONS}
    arrays = {names[name]: np.asarray(array, dtype=np.float32) for name, array in embeddings.items()}
    n = len(next(iter(arrays.values())))
    return PatientFeatures(tuple(f"P{i}" for i in range(n)), pd.DataFrame(index=range(n)), arrays)


def fitted(features, *keys, components=8):
    return Preprocess({}, keys, 0.4, paper_maps=False, components=components).fit(features)


def noise(n=40, p=12, seed=0):
    return np.random.default_rng(seed).normal(3, 2, size=(n, p))


def test_components_are_those_of_a_singular_value_decomposition_of_z_scores():
    vectors = noise() @ noise(12, 12, seed=1)
    standard = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0)
    left, singular, axes = np.linalg.svd(standard, full_matrices=False)
    found = Components.of(vectors, 3)
    signs = np.sign(axes[np.arange(3), np.abs(axes[:3]).argmax(axis=1)])
    np.testing.assert_allclose(found.axes, axes[:3] * signs[:, None], atol=1e-10)
    np.testing.assert_allclose(found.apply(vectors), left[:, :3] * signs * np.sqrt(40), atol=1e-5)
    assert found.explained == pytest.approx((singular[:3] ** 2).sum() / (singular**2).sum())


def test_components_have_mean_0_and_sd_1_in_training_and_a_test_patient_has_the_same_axes():
    step = fitted(features_of(pet=noise()), PET)
    training = step.transform(features_of(pet=noise())).vectors["PET"]
    assert training.shape == (40, 8)
    np.testing.assert_allclose(training.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(training.std(axis=0), 1, atol=1e-5)
    one = step.transform(features_of(pet=noise()[7:8])).vectors["PET"]
    np.testing.assert_allclose(one[0], training[7], atol=1e-6)


def test_no_more_components_than_patients_numbers_or_directions_allow():
    assert Components.of(noise(5, 12), 8).axes.shape == (4, 12)
    assert Components.of(noise(40, 3), 8).axes.shape == (3, 3)
    two = noise(40, 2) @ noise(2, 12)
    found = Components.of(two, 8)
    assert found.axes.shape == (2, 12)
    assert found.explained == pytest.approx(1)
    assert np.isfinite(found.apply(two * 1000)).all()


def test_what_a_patient_lacks_is_the_training_mean():
    vectors = noise()
    vectors[:9, :3] = np.nan
    found = Components.of(vectors, 8)
    filled = vectors.copy()
    filled[:9, :3] = vectors[9:, :3].mean(axis=0)
    np.testing.assert_allclose(found.mean, filled.mean(axis=0))
    np.testing.assert_allclose(found.apply(vectors), found.apply(filled), atol=1e-6)
    np.testing.assert_allclose(found.sd[:3], vectors[9:, :3].std(axis=0))
    assert found.imputed == pytest.approx(27 / vectors.size)


def test_columns_that_nobody_has_or_that_do_not_vary_are_dropped_and_said():
    vectors = noise()
    vectors[:, 0] = np.nan
    vectors[:, 1] = 0.1
    vectors[:, 2] = np.float32(1000) * (1 + 1e-7 * (np.arange(40) % 2))
    vectors[1:, 3] = np.nan
    step = fitted(features_of(regions=vectors), REGIONS)
    assert step.vectors_["PET"].kept.tolist() == [False] * 4 + [True] * 8
    (note,) = step.notes_
    assert note == "PET regions of spine: 4 of 12 numbers dropped: missing or the same in all training patients"
    changed = vectors.copy()
    changed[:, :4] = 77.0
    np.testing.assert_array_equal(
        step.transform(features_of(regions=changed)).vectors["PET"],
        step.transform(features_of(regions=vectors)).vectors["PET"],
    )


def test_notes_say_what_was_imputed():
    vectors = noise()
    vectors[:20, :2] = np.nan
    (note,) = fitted(features_of(regions=vectors), REGIONS, components=2).notes_
    assert note.endswith("about 10 % of the values missing, imputed by the mean")


def test_nothing_that_varies_is_refused_with_a_mend():
    with pytest.raises(
        CohortError, match=r"PET volume of spine: none of 3 numbers .* 'volume' out of embedding\.readouts"
    ):
        fitted(features_of(pet=np.ones((5, 3))), PET)


@pytest.mark.parametrize(
    ("name", "key", "value"), [("pet", PET, np.nan), ("pet", PET, np.inf), ("regions", REGIONS, np.inf)]
)
def test_a_value_that_is_not_finite_names_the_patient(name, key, value):
    vectors = noise()
    step = fitted(features_of(**{name: vectors}), key)
    vectors[3, 1] = value
    with pytest.raises(ImagingError, match=f"patient P3: PET embedding of spine, {key.readout}, is not finite"):
        fitted(features_of(**{name: vectors}), key)
    with pytest.raises(ImagingError, match="patient P3"):
        step.transform(features_of(**{name: vectors}))


def test_a_patient_without_any_region_is_refused():
    vectors = noise()
    vectors[3] = np.nan
    with pytest.raises(ImagingError, match=r"patient P3: .* meets no anatomical region"):
        fitted(features_of(regions=vectors), REGIONS)


def test_an_absent_read_out_is_refused():
    with pytest.raises(ValueError, match="no embedding"):
        fitted(features_of(pet=noise()), CT)


def test_components_are_found_on_one_thread(monkeypatch):
    """On two, the decomposition of wide vectors rounds differently: results would depend on the workers."""
    threads = []

    class Watched(vectors_module.PCA):
        def fit(self, X, y=None):
            threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
            return super().fit(X, y)

    monkeypatch.setattr(vectors_module, "PCA", Watched)
    with threadpool_limits(2, user_api="blas"):
        Components.of(noise(), 8)
    assert set(threads) == {1}


@pytest.fixture
def make_vectors(make_config):
    """A study of vectors. direction: a log-hazard of sd 1.2 lies along it in PET; None: nowhere."""

    def make(direction, n=150, p=30, seed=0, families=("image",)):
        rng = np.random.default_rng(seed)
        hidden = rng.normal(size=n)
        hazard = 1.2 * hidden if direction is not None else np.zeros(n)
        pet, ct = rng.normal(size=(2, n, p))
        pet += 0 if direction is None else 3 * np.outer(hidden, direction)
        time, censoring = rng.exponential(30 * np.exp(-hazard)) + 0.1, rng.exponential(90, n) + 0.1
        covariates = pd.DataFrame({"age": rng.normal(60, 8, n), "sex": "F", "stage": "I"})
        arrays = {PET: pet.astype(np.float32), CT: ct.astype(np.float32)}
        features = PatientFeatures(tuple(f"P{i}" for i in range(n)), covariates, arrays)
        config = make_config(embedding={"readouts": ["volume"]}, models={"families": families})
        return StudyTable(features, SurvivalOutcome(time <= censoring, np.minimum(time, censoring))), config

    return make


def mean_c(table, config, name):
    (spec,) = [row for row in rows_of(config) if row.name == name]
    folds = stratified_folds(table.outcome, folds=5, time_quantiles=4, seed=0)
    return np.mean([fit_fold(table, spec, fold, config, number=i).c_index for i, fold in enumerate(folds)])


def test_a_planted_direction_is_found_where_it_is_and_noise_gives_chance(make_vectors):
    direction = np.random.default_rng(5).normal(size=30)
    table, config = make_vectors(direction / np.linalg.norm(direction))
    assert mean_c(table, config, "PET, spine, volume") > 0.65
    assert mean_c(table, config, "PET + CT, spine, volume") > 0.65
    assert abs(mean_c(table, config, "CT, spine, volume") - 0.5) < 0.1
    chance = [mean_c(*make_vectors(None, seed=seed), "PET, spine, volume") for seed in range(4)]
    assert abs(np.mean(chance) - 0.5) < 0.05


def test_multimodal_rows_join_covariates_and_components_of_both_images(make_vectors):
    table, config = make_vectors(np.eye(30)[0], families=("multimodal",))
    rows = {row.name: row for row in rows_of(config)}
    model = fit_model(table, rows["PET + CT + clinical, spine, volume"], config, seed=0)
    assert model.pipeline.named_steps["survival"].cox_.coefficients.shape == (1 + 8 + 8,)
    one = fit_model(table, rows["CT + clinical, spine, volume"], config, seed=0)
    assert one.pipeline.named_steps["survival"].cox_.coefficients.shape == (1 + 8,)
    assert not [note for note in one.notes if note.startswith("CT volume")], "nothing was lost"


def test_a_larger_risk_is_worse_along_the_planted_direction(make_vectors):
    table, config = make_vectors(np.eye(30)[0])
    (spec,) = [row for row in rows_of(config) if row.name == "PET, spine, volume"]
    risk = fit_model(table, spec, config, seed=0).predict(table.features)
    assert np.corrcoef(risk, table.features.embeddings[PET][:, 0])[0, 1] > 0.5
