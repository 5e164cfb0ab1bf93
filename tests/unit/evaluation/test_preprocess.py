"""In-fold preprocessing: what is imputed, encoded, scaled and dropped, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from engram.config import Covariate
from engram.errors import ClinicalError, CohortError, ImagingError
from engram.evaluation.maps import MapStatistics, head_maps
from engram.evaluation.preprocess import Preprocess
from engram.table import EmbeddingKey, PatientFeatures

PET = EmbeddingKey("PET", "spine")


def features_of(embeddings=None, **columns):
    n = len(next(iter(columns.values()))) if columns else len(next(iter(embeddings.values())))
    frame = pd.DataFrame(columns, index=range(n))
    return PatientFeatures(tuple(f"P{i}" for i in range(n)), frame, embeddings or {})


def covariate(kind, **fields):
    return Covariate.model_validate({"kind": kind, **({"unit": "1"} if kind == "continuous" else {}), **fields})


def fitted(features, max_missing=0.4, embeddings=(), **covariates):
    return Preprocess(covariates, embeddings, max_missing, paper_maps=False, components=8).fit(features)


def test_continuous_is_imputed_by_the_training_median_then_scaled():
    training = features_of(x=[1.0, 2.0, 9.0, None, 4.0])
    step = fitted(training, x=covariate("continuous"))
    filled = np.array([1, 2, 9, 3, 4.0])
    expected = (filled - filled.mean()) / filled.std()
    np.testing.assert_allclose(step.transform(training).clinical[:, 0], expected, rtol=1e-6)
    new = step.transform(features_of(x=[None, 100.0])).clinical[:, 0]
    np.testing.assert_allclose(new, (np.array([3, 100.0]) - filled.mean()) / filled.std(), rtol=1e-6)


def test_categorical_is_one_hot_in_declared_order_with_the_most_frequent_for_missing():
    training = features_of(s=["F", "M", "M", None])
    step = fitted(training, s=covariate("categorical", levels=["F", "M"]))
    assert step.transform(training).clinical.tolist() == [[1, 0], [0, 1], [0, 1], [0, 1]]
    assert step.transform(features_of(s=[None, "F"])).clinical.tolist() == [[0, 1], [1, 0]]


def test_missing_can_be_a_level_of_its_own_for_categorical_and_ordinal():
    for kind in ("categorical", "ordinal"):
        training = features_of(s=["I", "II", None, "II"])
        step = fitted(training, s=covariate(kind, levels=["I", "II"], missing="level"))
        assert step.transform(training).clinical.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]]


def test_ordinal_keeps_its_order_and_its_distances():
    training = features_of(s=["low", "high", "mid", None, "mid"])
    step = fitted(training, s=covariate("ordinal", levels=["low", "mid", "high"]))
    ranks = np.array([0, 2, 1, 1, 1.0])
    np.testing.assert_allclose(step.transform(training).clinical[:, 0], (ranks - 1) / ranks.std(), atol=1e-6)


def test_a_level_that_training_has_not_seen_is_all_zeros():
    step = fitted(features_of(s=["a", "b", "a"]), s=covariate("categorical"))
    assert step.transform(features_of(s=["c", "b"])).clinical.tolist() == [[0, 0], [0, 1]]


def test_what_is_missing_too_often_in_training_is_dropped_and_said():
    training = features_of(x=[1.0, None, None, None, 2.0], y=[1.0, 2.0, 3.0, None, None])
    step = fitted(training, x=covariate("continuous"), y=covariate("continuous"))
    assert step.transform(training).clinical.shape == (5, 1)
    assert step.notes_ == ("covariate 'x' dropped: missing in more than 40% of the training patients",)


def test_an_empty_column_is_dropped_at_any_threshold_and_a_level_column_is_not():
    training = features_of(x=[None, None], y=[1.0, 2.0], z=[None, "a"])
    step = fitted(
        training,
        max_missing=1.0,
        x=covariate("continuous"),
        y=covariate("continuous"),
        z=covariate("categorical", levels=["a"], missing="level"),
    )
    assert step.transform(training).clinical.shape == (2, 3)
    assert "missing in all" in step.notes_[0]


def test_constant_columns_are_dropped_and_said():
    training = features_of(x=[0.1] * 7, y=[1.0, 2, 3, 4, 5, 6, 7], s=["F"] * 3 + ["M"] * 4)
    step = fitted(
        training,
        x=covariate("continuous"),
        y=covariate("continuous"),
        s=covariate("categorical", levels=["F", "M", "X"]),
    )
    assert step.transform(training).clinical.shape == (7, 3)
    assert [note.split("'")[1] for note in step.notes_] == ["x", "s_X"]


def test_nothing_left_is_refused_with_the_reason():
    with pytest.raises(CohortError, match=r"no covariate is left.*'x'.*max_missing"):
        fitted(features_of(x=[1.0, 1.0]), x=covariate("continuous"))
    with pytest.raises(CohortError, match="missing in all"):
        fitted(features_of(x=[None, None]), x=covariate("continuous"))


def test_names_that_scikit_learn_would_refuse():
    training = features_of(**{"a__b": [1.0, 2.0], "remainder": [2.0, 1.0], "steps": [5.0, 5.0]})
    covariates = {name: covariate("continuous") for name in ("a__b", "remainder", "steps")}
    step = Preprocess(covariates, (), 0.4, paper_maps=False, components=8).fit(training)
    assert step.transform(training).clinical.shape == (2, 2)
    assert "'steps'" in step.notes_[0]


@pytest.mark.parametrize("value", ["high", np.inf, True])
def test_a_value_that_is_no_number_names_patient_column_and_value(value):
    features = features_of(x=np.array([1.0, value, 2.0], dtype=object))
    with pytest.raises(ClinicalError, match=f"patient P1: x is not a finite number \\(value: {value}\\)") as caught:
        fitted(features, x=covariate("continuous"))
    assert caught.value.column == "x"


def test_an_undeclared_level_is_refused_also_in_test_patients():
    step = fitted(features_of(s=["F", "M"]), s=covariate("categorical", levels=["F", "M"]))
    with pytest.raises(ClinicalError, match="patient P1: s is none of its levels"):
        step.transform(features_of(s=["F", "W"]))


def test_maps_are_standardised_by_pixel_means_and_one_sd():
    memory = np.random.default_rng(0).normal(3, 2, size=(6, 2, 4, 5, 5)).astype(np.float32)
    step = fitted(features_of({PET: memory}), embeddings=(PET,))
    maps = step.transform(features_of({PET: memory})).maps["PET"]
    assert maps.shape == (6, 1, 5, 5)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps.mean(axis=0), 0, atol=1e-6)
    assert float(maps.std()) == pytest.approx(1, abs=1e-5)
    raw = memory.mean(axis=(1, 2))
    assert step.maps_["PET"].sd == pytest.approx((raw - raw.mean(axis=0)).std(), rel=1e-5)


def test_equal_maps_are_centred_and_said():
    step = fitted(features_of({PET: np.ones((3, 1, 1, 4, 4), dtype=np.float32)}), embeddings=(PET,))
    assert step.notes_ == ("PET maps are the same in all training patients",)
    assert not step.transform(features_of({PET: np.ones((2, 1, 1, 4, 4), dtype=np.float32)})).maps["PET"].any()


def test_an_embedding_that_is_not_finite_names_the_patient():
    memory = np.zeros((3, 1, 1, 4, 4), dtype=np.float32)
    memory[1, 0, 0, 2, 2] = np.nan
    with pytest.raises(ImagingError, match="patient P1: PET embedding of spine is not finite"):
        fitted(features_of({PET: memory}), embeddings=(PET,))


def test_an_embedding_or_column_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no embedding"):
        fitted(features_of(x=[1.0, 2.0]), embeddings=(PET,))
    with pytest.raises(ValueError, match="no column for y"):
        fitted(features_of(x=[1.0, 2.0]), y=covariate("continuous"))


def test_paper_maps_are_64_pixels_and_averaging_twice_changes_nothing():
    memory = np.random.default_rng(0).normal(size=(2, 2, 4, 16, 16)).astype(np.float32)
    for paper_maps, pixels in ((True, 64), (False, 16)):
        maps = head_maps(memory, paper_maps=paper_maps)
        assert maps.shape == (2, 1, pixels, pixels)
        np.testing.assert_array_equal(head_maps(maps[:, None], paper_maps=paper_maps), maps)


def test_map_statistics_of_one_patient_do_not_divide_by_zero():
    statistics = MapStatistics.of(np.ones((1, 1, 4, 4), dtype=np.float32))
    assert np.isfinite(statistics.apply(np.ones((1, 1, 4, 4), dtype=np.float32))).all()
