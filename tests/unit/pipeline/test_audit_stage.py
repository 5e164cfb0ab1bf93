"""`engram audit` on a small study: its file, its words, its exit status."""

import contextlib
import json

import numpy as np
import pytest
import typer

from engram.commands_audit import audit as command
from engram.config import load_config
from engram.evaluation.alterations import leaky
from engram.evaluation.audit_records import load_audit
from engram.evaluation.protocols import headline_rows
from engram.evaluation.results import load_results
from engram.evaluation.rows import rows_of
from engram.pipeline import audit as stage
from engram.pipeline.console import Silent
from engram.pipeline.evaluate import evaluate, study_digest
from engram.pipeline.folders import RunFolder
from engram.pipeline.study import study as run_study

N = 24


@pytest.fixture
def study(tmp_path):
    rng = np.random.default_rng(0)
    ages, times = rng.normal(60, 8, N), rng.exponential(20, N) + 0.1
    rows = [f"secret-{i},{times[i]:.3f},{i % 3 != 0:d},{ages[i]:.2f}" for i in range(N - 1)]
    rows.append(rows[4].replace("secret-4", "secret-twin"))
    (tmp_path / "cohort.csv").write_text("\n".join(["patient_id,t,e,age", *rows]))
    (tmp_path / "study.yaml").write_text(
        "name: s\nmanifest: cohort.csv\noutput: results\noutcome: {time: t, unit: months, event: e}\n"
        "covariates: {age: {kind: continuous, unit: years}}\nevaluation: {folds: 2}\n"
        "training: {max_epochs: 3, inner_folds: 1, ensemble: 2}\n"
    )
    return tmp_path / "study.yaml"


def test_a_study_is_audited_and_its_patients_are_named_to_the_terminal_alone(study, capsys):
    command(study=study, workers=0, permutations=2)
    said = capsys.readouterr().out
    assert "passed: planted leak" in said
    assert "secret-4, secret-twin: the same covariates and outcome" in said
    assert "No check failed." in said
    config = load_config(study)
    path = RunFolder.of(config).audit
    assert "secret" not in path.read_text()
    audit = load_audit(path)
    assert audit.rows == ["Clinical, ridge Cox", "Clinical, DeepSurv"]
    assert (audit.patients, audit.folds, audit.failed) == (N, [1], [])
    assert audit.hashes.study == study_digest(config)
    assert {check.name: check.passed for check in audit.checks}["same covariates and outcome"] is None
    before = path.read_bytes()
    command(study=study, workers=0, permutations=2)
    assert path.read_bytes() == before


def test_a_study_that_leaks_ends_with_status_1(study, capsys, monkeypatch):
    def leaking(table, specs, folds, config, **given):
        return headline_rows(leaky(table, config.covariates), specs, folds, config, **given)

    monkeypatch.setattr(stage, "headline_rows", leaking)
    with pytest.raises(typer.Exit) as ended:
        command(study=study, workers=0, everything=True, permutations=2)
    assert ended.value.exit_code == 1
    said = capsys.readouterr().out
    assert "FAILED: test patients altered" in said
    assert "1 check(s) failed: test patients altered." in said
    assert load_audit(study.parent / "results" / "audit.json").folds == [1, 2]


def test_after_engram_study_its_grid_is_audited(study, capsys):
    study.write_text(study.read_text() + "tuning: {protocols: [fixed]}\n")
    run_study(load_config(study), workers=0, console=Silent())
    command(study=study, workers=0, permutations=2)
    said = capsys.readouterr().out
    assert "No check failed." in said
    assert "passed: saved results." in said
    assert "Run 'engram report'" in said
    made = load_results(study.parent / "results" / "results.json").provenance.study_digest
    assert made != study_digest(load_config(study))
    assert load_audit(study.parent / "results" / "audit.json").hashes.study == made


def test_tuning_is_part_of_what_is_audited(study, capsys, monkeypatch):
    text = study.read_text() + "tuning: {protocols: [nested], trials: 2, inner_folds: 2}\n"
    study.write_text(text + "models: {families: [clinical]}\n")
    monkeypatch.setattr(stage, "rows_of", lambda config: rows_of(config)[:1])
    command(study=study, workers=0, permutations=2)
    assert "No check failed." in capsys.readouterr().out


def evaluated(study):
    config = load_config(study)
    evaluate(config, workers=0, console=Silent())
    return RunFolder.of(config)


def of_results(study):
    with contextlib.suppress(typer.Exit):
        command(study=study, workers=0, permutations=2)
    audit = load_audit(study.parent / "results" / "audit.json")
    return next(check for check in audit.checks if check.name == "saved results")


def test_results_of_a_stale_cache_are_seen(study):
    """As if the code had changed without its digest: what is kept is not what would be made now."""
    folder = evaluated(study)
    assert of_results(study).passed
    for kept in folder.folds.glob("*.json"):
        stored = json.loads(kept.read_text())
        stored["test_risk"] = stored["test_risk"][::-1]
        kept.write_text(json.dumps(stored))
    evaluated(study)
    found = of_results(study)
    assert found.passed is False
    assert "'Clinical, ridge Cox, fold 1'" in found.detail
    assert "Delete the folder 'cache'" in found.detail


def test_results_of_other_data_or_code_are_seen(study):
    assert of_results(study).passed is None
    folder = evaluated(study)
    text = folder.results.read_text()
    for field, words in (("data_digest", "another data"), ("code_digest", "another code")):
        results = json.loads(text)
        results["provenance"][field] = "0" * 64
        folder.results.write_text(json.dumps(results))
        found = of_results(study)
        assert found.passed is False
        assert words in found.detail
    folder.results.write_text(text)
    folder.out_of_fold.unlink()
    assert of_results(study).passed is False
