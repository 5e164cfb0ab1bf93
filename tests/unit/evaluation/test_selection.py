"""Radiomics in a fold: what is chosen, by whom, and that nobody else is looked at."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test
from scipy.stats import spearmanr

from engram.config import StudyConfig
from engram.errors import CohortError, ImagingError
from engram.evaluation.fold_fit import fit_fold, fit_model
from engram.evaluation.folds import stratified_folds
from engram.evaluation.rows import RowSpec
from engram.evaluation.selection import Selected, centred_ranks, cox_scores
from engram.outcome import SurvivalOutcome
from engram.table import EmbeddingKey, PatientFeatures, StudyTable

ROW = RowSpec("Radiomics of PET, spine", "image", "PET", "spine", "radiomics", "-", "-", "ridge Cox")
KEY = EmbeddingKey("PET", "spine", "radiomics")
CONFIG = StudyConfig.model_validate(
    {
        "name": "s", "manifest": "m.csv", "output": "out", "images": {}, "rois": {"spine": {"mask": "m"}},
        "outcome": {"time": "t", "unit": "months", "event": "e"}, "evaluation": {"folds": 5},
    }
)  # fmt: skip


def cohort(n=80, p=6, seed=0, hazard=None):
    """Noise, and times that depend on `hazard`, a column's effect, where one is given."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, p))
    risk = np.zeros(n) if hazard is None else hazard * vectors[:, 0]
    outcome = SurvivalOutcome(rng.uniform(size=n) < 0.7, rng.exponential(20 * np.exp(-risk)) + 0.01)
    return vectors, outcome


def chosen(vectors, outcome, limit=3, max_missing=0.4):
    return Selected.of(np.asarray(vectors, dtype=np.float64), outcome.to_structured(), limit, max_missing)


def table_of(vectors, outcome):
    n = len(vectors)
    ids = tuple(f"P{i}" for i in range(n))
    arrays = {KEY: np.asarray(vectors, dtype=np.float32)}
    return StudyTable(PatientFeatures(ids, pd.DataFrame(index=range(n)), arrays), outcome)


def test_the_score_of_two_groups_is_the_log_rank_test():
    _, outcome = cohort()
    group = np.random.default_rng(5).integers(0, 2, 80)
    test = logrank_test(*(outcome.time[group == g] for g in (0, 1)), *(outcome.event[group == g] for g in (0, 1)))
    scores = cox_scores(np.column_stack([group, 3.0 - group]).astype(float), outcome)
    np.testing.assert_allclose(scores, test.test_statistic, rtol=1e-9)


def test_the_score_with_tied_times_is_its_definition():
    vectors, outcome = cohort(n=40, p=1)
    tied = SurvivalOutcome(outcome.event, np.ceil(outcome.time / 5))
    x, score, information = vectors[:, 0], 0.0, 0.0
    for i in np.flatnonzero(tied.event):
        at_risk = x[tied.time >= tied.time[i]]
        score, information = score + x[i] - at_risk.mean(), information + at_risk.var()
    assert cox_scores(vectors, tied)[0] == pytest.approx(score**2 / information, rel=1e-9)


def test_the_product_of_ranks_is_spearmans_correlation():
    vectors, _ = cohort()
    vectors[:, 1] = np.round(vectors[:, 1])
    ranks = centred_ranks(vectors)
    np.testing.assert_allclose(ranks.T @ ranks, spearmanr(vectors).statistic, atol=1e-12)


def test_the_most_telling_columns_come_first_and_no_more_than_asked():
    vectors, outcome = cohort(n=200, p=20, hazard=1.5)
    found = chosen(vectors, outcome, limit=4)
    assert found.kept[0] == 0
    assert len(found.kept) == 4
    scores = cox_scores(centred_ranks(vectors), outcome)
    assert list(found.kept) == list(np.argsort(-scores)[:4])


def test_of_two_that_say_the_same_the_more_telling_one_stays_and_of_equals_the_first():
    vectors, outcome = cohort(n=120, p=3, hazard=1.5)
    noisy = vectors[:, 0] + 0.15 * np.random.default_rng(1).normal(size=120)
    found = chosen(np.column_stack([noisy, vectors, np.exp(vectors[:, 0])]), outcome, limit=5)
    assert found.kept[0] == 1
    assert set(found.kept) == {1, 2, 3}


def test_constant_and_often_missing_columns_are_dropped_and_gaps_take_the_training_mean():
    vectors, outcome = cohort(n=50, p=4)
    vectors[:, 0] = 7.0
    vectors[:21, 1] = np.nan
    vectors[:5, 2] = np.nan
    found = chosen(vectors, outcome, limit=10)
    assert set(found.kept) == {2, 3}
    assert (found.usable, found.total) == (2, 4)
    assert found.imputed == pytest.approx(0.05)
    applied = found.apply(vectors)
    assert applied.dtype == np.float32
    np.testing.assert_allclose(applied[:5, list(found.kept).index(2)], 0.0)
    np.testing.assert_allclose(applied.mean(axis=0), 0.0, atol=1e-6)
    assert "2 of 4 numbers chosen" in found.losses
    assert "about 5 % of the values missing" in found.losses


def test_the_order_of_patients_and_a_monotone_change_of_a_column_choose_the_same():
    vectors, outcome = cohort(n=90, p=12, hazard=1.0)
    order = np.random.default_rng(3).permutation(90)
    first = chosen(vectors, outcome, limit=5)
    assert list(chosen(vectors[order], outcome.subset(order), limit=5).kept) == list(first.kept)
    assert list(chosen(np.exp(3 * vectors), outcome, limit=5).kept) == list(first.kept)


def test_nothing_usable_and_nobody_with_the_event_are_refused():
    vectors, outcome = cohort(n=30, p=2)
    with pytest.raises(CohortError, match="missing in more than 40%"):
        chosen(np.ones_like(vectors), outcome)
    with pytest.raises(CohortError, match="had the event"):
        chosen(vectors, SurvivalOutcome(np.zeros(30, bool), outcome.time))
    with pytest.raises(ValueError, match="outcomes"):
        chosen(vectors[:20], outcome)


def test_test_patients_change_nothing_of_what_was_fitted():
    vectors, outcome = cohort(n=80, p=40)
    fold = stratified_folds(outcome, folds=5, time_quantiles=4, seed=0)[0]
    altered = vectors.copy()
    altered[fold.test_index] = 1e6
    time = outcome.time.copy()
    time[fold.test_index] = 1.0
    other = SurvivalOutcome(~outcome.event, time).event.copy()
    other[fold.train_index] = outcome.event[fold.train_index]
    tables = [table_of(vectors, outcome), table_of(altered, SurvivalOutcome(other, time))]
    models = [fit_model(table.subset(fold.train_index), ROW, CONFIG, seed=0) for table in tables]
    one, two = (model.pipeline.named_steps["preprocess"].vectors_["PET"] for model in models)
    assert isinstance(one, Selected)
    for name in ("kept", "mean", "sd"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    whole = chosen(np.asarray(vectors, dtype=np.float32), outcome, limit=10)
    assert list(whole.kept) != list(one.kept)  # so that looking at everybody would show


def mean_c(table, outcome):
    folds = stratified_folds(outcome, folds=5, time_quantiles=4, seed=0)
    return np.mean([fit_fold(table, ROW, fold, CONFIG, number=k).c_index for k, fold in enumerate(folds)])


def test_noise_is_at_chance_where_choosing_on_all_patients_would_look_like_a_signal():
    honest, fooled = [], []
    for seed in range(2):
        vectors, outcome = cohort(n=80, p=150, seed=seed)
        honest.append(mean_c(table_of(vectors, outcome), outcome))
        outside = chosen(vectors, outcome, limit=10).kept
        fooled.append(mean_c(table_of(vectors[:, outside], outcome), outcome))
    assert np.mean(fooled) > 0.65
    assert abs(np.mean(honest) - 0.5) < 0.08


def test_a_signal_among_noise_is_found():
    vectors, outcome = cohort(n=120, p=100, hazard=1.5)
    assert mean_c(table_of(vectors, outcome), outcome) > 0.68


def test_a_patient_without_any_feature_is_named():
    vectors, outcome = cohort(n=40, p=3)
    vectors[7] = np.nan
    with pytest.raises(ImagingError, match=r"P7.*no radiomics"):
        fit_model(table_of(vectors, outcome), ROW, CONFIG, seed=0)
