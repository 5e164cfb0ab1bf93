"""Splits by site and by time: no site on both sides, no training patient later than a test patient."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from side_analyses import OF_CLINICAL, RIDGE

from engram.config_evaluation import Evaluation
from engram.errors import CohortError
from engram.evaluation import study
from engram.evaluation.folds import grouped_folds, study_folds, temporal_folds
from engram.evaluation.held_out import held_out_patients, held_out_places
from engram.evaluation.statistics import held_out_ratio
from engram.outcome import SurvivalOutcome
from engram.survival.splits import Fold
from engram.table import PatientFeatures, StudyTable


def outcome_of(n, seed=0):
    rng = np.random.default_rng(seed)
    return SurvivalOutcome(rng.random(n) < 0.7, rng.exponential(30, n) + 0.1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 12))
def test_no_site_is_in_training_and_in_test(seed, sites):
    rng = np.random.default_rng(seed)
    groups = [*(f"s{k}" for k in range(sites)), *(f"s{k}" for k in rng.integers(0, sites, 120 - sites))]
    folds = grouped_folds(groups, outcome_of(120, seed), folds=4, time_quantiles=4, seed=seed)
    for fold in folds:
        assert not {groups[i] for i in fold.train_index} & {groups[i] for i in fold.test_index}
        assert len(fold.train_index) + len(fold.test_index) == 120
    np.testing.assert_array_equal(held_out_patients(folds), np.arange(120))


def test_sites_are_dealt_so_that_sizes_and_events_are_near():
    rng = np.random.default_rng(0)
    groups = [f"s{k}" for k in rng.integers(0, 40, 400)]
    outcome = outcome_of(400)
    folds = grouped_folds(groups, outcome, folds=5, time_quantiles=4, seed=0)
    sizes, events = zip(*((len(f.test_index), outcome.event[f.test_index].sum()) for f in folds), strict=True)
    assert max(sizes) - min(sizes) <= 12
    assert max(events) - min(events) <= 12
    again = grouped_folds(groups, outcome, folds=5, time_quantiles=4, seed=0)
    other = grouped_folds(groups, outcome, folds=5, time_quantiles=4, seed=1)
    assert all(np.array_equal(a.test_index, b.test_index) for a, b in zip(folds, again, strict=True))
    assert any(not np.array_equal(a.test_index, b.test_index) for a, b in zip(folds, other, strict=True))


@pytest.mark.parametrize(("sites", "mend"), [(3, "folds to 3"), (1, "no site to hold out")])
def test_fewer_sites_than_folds_are_refused(sites, mend):
    with pytest.raises(CohortError, match=mend):
        grouped_folds([f"s{i % sites}" for i in range(60)], outcome_of(60), folds=5, time_quantiles=4, seed=0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.floats(0.2, 0.8))
def test_everybody_who_trains_is_earlier_than_everybody_who_tests(seed, count, first):
    years = np.random.default_rng(seed).integers(2000, 2020, 100)
    folds = temporal_folds(years.tolist(), folds=count, first=first)
    assert len(folds) == count
    for fold in folds:
        assert years[fold.train_index].max() < years[fold.test_index].min()
        assert len(fold.test_index) > 0
    for earlier, later in itertools.pairwise(folds):
        grown = np.sort(np.r_[earlier.train_index, earlier.test_index])
        np.testing.assert_array_equal(grown, later.train_index)
    assert len(folds[-1].train_index) + len(folds[-1].test_index) == 100


def test_windows_are_equal_where_times_allow():
    order = np.random.default_rng(0).permutation(100)
    folds = temporal_folds(order.tolist(), folds=5, first=0.5)
    assert [len(fold.train_index) for fold in folds] == [50, 60, 70, 80, 90]
    assert [len(fold.test_index) for fold in folds] == [10] * 5
    assert order[folds[0].train_index].max() == 49
    assert held_out_ratio(folds) == pytest.approx(50 / 350)


def test_a_frequent_year_is_not_cut_in_two():
    years = [2010.0] * 10 + [2011.0] * 80 + [2012.0] * 10
    (one,) = temporal_folds(years, folds=1, first=0.5)
    assert (len(one.train_index), len(one.test_index)) in {(10, 90), (90, 10)}
    with pytest.raises(CohortError, match=r"3 different value\(s\).*3 fold"):
        temporal_folds(years, folds=3, first=0.5)


def test_the_study_file_decides_and_the_table_must_have_what_it_needs(make_study):
    table, _ = make_study(60)
    sites, years = tuple("abcdef"[i % 6] for i in range(60)), tuple(float(i) for i in range(60))
    whole = StudyTable(table.features, table.outcome, sites, years)
    grouped = Evaluation(splits="grouped", group="site", folds=3)
    temporal = Evaluation(splits="temporal", order="year", folds=3)
    assert all(
        not {i % 6 for i in f.train_index} & {i % 6 for i in f.test_index} for f in study_folds(whole, grouped)
    )
    assert all(f.train_index.max() < f.test_index.min() for f in study_folds(whole, temporal))
    part = whole.subset([5, 0, 7])
    assert (part.groups, part.order) == (("f", "a", "b"), (5.0, 0.0, 7.0))
    for settings_, lacks in ((grouped, "groups"), (temporal, "order")):
        with pytest.raises(ValueError, match=lacks):
            study_folds(table, settings_)


def test_a_window_without_events_is_refused():
    event = np.arange(60) < 45
    features = _features(60)
    table = StudyTable(features, SurvivalOutcome(event, np.arange(1.0, 61)), order=tuple(range(60)))
    with pytest.raises(CohortError, match=r"fold 2 of the temporal splits tests on 15 patient\(s\) with 0 event"):
        study_folds(table, Evaluation(splits="temporal", order="year", folds=2, first_window=0.5))


def _features(n):
    return PatientFeatures(tuple(f"P{i}" for i in range(n)), pd.DataFrame(index=range(n)))


def held_out_places_of_those_who_test():
    folds = [Fold(np.arange(3), np.array([3, 5])), Fold(np.array([0, 1, 2, 3, 5]), np.array([4]))]
    assert held_out_patients(folds).tolist() == [3, 4, 5]
    assert [place.tolist() for place in held_out_places(folds)] == [[0, 2], [1]]
    with pytest.raises(ValueError, match="tests in two folds"):
        held_out_patients([folds[0], folds[0]])


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"splits": "grouped"}, "needs evaluation.group"),
        ({"splits": "temporal"}, "needs evaluation.order"),
        ({"group": "site"}, "only"),
        ({"splits": "temporal", "order": "year", "repeats": 2}, "leave repeats at 1"),
        ({"folds": 1}, "at least 2"),
    ],
)
def test_settings_that_do_not_fit_are_refused(wrong, what):
    with pytest.raises(ValueError, match=what):
        Evaluation(**wrong)


@pytest.mark.parametrize("splits", ["grouped", "temporal"])
def test_a_whole_study_on_other_splits(clinical, make_config, tmp_path, monkeypatch, splits):
    monkeypatch.setattr(study, "rows_of", lambda config: [RIDGE])
    table = clinical(n=90)
    table = replace(
        table, groups=tuple("abcdefghi"[i % 9] for i in range(90)), order=tuple(2000.0 + i // 5 for i in range(90))
    )
    column = {"grouped": {"group": "site"}, "temporal": {"order": "year"}}[splits]
    config = make_config(
        **OF_CLINICAL | {"models": {"families": ["clinical"], "stage": "stage"}},
        evaluation={"folds": 3, "splits": splits, **column},
        sensitivity={"imputations": 1},
    )
    found = study.evaluate_study(table, config, None, encoder="-", workers=0, cache_dir=tmp_path / "folds")
    tested = 90 if splits == "grouped" else 45
    assert found.splits.tested == len(found.out_of_fold) == sum(fold.n for fold in found.folds) == tested
    assert sum(curve.n for curve in found.risk_groups.curves) == tested
    assert set(found.out_of_fold["patient_id"]) <= set(table.features.ids)
    assert found.splits.train_n == ([60] * 3 if splits == "grouped" else [45, 60, 75])
    assert found.splits.test == (
        found.splits.test if splits == "grouped" else ["2009 to 2011", "2012 to 2014", "2015 to 2017"]
    )
    assert {len(sites.split(", ")) for sites in found.splits.test} == ({3} if splits == "grouped" else {1})
    assert found.performance.rows[0].ici is not None
    assert {row.analysis for row in found.sensitivity.missingness} >= {"main", "complete cases"}
    assert found.sensitivity.missingness[0].n == tested
