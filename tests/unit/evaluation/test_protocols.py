"""Protocols: what tuning may see, what it pretends where it sees more, and that nothing is lost or made twice."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from engram.errors import CohortError
from engram.evaluation import fold_fit, tuning
from engram.evaluation import fold_jobs as jobs_module
from engram.evaluation.fold_fit import fit_fold
from engram.evaluation.fold_jobs import fold_jobs
from engram.evaluation.folds import stratified_folds
from engram.evaluation.protocols import run_protocols
from engram.evaluation.rows import rows_of
from engram.evaluation.search_groups import groups_of, phases_of
from engram.evaluation.trials import best_of
from engram.evaluation.tuning_tables import COLUMNS, search_records, trials_table
from engram.jobs import run_jobs
from engram.outcome import SurvivalOutcome
from engram.table import PatientFeatures, StudyTable

CLINICAL = {"images": None, "rois": {}, "models": {"families": ["clinical"], "baselines": []}}


@pytest.fixture
def make(make_study, make_config):
    """A study of clinical rows, by default of ridge Cox alone."""

    def build(n=40, seed=0, strength=1.5, rows=1, folds=2, **tuning):
        table, _ = make_study(n, seed=seed, strength=strength)
        table = StudyTable(PatientFeatures(table.features.ids, table.features.covariates), table.outcome)
        tuning = {"protocols": ["nested"], "trials": 4, "inner_folds": 2} | tuning
        config = make_config(**CLINICAL, tuning=tuning, evaluation={"folds": folds})
        splits = stratified_folds(table.outcome, folds=folds, time_quantiles=4, seed=0)
        return table, rows_of(config)[:rows], splits, config

    return build


def run(study, cache_dir, workers=0, **told):
    return run_protocols(*study, workers=workers, cache_dir=cache_dir, **told)


def risks(results):
    return [[r.test_risk.tolist() for r in row] for row in results]


def searched(table, specs, folds, config, cache_dir):
    """The search of the first fold."""
    return run((table, specs, folds[:1], config), cache_dir).searched[0]


class Blind(BaseEstimator):
    """A model that learns nothing and takes no time: a random direction for each penalty."""

    def __init__(self, penalty):
        self.penalty, self.notes_ = penalty, ()

    def fit(self, features, y=None):
        return self

    def transform(self, features):
        return features

    def predict(self, features):
        ages = np.nan_to_num(features.covariates["age"].to_numpy(dtype=float) - 60)
        stages = pd.Categorical(features.covariates["stage"]).codes
        columns = np.c_[ages, stages, ages**2, ages * stages, np.sin(ages), np.cos(ages)]
        return columns / columns.std(axis=0) @ np.random.default_rng(int(1e6 * self.penalty)).normal(size=6)


@pytest.fixture
def quick(monkeypatch):
    """Fits that take no time, so that many can be made."""

    def build(spec, config, *, seed, epochs=None):
        steps = [("preprocess", Blind(0)), ("survival", Blind(config.training.cox_penalty))]
        return Pipeline(steps)

    monkeypatch.setattr(fold_fit, "build_pipeline", build)


def with_other_test_patients(table, fold):
    """The table with covariates and outcome of every test patient of a fold replaced."""
    test, rng = fold.test_index, np.random.default_rng(7)
    covariates = table.features.covariates.copy()
    covariates.loc[test, "age"] = rng.normal(1e4, 1e3, len(test))
    covariates.loc[test, "sex"] = "F"
    event, time = table.outcome.event.copy(), table.outcome.time.copy()
    event[test], time[test] = ~event[test], rng.exponential(1000, len(test)) + 1e-3
    features = dataclasses.replace(table.features, covariates=covariates)
    return StudyTable(features, SurvivalOutcome(event, time))


@pytest.mark.parametrize("rows", [slice(0, 1), slice(1, 2)], ids=["ridge Cox", "DeepSurv"])
def test_a_nested_search_does_not_see_the_test_fold(make, tmp_path, rows):
    table, specs, folds, config = make(rows=2, trials=2)
    other = with_other_test_patients(table, folds[0])
    one, two = (searched(t, specs[rows], folds, config, tmp_path / str(i)) for i, t in enumerate([table, other]))
    assert one == two


def test_a_search_on_the_test_folds_does_see_them(make, tmp_path):
    table, specs, folds, config = make(protocols=["paper"])
    other = with_other_test_patients(table, folds[0])
    one, two = (searched(t, specs, folds, config, tmp_path / str(i)) for i, t in enumerate([table, other]))
    assert [t.score for t in one.trials] != [t.score for t in two.trials]


def test_fixed_rows_are_what_they_were_before_there_was_tuning(make, tmp_path):
    table, specs, folds, config = make(rows=2, protocols=["fixed"])
    found = run((table, specs, folds, config), tmp_path)
    before = [[fit_fold(table, s, fold, config, number=k) for k, fold in enumerate(folds)] for s in specs]
    assert risks(found.results["fixed"]) == risks(before)
    assert found.searched == []


@pytest.mark.usefixtures("quick")
def test_a_killed_search_goes_on_with_the_same_trials_and_makes_only_what_is_missing(make, tmp_path, monkeypatch):
    study = make(protocols=["nested", "paper"], trials=8)
    first = run(study, tmp_path)
    files = sorted(tmp_path.rglob("*.json"))
    lost = files[::2]
    for file in lost:
        file.unlink()
    fits = []
    for place, name in ((tuning, "validated"), (jobs_module, "fold_risks")):
        original = getattr(place, name)
        monkeypatch.setattr(place, name, lambda *a, f=original, **k: fits.append(1) or f(*a, **k))
    again = run(study, tmp_path)
    assert again.searched == first.searched
    assert any(trial.state == "pruned" for one in first.searched for trial in one.trials)
    assert {p: risks(r) for p, r in again.results.items()} == {p: risks(r) for p, r in first.results.items()}
    assert len(fits) == len(lost)
    assert sorted(tmp_path.rglob("*.json")) == files


def test_networks_are_judged_on_all_inner_folds_at_once_whatever_was_kept(make, tmp_path, monkeypatch):
    table, specs, folds, config = make(rows=2, trials=1, inner_folds=3)
    stacks = []
    original = fold_fit.best_epochs_and_risks
    monkeypatch.setattr(
        fold_fit,
        "best_epochs_and_risks",
        lambda parts, *a, **k: stacks.append(len(parts)) or original(parts, *a, **k),
    )
    first = searched(table, specs[1:], folds, config, tmp_path)
    assert stacks == [3, 3]
    for file in sorted((tmp_path / "trials").glob("*.json"))[::2]:
        file.unlink()
    assert searched(table, specs[1:], folds, config, tmp_path) == first
    assert set(stacks) == {3}


def test_an_inner_fold_that_cannot_be_judged_leaves_the_others_as_they_are(make):
    table, specs, folds, config = make(rows=2)
    good = fold_fit.InnerSplit(*(table.subset(i) for i in (folds[0].train_index, folds[0].test_index)), 3)
    empty = good.training.features.covariates.assign(age=np.nan, stage=None, sex=None)
    features = dataclasses.replace(good.training.features, covariates=empty)
    unfit = dataclasses.replace(good, training=dataclasses.replace(good.training, features=features))
    nobody = SurvivalOutcome(np.zeros(len(good.validation), dtype=bool), good.validation.outcome.time)
    unranked = dataclasses.replace(good, validation=dataclasses.replace(good.validation, outcome=nobody))
    for spec in specs:
        failed, judged, silent = fold_fit.validated([unfit, good, unranked], spec, config)
        assert "no covariate is left" in failed.failed
        assert judged.failed is None
        assert [judged] == fold_fit.validated([good], spec, config)
        assert (silent.c_index, silent.failed) == (None, None)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("damage", ["", "{}", '{"c_index": "high", "epochs": null, "failed": null}', "[]"])
def test_a_damaged_trial_is_judged_again(make, tmp_path, damage):
    study = make(trials=1)
    first = run(study, tmp_path)
    for file in (tmp_path / "trials").glob("*.json"):
        file.write_text(damage)
    assert run(study, tmp_path).searched == first.searched


def test_a_worker_finds_what_none_finds(make, tmp_path):
    """To start one takes seconds, and more of them run the same jobs (`test_fold_jobs.py`)."""
    found = []
    for workers in (0, 1):
        with fold_jobs(*make(trials=2), cache_dir=tmp_path / str(workers)) as jobs:
            found.append(run_jobs(tuning.nested_search, jobs, workers=workers))
    assert found[0] == found[1]
    assert len(found[0]) == 2


@pytest.mark.usefixtures("quick")
def test_on_pure_noise_the_papers_protocol_pretends_more_than_the_nested_one(make, tmp_path):
    gaps = []
    for seed in range(6):
        study = make(60, seed=seed, strength=0.0, protocols=["nested", "paper"], trials=8, folds=3)
        results = run(study, tmp_path / str(seed)).results
        nested, paper = (np.mean([f.c_index for f in results[name][0]]) for name in ("nested", "paper"))
        gaps.append(paper - nested)
    assert np.mean(gaps) > 0.04


@pytest.mark.usefixtures("quick")
def test_the_winner_on_the_test_folds_is_the_row(make, tmp_path):
    study = make(protocols=["fixed", "paper"])
    found = run(study, tmp_path)
    best = best_of(found.searched[0].trials)
    of_row = [fold.c_index for fold in found.results["paper"][0]]
    assert [judged.c_index for judged in best.judged] == of_row
    own = found.searched[0].trials[0]
    assert [judged.c_index for judged in own.judged] == [fold.c_index for fold in found.results["fixed"][0]]
    assert np.mean(of_row) >= np.mean([fold.c_index for fold in found.results["fixed"][0]])


def test_rows_of_one_head_share_a_search_of_the_first_that_sees_one_scan(make_config):
    specs = rows_of(make_config(models={"origins": ["Combined", "CT"]}))
    groups = {group.name: group for group in groups_of(specs, share=True)}
    assert list(groups) == [
        "Clinical, ridge Cox",
        "Clinical, DeepSurv",
        "averaging, DeepSurv, image",
        "averaging, DeepSurv, multimodal",
    ]
    images = groups["averaging, DeepSurv, image"]
    assert [specs[i].name for i in images.members] == ["PET + CT, spine", "CT, spine"]
    assert specs[images.owner].name == "CT, spine"
    assert len(groups_of(specs, share=False)) == len(specs)


def test_what_is_shared_comes_from_the_same_training_part(make_study, make_config, tmp_path):
    table, _ = make_study(40)
    models = {"families": ["image"], "origins": ["PET", "CT"], "baselines": []}
    training = {"max_epochs": 3, "patience": 2, "inner_folds": 1, "ensemble": 1}
    tuning = {"protocols": ["nested"], "trials": 2, "inner_folds": 2}
    config = make_config(models=models, training=training, tuning=tuning, evaluation={"folds": 2})
    folds, specs = stratified_folds(table.outcome, folds=2, time_quantiles=4, seed=0), rows_of(config)
    found = run((table, specs, folds, config), tmp_path)
    (record,) = search_records(found.searched, specs, config)
    assert (record.row, record.rows) == ("PET, spine", ["PET, spine", "CT, spine"])
    assert [best.fold for best in record.best] == [1, 2]
    assert all(1 <= best.epochs <= 3 for best in record.best)
    alone = run((table, specs[:1], folds, config), tmp_path / "alone")
    assert risks(alone.results["nested"])[0] == risks(found.results["nested"])[0]


@pytest.mark.usefixtures("quick")
def test_progress_counts_fits_up_to_what_was_promised(make, tmp_path):
    study = make(rows=1, protocols=["fixed", "nested", "paper"])
    phases = phases_of(study[1], 2, study[3].tuning)
    assert [(p.protocol, p.jobs, p.fits) for p in phases] == [
        ("fixed", 2, 1), ("nested", 2, 10), ("nested", 2, 1), ("paper", 1, 10), ("paper", 2, 1),
    ]  # fmt: skip
    seen, said = [], []
    run(study, tmp_path, progress=lambda *x: seen.append(x), begin=lambda *x: said.append(x))
    done = [done for done, _ in seen]
    assert done == sorted(done)
    assert seen[-1] == (36, 36)
    assert len(said) == 5
    assert [fits for _, fits in said] == [2, 20, 2, 10, 2]
    assert "up to 20 fits" in said[1][0]
    assert "test folds, 2 fits" in said[2][0], "of which none is pruned"


@pytest.mark.usefixtures("quick")
def test_tables_of_trials_say_all_and_name_no_patient(make, tmp_path):
    table, specs, folds, config = make(protocols=["nested", "paper"])
    searched = run((table, specs, folds, config), tmp_path).searched
    frame = trials_table(searched, specs)
    assert tuple(frame.columns) == COLUMNS
    assert frame.groupby(["protocol", "fold"], dropna=False).size().tolist() == [5, 5, 5]
    assert frame["fold"].isna().sum() == 5
    text = frame.to_csv()
    assert not any(patient in text for patient in table.features.ids)
    nested, paper = search_records(searched, specs, config)
    assert (nested.protocol, len(nested.best), nested.trials) == ("nested", 2, 4)
    assert (paper.protocol, paper.best[0].fold) == ("paper", None)
    assert [parameter.name for parameter in nested.space] == ["cox_penalty"]
    assert trials_table([], specs).empty


@pytest.mark.usefixtures("quick")
def test_too_few_patients_for_inner_folds_are_named(make, tmp_path):
    with pytest.raises(CohortError, match=r"fold 1: 20 training patients cannot make tuning\.inner_folds 11"):
        run(make(inner_folds=11), tmp_path)


@pytest.mark.usefixtures("quick")
def test_kept_trials_hold_no_outcome_and_no_patient(make, tmp_path):
    run(make(), tmp_path)
    for file in (tmp_path / "trials").glob("*.json"):
        assert set(pd.read_json(file, typ="series").index) == {"c_index", "epochs", "failed"}


def test_inner_folds_keep_to_whole_sites_where_the_study_does(make, make_study):
    table, _ = make_study(40)
    groups = tuple(f"site {i % 4}" for i in range(40))
    sites = dataclasses.replace(table, groups=groups)
    config = make()[3]
    for fold in tuning.inner_folds(sites, config, number=0):
        held_out = {groups[i] for i in fold.test_index}
        assert not held_out & {groups[i] for i in fold.train_index}
    with pytest.raises(CohortError, match=r"40 training patients of 1 site\(s\) cannot make tuning\.inner_folds 2"):
        tuning.inner_folds(dataclasses.replace(table, groups=("here",) * 40), config, number=0)
