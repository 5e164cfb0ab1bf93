"""Engram's statistics on a user's own arrays: no file, and the numbers of a study."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import engram
from engram import Row, StudyTable, evaluate
from engram.api_rows import specs_of
from engram.errors import CohortError, ConfigError
from engram.evaluation.comparisons import pairs_of
from engram.evaluation.preprocess import keys_of
from engram.evaluation.results import load_results
from engram.table import EmbeddingKey

DOCS = Path(__file__).parents[2] / "docs"
N = 52


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=(2, N))
    time, censoring = rng.exponential(20 * np.exp(-2 * signal)) + 0.1, rng.exponential(60, N) + 0.1
    return StudyTable.from_arrays(
        [f"secret-{i}" for i in range(N)],
        pd.DataFrame({"noise": noise}),
        time=np.minimum(time, censoring),
        event=time <= censoring,
        unit="months",
        embeddings={
            "mine": np.c_[signal, rng.normal(size=(N, 2))],
            "yours": rng.normal(size=(N, 3)),
            "maps": rng.normal(size=(N, 4, 4)),
            "more": rng.normal(size=(N, 2, 2, 4, 4)),
            EmbeddingKey("PET", "spine", "volume"): rng.normal(size=(N, 6)),
            EmbeddingKey("CT", "spine", "volume"): rng.normal(size=(N, 6)),
            EmbeddingKey("CT", "spine", "roi"): rng.normal(size=(N, 6)),
        },
    )


def _nearly(table):
    """The times, with the first two patients exchanged: the times themselves are refused."""
    return table.outcome.time[[1, 0, *range(2, N)]]


def _noise(table):
    return table.features.covariates.astype(float)


@pytest.fixture(scope="module")
def results(table):
    return evaluate(table, ["clinical", "mine", "mine + clinical"], protocol="fixed", evaluation={"folds": 2})


def test_the_signal_is_found_where_it_is(results):
    rows = results.rows
    assert list(rows.index) == ["Clinical, ridge Cox", "mine", "mine + clinical"]
    assert rows.loc["mine", "c_index"] > 0.75
    assert abs(rows.loc["Clinical, ridge Cox", "c_index"] - 0.5) < 0.2
    assert np.allclose(results.folds.mean(axis=1), rows["c_index"])
    assert rows[["se", "ci_lower", "p_corrected", "uno_c", "ipa", "slope"]].notna().all(axis=None)
    assert rows["protocol"].tolist() == ["fixed"] * 3
    (planned,) = results.comparisons.query("prespecified").to_dict("records")
    assert (planned["row"], planned["other"]) == ("mine + clinical", "Clinical, ridge Cox")
    assert planned["difference"] > 0.1
    assert len(results.out_of_fold) == 3 * N
    assert any("fewer than 50" in text for text in results.warnings)


def test_results_print_their_rows_in_short(results):
    assert repr(results).splitlines()[0] == "Results of 'study'"
    assert f"{results.rows.loc['mine', 'c_index']:.3f}" in repr(results)
    assert "2 comparison(s), 1 warning(s)" in repr(results)
    assert len(repr(results)) < 1000


def test_the_settings_of_tuning_are_in_the_provenance(results):
    assert results.study.provenance.tuning["protocols"] == ["fixed"]


def test_no_comparison_is_a_frame_with_its_columns(table):
    found = evaluate(table, ["mine"], protocol="fixed", evaluation={"folds": 2}).comparisons
    assert len(found) == 0
    assert {"row", "other", "p_corrected"} <= set(found.columns)


def test_an_empty_table_is_called_so(table):
    empty = StudyTable.from_arrays(table.features.ids, outcome=table.outcome)
    with pytest.raises(ConfigError, match="the table is empty"):
        evaluate(empty)


@pytest.mark.parametrize(
    ("row", "size", "least"), [("m", 1, 4), ("m", 3, 4), ("m, attention", 1, 2), ("m + clinical", 2, 4)]
)
def test_maps_too_small_for_a_head_are_refused_by_name(table, row, size, least):
    maps = np.random.default_rng(0).normal(size=(N, 8, size))
    small = StudyTable.from_arrays(table.features.ids, _noise(table), table.outcome, {"m": maps})
    with pytest.raises(ConfigError, match=rf"maps of 'm' have 8 x {size} pixels, .*needs {least} x {least}"):
        evaluate(small, [row], protocol="fixed")
    specs_of(["m, ridge Cox", "m, flatten"], small.features)


@pytest.mark.parametrize("shape", [(N, 3), (N, 4, 4)])
def test_an_embedding_that_is_the_same_for_all_is_called_by_its_name(table, shape):
    same = StudyTable.from_arrays(table.features.ids, outcome=table.outcome, embeddings={"mine": np.ones(shape)})
    with pytest.raises(CohortError, match=r"embedding 'mine': none of .* Leave it out, or the rows") as refused:
        evaluate(same, ["mine, ridge Cox"], protocol="fixed", evaluation={"folds": 2})
    assert "readouts" not in str(refused.value)
    assert "models." not in str(refused.value)


def test_covariates_that_cannot_be_used_are_said_so_in_python_too(table):
    same = pd.DataFrame({"x": np.full(N, 1.5)})
    constant = StudyTable.from_arrays(table.features.ids, same, table.outcome)
    with pytest.raises(CohortError, match=r"max_missing .evaluation., or leave out the rows"):
        evaluate(constant, ["clinical"], protocol="fixed", evaluation={"folds": 2})


def test_the_report_is_one_file_that_names_nobody(results, tmp_path):
    page = results.to_html(tmp_path / "deep" / "page.html").read_text()
    assert "mine + clinical" in page
    assert "numbers that were given for each patient" in page
    assert "not verified" not in page
    assert "Are the embeddings worth it over clinical?" in page
    assert "with embeddings minus c-index" in page
    text = re.sub(r"<style.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    assert not re.findall(r".{0,40}(?:images|[Ii]mage-only|[Ii]mage [+]|[Ii]maging).{0,20}", text)
    assert "secret" not in page
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["page.html"]
    saved = results.save(tmp_path / "all")
    assert load_results(saved) == results.study
    assert (tmp_path / "all" / "report.html").read_text() == page
    assert "secret" not in saved.read_text()


def test_the_same_call_gives_the_same_numbers(table, results, tmp_path):
    given = {"protocol": "fixed", "evaluation": {"folds": 2}}
    again = evaluate(table, ["clinical", "mine", "mine + clinical"], cache=tmp_path, **given)
    assert again.study == results.study
    assert list(tmp_path.glob("*.json"))


def test_tuned_protocols_stand_beside_each_other(table):
    given = {"evaluation": {"folds": 2}, "tuning": {"trials": 2, "inner_folds": 2}}
    found = evaluate(table, ["mine"], protocol=("nested", "paper"), **given)
    row = found.rows.loc["mine"]
    assert row["protocol"] == "nested"
    assert row["gap"] == pytest.approx(row["same_folds_c"] - row["c_index"])
    assert {search.protocol for search in found.study.searches} == {"nested", "paper"}
    alone = evaluate(table, ["mine"], **given)
    assert alone.rows.loc["mine", "c_index"] == row["c_index"]


def test_maps_train_a_network(table):
    before = torch.get_num_threads()
    found = evaluate(
        table,
        ["maps"],
        protocol="fixed",
        evaluation={"folds": 2},
        training={"max_epochs": 2, "inner_folds": 1, "ensemble": 1},
    )
    assert found.study.rows[0].head == "averaging"
    assert found.study.clinical_model is not None  # the covariates are described, though no row sees them
    assert torch.get_num_threads() == before


def test_a_study_without_covariates(table):
    bare = StudyTable.from_arrays(
        table.features.ids, outcome=table.outcome, embeddings={"v": _nearly(table)[:, None]}
    )
    found = evaluate(bare, protocol="fixed", evaluation={"folds": 2})
    assert found.rows.loc["v", "c_index"] > 0.9


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("clinical", ("Clinical, ridge Cox", "-", "-", "ridge Cox")),
        ("clinical, DeepSurv", ("Clinical, DeepSurv", "-", "-", "DeepSurv")),
        ("mine", ("mine", "PCA", "-", "ridge Cox")),
        ("mine+yours", ("mine + yours", "PCA", "concatenation", "ridge Cox")),
        ("mine, DeepSurv", ("mine, DeepSurv", "PCA", "-", "DeepSurv")),
        ("maps", ("maps", "averaging", "-", "DeepSurv")),
        ("clinical + maps, attention", ("maps + clinical, attention", "attention", "concatenation", "DeepSurv")),
        ("maps + more, gate", ("maps + more, gate", "averaging", "gate", "DeepSurv")),
        ("maps, ridge Cox", ("maps, PCA", "PCA", "-", "ridge Cox")),
        ("noise", ("noise, ridge Cox", "-", "-", "ridge Cox")),
        ("mine + noise", ("mine + noise", "PCA", "concatenation", "ridge Cox")),
        ("PET spine volume", ("PET, spine, volume", "PCA", "-", "ridge Cox")),
        (Row(("CT spine volume", "PET spine volume"), name="both"), ("both", "PCA", "concatenation", "ridge Cox")),
        (
            Row((EmbeddingKey("PET", "spine", "volume"), "clinical")),
            ("PET + clinical, spine, volume", "PCA", "concatenation", "ridge Cox"),
        ),
    ],
)
def test_rows_and_their_defaults(table, row, parts):
    (spec,) = specs_of([row], table.features)
    assert (spec.name, spec.head, spec.fusion, spec.survival) == parts
    assert set(keys_of(spec)) <= set(table.features.embeddings)
    if spec.family != "clinical" and spec.roi == "-":  # a name is a row as text
        assert specs_of([spec.name], table.features) == (spec,)


def test_a_row_may_see_some_of_the_covariates(table, tmp_path):
    rng = np.random.default_rng(3)
    given = pd.DataFrame({"good": -_nearly(table), "noise": rng.normal(size=N), "mine": rng.normal(size=N)})
    with_more = StudyTable.from_arrays(table.features.ids, given, table.outcome, {"mine": rng.normal(size=(N, 2))})
    truth = pd.DataFrame(rng.normal(size=(N, 3)), columns=["clinical", "imaging", "total"])
    rows = ["good", "noise", "good + noise", "clinical"]
    found = evaluate(with_more, rows, protocol="fixed", evaluation={"folds": 2}, truth=truth)
    assert found.rows.loc["good, ridge Cox", "c_index"] > 0.9
    assert found.rows.loc["noise, ridge Cox", "c_index"] < 0.7
    assert [row.true_mean is None for row in found.study.rows] == [True, True, True, False]
    assert "the truth says what all of them know" in found.to_html(tmp_path / "page.html").read_text()
    with pytest.raises(ConfigError, match="'mine' is the name of two things"):
        specs_of(["mine"], with_more.features)


def test_what_an_embedding_adds_to_one_covariate_is_declared_in_advance(table):
    rows = ["noise", "clinical", "mine + noise"]
    found = evaluate(table, rows, protocol="fixed", evaluation={"folds": 2})
    planned = found.comparisons.query("prespecified")[["row", "other"]].to_numpy().tolist()
    assert planned == [["mine + noise", "noise, ridge Cox"]]


def test_radiomics_that_are_handed_over_are_chosen_from(table):
    keys = [EmbeddingKey(scan, "spine", "radiomics") for scan in ("PET", "CT")]
    bare = StudyTable.from_arrays(
        table.features.ids, outcome=table.outcome, embeddings={key: np.eye(N)[:, :3] for key in keys}
    )
    (spec,) = specs_of(["PET spine radiomics + CT spine radiomics"], bare.features)
    assert (spec.head, spec.survival, spec.fusion) == ("selection", "ridge Cox", "concatenation")
    with pytest.raises(ConfigError, match="a gate mixes"):
        specs_of(["PET spine radiomics + CT spine radiomics, gate"], bare.features)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("mine", "expected a list of rows"),
        ([], "expected a list of rows"),
        (
            ["mien"],
            r"sees 'mien', which is not there; the table has mine, .*clinical, noise\. Did you mean 'mine'\?",
        ),
        (["mine + mine"], "one thing twice"),
        (["mine + maps"], "vectors or maps"),
        (["clinical + noise"], "'clinical' is all covariates, 'noise' one of them"),
        (["PET spine volume + CT spine roi"], "one region and read-out"),
        (["mine + PET spine volume"], "all of them yours"),
        (["mine", "mine"], "two would be called 'mine'"),
        (["mine, attention"], "head 'attention' does not go with vectors and ridge Cox; possible: PCA"),
        (["maps, averaging, ridge Cox"], "head 'averaging' does not go with maps and ridge Cox; possible: PCA"),
        (["mine, boosting"], "'boosting' after the comma; .*ridge Cox, DeepSurv"),
        ([Row(("mine",), model="boosting")], "no model 'boosting'"),
        (["mine + yours, gate"], "fusion 'gate' is not possible here"),
        ([Row(("clinical",), head="PCA")], "head 'PCA' does not go with covariates alone"),
        ([Row("mine")], "must be a tuple of names"),
        ([Row(())], "must be a tuple of names"),
        ([Row(None)], "must be a tuple of names"),
        ([Row((None,))], "sees 'None', which is not there"),
        ([Row((["mine"],))], "which is not there"),
        ([None], "rows: None is no row"),
        (3, "expected a list of rows"),
    ],
)
def test_rows_that_cannot_be_are_refused_with_what_there_is(table, rows, said):
    with pytest.raises(ConfigError, match=said):
        specs_of(rows, table.features)


def test_without_rows_there_are_all(table):
    names = [spec.name for spec in specs_of(None, table.features)]
    assert names[:3] == ["Clinical, ridge Cox", "Clinical, DeepSurv", "mine"]
    assert len(names) == 2 + 2 * 7


def test_what_each_embedding_adds_is_declared_by_default(table):
    found = {
        (specs[pair.row].name, specs[pair.other].name)
        for specs in [specs_of(None, table.features)]
        for pair in pairs_of(specs)
        if pair.prespecified
    }
    assert {("mine + clinical", "Clinical, ridge Cox"), ("maps + clinical", "Clinical, DeepSurv")} <= found
    assert len(found) == 7
    features = StudyTable.from_arrays(table.features.ids, _noise(table), table.outcome, {"v": np.eye(N)}).features
    assert [spec.name for spec in specs_of(None, features)] == ["Clinical, ridge Cox", "v", "v + clinical"]


def test_splits_by_site_and_time(table):
    sites, years = np.arange(N) % 4, pd.Series(np.arange(N) // 4 + 2000)
    split = StudyTable.from_arrays(
        table.features.ids,
        outcome=table.outcome,
        embeddings={"v": np.random.default_rng(1).normal(size=(N, 2))},
        groups=sites,
        order=years,
    )
    by_site = evaluate(split, ["v"], protocol="fixed", evaluation={"folds": 2, "splits": "grouped"})
    assert by_site.study.splits.kind == "grouped"
    folds = by_site.out_of_fold.assign(site=sites).groupby("site")["fold"].nunique()
    assert folds.tolist() == [1, 1, 1, 1]
    assert [group.n for group in by_site.study.cohort.groups] == [13] * 4
    by_time = evaluate(
        split,
        ["v"],
        protocol="fixed",
        evaluation={"folds": 2, "splits": "temporal"},
        sensitivity={"permutations": 2},
    )
    assert len(by_time.out_of_fold) < N
    assert [null.row for null in by_time.study.permutation_null] == ["v"]
    with pytest.raises(ConfigError, match="splits 'grouped' need `groups`"):
        evaluate(table, ["mine"], evaluation={"splits": "grouped"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"evaluation": {"fold": 3}}, "evaluation.fold: unknown field; did you mean 'folds'"),
        ({"evaluation": {"seed": 3}}, "seed in `evaluation`: it is the argument `seed`"),
        ({"tuning": {"protocols": ("paper",)}}, "it is the argument `protocol`"),
        ({"protocol": "nests"}, "tuning.protocols.0: must be"),
        ({"training": {"dropout": 2}}, "training.dropout"),
        ({"workers": 0}, "workers is 0. Give a whole number, 1 or more"),
        ({"workers": 1.5}, "workers is 1.5"),
        ({"workers": True}, "workers is True"),
    ],
)
def test_wrong_settings_are_named(table, given, said):
    with pytest.raises(ConfigError, match=said):
        evaluate(table, ["mine"], **given)


def test_a_cohort_without_events_is_refused(table):
    censored = StudyTable.from_arrays(
        table.features.ids,
        time=table.outcome.time,
        event=np.zeros(N),
        unit="months",
        embeddings={"v": np.ones((N, 1))},
    )
    with pytest.raises(CohortError, match="censored"):
        evaluate(censored, protocol="fixed")


def test_importing_engram_is_light_and_what_it_offers_is_there():
    heavy = "{'numpy', 'pandas', 'pydantic', 'torch', 'transformers'}"
    code = f"import sys, engram; sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert all(getattr(engram, name) is not None for name in engram.__all__)
    with pytest.raises(AttributeError, match="no attribute 'evaluation_of_dreams'"):
        _ = engram.evaluation_of_dreams


def test_the_page_on_python_runs_and_prints_what_it_says(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "python.md", "exec"), {})
    (said,) = re.findall(r"^print\(.*\)  # (.*)$", code, flags=re.MULTILINE)
    assert capsys.readouterr().out.splitlines()[0] == said
    assert (tmp_path / "report.html").is_file()
