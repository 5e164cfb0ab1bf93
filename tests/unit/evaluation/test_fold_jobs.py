"""Jobs: the same numbers for any number of workers, after a kill, and never a stale one."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from side_analyses import fixed_rows

from engram.errors import ClinicalError, CohortError
from engram.evaluation import fold_jobs as module
from engram.evaluation import transport
from engram.evaluation.fold_fit import fit_fold, job_seed
from engram.evaluation.fold_jobs import averaged
from engram.evaluation.folds import stratified_folds
from engram.evaluation.rows import rows_of
from engram.evaluation.transport import features_digest, load_table, save_table
from engram.outcome import SurvivalOutcome
from engram.table import StudyTable


@pytest.fixture
def study(make_study, make_config):
    table, _ = make_study(40)
    config = make_config(evaluation={"folds": 2}, models={"origins": ["PET"]})
    folds = stratified_folds(table.outcome, folds=2, time_quantiles=4, seed=0)
    return table, rows_of(config), folds, config


def as_lists(results):
    return [[(r.test_risk.tolist(), r.train_risk.tolist(), r.c_index, r.notes) for r in row] for row in results]


def run(study, cache_dir, workers=0, **changes):
    table, specs, folds, config = study
    return fixed_rows(
        changes.get("table", table),
        changes.get("specs", specs),
        folds,
        changes.get("config", config),
        workers=workers,
        cache_dir=cache_dir,
    )


def test_two_and_no_workers_agree_to_the_last_digit(study, tmp_path):
    """To start a worker takes seconds: what one does alone is tested with errors, below."""
    table, specs, folds, config = study
    few = (table, [specs[0], specs[3]], folds, with_setting(config, "training", max_epochs=3))
    none, two = (as_lists(run(few, tmp_path / str(workers), workers=workers)) for workers in (0, 2))
    assert none == two


def test_a_job_equals_the_same_fit_without_workers_cache_or_averaging_first(study, tmp_path):
    table, specs, folds, config = study
    results = run(study, tmp_path)
    for spec, row in zip(specs, results, strict=True):
        for number, (fold, result) in enumerate(zip(folds, row, strict=True)):
            direct = fit_fold(table, spec, fold, config, number=number)
            np.testing.assert_array_equal(direct.test_risk, result.test_risk)
            assert direct.c_index == result.c_index


def test_a_killed_run_goes_on_and_makes_only_what_is_missing(study, tmp_path, monkeypatch):
    first = as_lists(run(study, tmp_path))
    files = sorted(tmp_path.glob("*.json"))
    assert len(files) == 4 * 2
    for file in files[:4]:
        file.unlink()
    calls = []
    original = module.fold_risks
    monkeypatch.setattr(module, "fold_risks", lambda *a, **k: calls.append(1) or original(*a, **k))
    assert as_lists(run(study, tmp_path)) == first
    assert len(calls) == 4


@pytest.mark.parametrize("damage", ["", "{}", '{"test_risk": [1], "train_risk": [1], "notes": []}', "[]"])
def test_a_damaged_result_is_made_again(study, tmp_path, damage):
    first = as_lists(run(study, tmp_path, specs=study[1][:1]))
    for file in tmp_path.glob("*.json"):
        file.write_text(damage)
    assert as_lists(run(study, tmp_path, specs=study[1][:1])) == first


def test_kept_results_hold_no_outcome(study, tmp_path):
    run(study, tmp_path, specs=study[1][:1])
    for file in tmp_path.glob("*.json"):
        assert set(json.loads(file.read_text())) == {"test_risk", "train_risk", "notes", "gate", "fingerprint"}


def changed(table, **fields):
    return StudyTable(dataclasses.replace(table.features, **fields), table.outcome)


def with_setting(config, section, **values):
    return config.model_copy(update={section: getattr(config, section).model_copy(update=values)})


def test_anything_that_decides_a_result_changes_its_address(study, tmp_path):
    table, specs, _, config = study
    cox = specs[:1]
    run(study, tmp_path, specs=cox)
    known = len(list(tmp_path.glob("*.json")))
    other_time = SurvivalOutcome(table.outcome.event, table.outcome.time + 0.5)
    older = table.features.covariates.assign(age=table.features.covariates["age"] + 1)
    variants = {
        "outcome": {"table": StudyTable(table.features, other_time)},
        "covariates": {"table": changed(table, covariates=older)},
        "penalty": {"config": with_setting(config, "training", cox_penalty=1.0)},
        "seed": {"config": with_setting(config, "evaluation", seed=5)},
    }
    for name, variant in variants.items():
        run(study, tmp_path, specs=cox, **variant)
        assert len(list(tmp_path.glob("*.json"))) == known + 2, name
        known += 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "code_digest", lambda: "other code")
        run(study, tmp_path, specs=cox)
    assert len(list(tmp_path.glob("*.json"))) == known + 2


def test_how_many_radiomics_are_chosen_decides_rows_of_radiomics_alone(make_config):
    models = {"baselines": ["radiomics", "resnet50"], "families": ["image"]}
    few, many = (make_config(models=models, radiomics={"features": n}) for n in (5, 10))

    def decided(spec, config):
        return module.decided_by(spec, config, "code")

    changed_by = {spec.readout: decided(spec, few) != decided(spec, many) for spec in rows_of(few)}
    assert changed_by == {"final": False, "radiomics": True, "resnet50": False}


def test_what_a_row_does_not_see_does_not_change_its_address(study, tmp_path):
    table, specs, _, _ = study
    run(study, tmp_path, specs=specs[:1])
    louder = {key: memory * 2 for key, memory in table.features.embeddings.items()}
    run(study, tmp_path, specs=specs[:1], table=changed(table, embeddings=louder))
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_changed_outcomes_of_test_patients_change_the_c_index_though_the_fit_is_kept(study, tmp_path):
    table, specs, folds, config = study
    one = (table, specs[:1], folds[:1], config)
    before = run(one, tmp_path)[0][0]
    time = table.outcome.time.copy()
    time[folds[0].test_index] = time[folds[0].test_index][::-1]
    after = run(one, tmp_path, table=StudyTable(table.features, SurvivalOutcome(table.outcome.event, time)))[0][0]
    np.testing.assert_array_equal(before.test_risk, after.test_risk)
    assert before.c_index != after.c_index
    assert len(list(tmp_path.glob("*.json"))) == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_of_a_job_arrive_whole(study, tmp_path, workers):
    table, specs, _, _ = study
    wrong = table.features.covariates.astype(object)
    wrong.loc[3, "age"] = "old"
    with pytest.raises(ClinicalError, match="patient P003: age is not a finite number"):
        run(study, tmp_path, workers=workers, specs=specs[:1], table=changed(table, covariates=wrong))
    if workers == 0:
        same = table.features.covariates.assign(age=1.0, sex="F", stage="I")
        with pytest.raises(CohortError, match="row 'Clinical, ridge Cox', fold 1: no covariate is left"):
            run(study, tmp_path, specs=specs[:1], table=changed(table, covariates=same))


def test_progress_counts_jobs(study, tmp_path):
    table, specs, folds, config = study
    seen = []
    fixed_rows(table, specs[:1], folds, config, workers=0, cache_dir=tmp_path, progress=lambda *x: seen.append(x))
    assert seen == [(1, 2), (2, 2)]


def test_seeds_depend_on_seed_row_and_fold_only():
    seeds = {job_seed(s, row, fold) for s in (0, 1) for row in ("a", "b") for fold in range(5)}
    assert len(seeds) == 20
    assert job_seed(0, "Clinical, DeepSurv", 2) == job_seed(0, "Clinical, DeepSurv", 2)


def test_a_table_travels_without_losing_a_bit(study, tmp_path):
    table, _, _, config = study
    table = averaged(table, config)
    back = load_table(save_table(table, tmp_path / "table.npz"))
    assert back.features.ids == table.features.ids
    assert features_digest(back.features) == features_digest(table.features)
    np.testing.assert_array_equal(back.outcome.time, table.outcome.time)
    assert back.features.covariates["stage"].isna().sum() == table.features.covariates["stage"].isna().sum()


def test_a_table_without_covariates_or_with_odd_cells_travels(make_study, tmp_path):
    table, _ = make_study(6)
    bare = changed(table, covariates=pd.DataFrame(index=range(6)))
    assert len(load_table(save_table(bare, tmp_path / "a.npz"))) == 6
    odd = changed(table, covariates=pd.DataFrame({"x": [1, np.int64(2), 2.5, np.inf, None, "ä"]}, dtype=object))
    cells = load_table(save_table(odd, tmp_path / "b.npz")).features.covariates["x"].tolist()
    assert cells == [1.0, 2.0, 2.5, "inf", None, "ä"]


def test_the_table_of_ids_and_outcomes_lies_in_the_run_folder_and_is_gone_afterwards(study, tmp_path, monkeypatch):
    written = []
    original = transport.save_table
    monkeypatch.setattr(transport, "save_table", lambda table, path: written.append(path) or original(table, path))
    run(study, tmp_path, specs=study[1][:1])
    (path,) = written
    assert path.is_relative_to(tmp_path)
    assert not path.parent.exists()
