"""Analyses beside the main one: they know nothing of test patients, and chance does not decide what they find."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engram.errors import CohortError
from engram.evaluation import study, variants
from engram.evaluation.cross_validate import cross_validate
from engram.evaluation.fold_fit import FoldRisks, scored
from engram.evaluation.folds import study_folds
from engram.evaluation.imputation import GapFiller
from engram.evaluation.missingness import missing_variables, missingness
from engram.evaluation.permutation_null import permutation_null
from engram.evaluation.repeated import Repeated, repeated_rows
from engram.evaluation.rows import NONE, RIDGE_COX, RowSpec, rows_of
from engram.evaluation.statistics import fold_statistics
from engram.evaluation.variants import Runner
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c
from engram.table import EmbeddingKey, PatientFeatures, StudyTable

RIDGE = RowSpec("Clinical, ridge Cox", "clinical", None, NONE, NONE, NONE, NONE, RIDGE_COX)
PET = RowSpec("PET, spine, volume", "image", "PET", "spine", "volume", "PCA", NONE, RIDGE_COX)
OF_CLINICAL = {"images": None, "rois": {}, "models": {"families": ["clinical"]}}


@pytest.fixture
def clinical(make_study):
    """A table without images: the rows of this page see covariates alone."""

    def make(**settings):
        table, _ = make_study(**settings)
        return replace(table, features=replace(table.features, embeddings={}))

    return make


@pytest.fixture
def runner(tmp_path):
    return Runner(cross_validate, 0, tmp_path / "folds")


def main_analysis(table, config, runner, specs=(RIDGE,)):
    folds = study_folds(table, config.evaluation)
    return folds, runner.rows(table, specs, folds, config, workers=0, cache_dir=runner.cache_dir)


def quick_rows(table, specs, folds, config, *, workers, cache_dir, progress=None):
    """As `cross_validate`, of a model that takes no time: age, in the direction in which it went in training."""
    age = table.features.covariates["age"].astype(float).fillna(60.0).to_numpy()

    def on(fold):
        c_index = harrell_c(age[fold.train_index], table.outcome.subset(fold.train_index))
        return np.sign(c_index - 0.5) * age

    results = [FoldRisks(on(fold)[fold.test_index], on(fold)[fold.train_index], ()) for fold in folds]
    return [[scored(risks, table, fold) for risks, fold in zip(results, folds, strict=True)] for _ in specs]


@pytest.fixture
def quick(tmp_path):
    return Runner(quick_rows, 0, tmp_path / "folds")


def test_repeats_begin_with_the_main_analysis_and_go_on_with_other_folds(clinical, make_config, quick):
    table, config = clinical(n=60), make_config(**OF_CLINICAL, evaluation={"folds": 3, "repeats": 4})
    folds, results = main_analysis(table, config, quick)
    (row,) = repeated_rows(table, [RIDGE], results, folds, config, quick).rows
    assert [len(repeat) for repeat in row.c_index] == [3] * 4
    assert row.c_index[0] == [result.c_index for result in results[0]]
    assert len({tuple(repeat) for repeat in row.c_index}) == 4
    assert row.means == pytest.approx(np.mean(row.c_index, axis=1))
    assert row.sd == pytest.approx(np.std(row.means, ddof=1))
    every = np.ravel(row.c_index)
    assert row.se_corrected == pytest.approx(np.std(every, ddof=1) * np.sqrt(1 / 12 + 1 / 2))
    assert row.p_corrected == fold_statistics(list(every), held_out_ratio=0.5).p_corrected
    (again,) = repeated_rows(
        table, [RIDGE], results, folds, config, replace(quick, cache_dir=quick.cache_dir / "b")
    ).rows
    assert again == row


def test_declared_pairs_are_compared_over_all_folds_of_all_repeats(make_study, make_config, quick):
    models = {"families": ["clinical", "multimodal"], "origins": ["PET"], "multimodal_heads": ["PCA"]}
    config = make_config(models=models, evaluation={"folds": 3, "repeats": 3})
    table, specs = make_study(n=60)[0], [spec for spec in rows_of(config) if spec.survival == RIDGE_COX]
    assert [spec.name for spec in specs] == ["Clinical, ridge Cox", "PET + clinical, spine, PCA"]
    folds = study_folds(table, config.evaluation)
    results = cross_validate(table, specs, folds, config, workers=0, cache_dir=quick.cache_dir)
    runner = replace(quick, rows=cross_validate)
    found = repeated_rows(table, specs, results, folds, config, runner)
    (one,) = found.comparisons
    clinical, both = (np.ravel(row.c_index) for row in found.rows)
    assert (one.row, one.other) == (specs[1].name, specs[0].name)
    assert one.differences == pytest.approx((both - clinical).reshape(3, 3).mean(axis=1))
    assert one.mean == pytest.approx(np.mean(one.differences))
    assert one.se_corrected == pytest.approx(np.std(both - clinical, ddof=1) * np.sqrt(1 / 9 + 1 / 2))
    expected = fold_statistics(list(both - clinical), held_out_ratio=0.5, null=0).p_corrected
    assert one.p_corrected == one.p_adjusted == pytest.approx(expected)
    alone = repeated_rows(table, specs[1:], results[1:], folds, config, runner)
    assert (len(alone.rows), alone.comparisons) == (1, [])


def test_few_sites_are_not_dealt_twice_in_one_way(clinical, make_config, quick):
    """Otherwise the spread over repeats would be 0, as if the split did not matter."""
    evaluation = {"folds": 3, "splits": "grouped", "group": "site", "repeats": 3}
    table, config = clinical(n=60), make_config(**OF_CLINICAL, evaluation=evaluation)
    table = replace(table, groups=tuple("abc"[i % 3] for i in range(60)))
    folds, results = main_analysis(table, config, quick)
    (row,) = repeated_rows(table, [RIDGE], results, folds, config, replace(quick, rows=cross_validate)).rows
    assert (len(row.c_index), row.sd) == (1, None)


def test_one_repeat_and_no_permutation_and_no_imputation_are_nothing(clinical, make_config, quick):
    table, config = clinical(n=60), make_config(**OF_CLINICAL, evaluation={"folds": 3})
    folds, results = main_analysis(table, config, quick)
    assert repeated_rows(table, [RIDGE], results, folds, config, quick) == Repeated([], [])
    assert permutation_null(table, [RIDGE], results, config, quick) == []
    assert missingness(table, [RIDGE], results, folds, config, quick) == []


def test_where_and_in_which_order_variants_run_changes_no_number(clinical, make_config, quick, monkeypatch):
    """Jobs travel to workers and back; who runs which, and when, is chance (`tests/unit/test_jobs.py`)."""
    config = make_config(**OF_CLINICAL, evaluation={"folds": 2}, sensitivity={"permutations": 3, "imputations": 2})
    table = clinical(n=40)
    folds, results = main_analysis(table, config, quick)

    def both(runner):
        null = permutation_null(table, [RIDGE], results, config, runner)
        return null, missingness(table, [RIDGE], results, folds, config, runner)

    def elsewhere(function, jobs, **_):
        return [pickle.loads(pickle.dumps(function(pickle.loads(pickle.dumps(job))))) for job in jobs[::-1]][::-1]

    here = both(quick)
    monkeypatch.setattr(variants, "run_jobs", elsewhere)
    assert both(replace(quick, cache_dir=quick.cache_dir / "elsewhere")) == here


def test_a_signal_is_beyond_the_null(clinical, make_config, quick):
    config = make_config(**OF_CLINICAL, evaluation={"folds": 5}, sensitivity={"permutations": 99})
    table = clinical(n=90)
    _, results = main_analysis(table, config, quick)
    (found,) = permutation_null(table, [RIDGE], results, config, quick)
    assert found.p == pytest.approx(1 / 100)
    assert found.permutations == 99
    assert found.c_index == pytest.approx(np.mean([result.c_index for result in results[0]]))
    assert abs(found.null_mean - 0.5) < 0.03
    low, middle, high = found.null_quantiles
    assert low < middle < high < found.c_index


def test_p_is_uniform_where_there_is_nothing(clinical, make_config, quick):
    config = make_config(**OF_CLINICAL, evaluation={"folds": 3}, sensitivity={"permutations": 9})
    p = []
    for seed in range(20):
        table = clinical(n=40, seed=seed, strength=0.0)
        _, results = main_analysis(table, config, quick)
        p += [one.p for one in permutation_null(table, [RIDGE], results, config, quick)]
    assert np.mean(p) == pytest.approx(0.5, abs=0.15)
    assert np.mean(np.array(p) <= 0.2) == pytest.approx(0.2, abs=0.2)
    assert min(p) >= 1 / 10


def test_permuted_folds_follow_the_rule_of_the_study(clinical, make_config, runner):
    """Sites stay apart, and images go with their patient."""
    seen = []

    def watching(table, specs, folds, config, **kwargs):
        seen.append((table, folds))
        return cross_validate(table, specs, folds, config, **kwargs)

    evaluation = {"folds": 2, "splits": "grouped", "group": "site"}
    config = make_config(evaluation=evaluation, sensitivity={"permutations": 3})
    table = clinical(n=60)
    vectors = {EmbeddingKey("PET", "spine", "volume"): np.random.default_rng(0).normal(size=(60, 3)).astype("f4")}
    table = replace(
        table,
        features=replace(table.features, embeddings=vectors),
        groups=tuple("abcdef"[i % 6] for i in range(60)),
    )
    _, results = main_analysis(table, config, runner, [PET])
    permutation_null(table, [PET], results, config, replace(runner, rows=watching))
    assert len(seen) == 3
    for permuted, folds in seen:
        np.testing.assert_array_equal(
            permuted.features.embeddings[EmbeddingKey("PET", "spine", "volume")], *vectors.values()
        )
        pairs = set(zip(permuted.outcome.time, permuted.outcome.event, strict=True))
        assert pairs == set(zip(table.outcome.time, table.outcome.event, strict=True))
        assert not np.array_equal(permuted.outcome.time, table.outcome.time)
        for fold in folds:
            assert not {i % 6 for i in fold.train_index} & {i % 6 for i in fold.test_index}


def test_an_error_says_in_which_variant_it_was(clinical, make_config, runner):
    def failing(table, specs, folds, config, **kwargs):
        raise CohortError("no events")

    config = make_config(**OF_CLINICAL, evaluation={"folds": 2}, sensitivity={"permutations": 1})
    table = clinical(n=40)
    _, results = main_analysis(table, config, runner)
    with pytest.raises(CohortError, match="permutation 1: no events"):
        permutation_null(table, [RIDGE], results, config, replace(runner, rows=failing))


def with_gaps(table, share=0.3, seed=5):
    """Age and sex missing at random, besides the stage."""
    rng, covariates = np.random.default_rng(seed), table.features.covariates.copy()
    covariates.loc[rng.random(len(table)) < share, "age"] = np.nan
    covariates.loc[rng.random(len(table)) < share, "sex"] = None
    return replace(table, features=replace(table.features, covariates=covariates))


def test_every_treatment_of_gaps_is_reported(clinical, make_config, quick):
    evaluation = {"folds": 2, "max_missing": 0.6}
    config = make_config(**OF_CLINICAL, evaluation=evaluation, sensitivity={"imputations": 2})
    table = with_gaps(clinical(n=60))
    folds, results = main_analysis(table, config, quick)
    main, imputed, complete, indicated = missingness(table, [RIDGE], results, folds, config, quick)
    assert [row.analysis for row in (main, imputed, complete, indicated)] == [
        "main",
        "multiple imputation",
        "complete cases",
        "missing indicators",
    ]
    assert (main.n, main.events, main.difference) == (60, int(table.outcome.event.sum()), None)
    assert main.c_index == pytest.approx(np.mean([result.c_index for result in results[0]]))
    assert imputed.imputations == 2
    assert imputed.sd_imputations > 0
    assert imputed.difference == pytest.approx(imputed.c_index - main.c_index)
    whole = table.features.covariates.notna().all(axis=1)
    assert complete.n == whole.sum() < 60
    assert complete.difference != pytest.approx(complete.c_index - main.c_index)  # of the complete cases alone
    assert all(row.absent is None for row in (imputed, complete, indicated))
    again = missingness(table, [RIDGE], results, folds, config, replace(quick, cache_dir=quick.cache_dir / "b"))
    assert again == [main, imputed, complete, indicated]


def test_too_few_complete_cases_are_said(clinical, make_config, quick):
    config = make_config(
        **OF_CLINICAL, evaluation={"folds": 2, "max_missing": 0.99}, sensitivity={"imputations": 1}
    )
    table = clinical(n=40)
    covariates = table.features.covariates.assign(stage=None)
    covariates.loc[0, "stage"] = "I"
    table = replace(table, features=replace(table.features, covariates=covariates))
    folds, results = main_analysis(table, config, quick)
    complete = missingness(table, [RIDGE], results, folds, config, quick)[2]
    assert (complete.c_index, complete.absent) == (None, "too few patients in fold 1")


def test_missing_variables_are_counted_with_their_events(clinical, make_config):
    table = clinical(n=40)
    covariates = table.features.covariates.assign(age=[np.nan] * 10 + [60.0] * 30, sex="F")
    outcome = SurvivalOutcome(np.arange(40) < 5, np.arange(1.0, 41))
    table = StudyTable(replace(table.features, covariates=covariates), outcome)
    age, sex, _ = missing_variables(table, make_config(**OF_CLINICAL))
    assert (age.missing, age.share, age.events_missing, age.events_known) == (10, 0.25, 0.5, 0)
    assert (sex.missing, sex.events_missing, sex.events_known) == (0, None, 0.125)


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
