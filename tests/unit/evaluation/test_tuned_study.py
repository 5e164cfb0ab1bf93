"""A study with tuning and with rows that cannot be run: what its records say."""

import numpy as np
import pytest

from engram.errors import CohortError
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.row_results import absent_row, beside
from engram.evaluation.rows import rows_of
from engram.evaluation.statistics import fold_statistics
from engram.evaluation.study import evaluate_study
from engram.evaluation.tuning_records import Search
from engram.table import EmbeddingKey, PatientFeatures, StudyTable

CT = EmbeddingKey("CT", "spine", "volume")
MODELS = {"origins": ["PET", "CT"], "families": ["clinical", "image"], "baselines": []}
IMAGES = MODELS | {"families": ["image"]}  # ridge Cox alone, which is quick
READOUTS = {"readouts": ["volume"]}


@pytest.fixture
def study(make_study):
    """Vectors of both scans, so that every row but one is ridge Cox."""
    table, truth = make_study(40)
    rng = np.random.default_rng(0)
    vectors = {
        EmbeddingKey(m, "spine", "volume"): rng.normal(size=(40, 6)).astype(np.float32) for m in ("PET", "CT")
    }
    features = PatientFeatures(table.features.ids, table.features.covariates, vectors)
    return StudyTable(features, table.outcome), truth


@pytest.fixture
def evaluate(study, make_config, tmp_path):
    def run(protocols, absent=None, models=MODELS):
        table, truth = study
        if absent:
            kept = {key: array for key, array in table.features.embeddings.items() if key not in absent}
            features = PatientFeatures(table.features.ids, table.features.covariates, kept)
            table = StudyTable(features, table.outcome)
        config = make_config(
            models=models,
            embedding=READOUTS,
            tuning={"protocols": protocols, "trials": 1, "inner_folds": 2},
            evaluation={"folds": 2},
            training={"max_epochs": 3, "inner_folds": 1, "ensemble": 1},
        )
        return evaluate_study(
            table, config, truth, encoder="mini", workers=0, cache_dir=tmp_path / "folds", absent=absent
        )

    return run


def test_each_row_has_its_headline_and_beside_it_what_the_other_protocols_give(evaluate):
    found = evaluate(["paper", "fixed", "nested"], models=IMAGES)
    plain = {row.name: row for row in evaluate(["fixed"], models=IMAGES).rows}
    for row in found.rows:
        assert row.protocol == "nested"
        assert row.mean == fold_statistics(row.c_index, held_out_ratio=1.0).mean
        assert row.same_folds.gap == pytest.approx(row.same_folds.mean - row.mean)
        assert row.untuned.gap == pytest.approx(row.untuned.mean - row.mean)
        assert row.untuned.c_index == plain[row.name].c_index
        assert row.same_folds.mean >= row.untuned.mean  # trial 0 is the untuned row
        assert (plain[row.name].protocol, plain[row.name].same_folds, plain[row.name].untuned) == (
            "fixed",
            None,
            None,
        )
    assert {search.protocol for search in found.searches} == {"nested", "paper"}
    assert set(found.trials["protocol"]) == {"nested", "paper"}
    risks = found.out_of_fold.query("row == 'PET, spine, volume'").set_index("patient_id")["risk"]
    assert np.isfinite(risks).all()


def test_what_was_tuned_on_the_test_folds_says_so_where_it_is_all_there_is(evaluate):
    rows = evaluate(["paper"], models=IMAGES).rows
    assert {row.protocol for row in rows} == {"paper"}
    assert all(row.same_folds is None and row.untuned is None for row in rows)


def test_a_row_whose_embedding_is_absent_says_why_and_the_study_goes_on(evaluate):
    found = evaluate(["fixed"], {CT: "weights absent: no resnet50"})
    rows = {row.name: row for row in found.rows}
    assert list(rows) == ["Clinical, ridge Cox", "Clinical, DeepSurv", "PET, spine, volume", "CT, spine, volume"]
    absent = rows.pop("CT, spine, volume")
    assert (absent.absent, absent.c_index, absent.mean) == ("weights absent: no resnet50", [None, None], None)
    assert (absent.head, absent.survival, absent.encoder) == ("PCA", "ridge Cox", "mini")
    assert absent.protocol == rows["PET, spine, volume"].protocol
    assert all(row.absent is None and row.mean is not None for row in rows.values())
    assert [row.row for row in found.performance.rows] == list(rows)
    assert set(found.out_of_fold["row"]) == set(rows)
    named = {one.row for one in found.comparisons} | {one.other for one in found.comparisons}
    assert "CT, spine, volume" not in named | {one.row for one in found.incremental_value}
    assert found.risk_groups.row in rows


def test_the_other_rows_do_not_change_where_one_is_absent(evaluate):
    whole = {row.name: row for row in evaluate(["fixed"], models=IMAGES).rows}
    for row in evaluate(["fixed"], {CT: "gone"}, IMAGES).rows:
        assert row.absent or row.c_index == whole[row.name].c_index


def test_a_study_without_a_row_to_run_is_refused_by_name(evaluate):
    alone = IMAGES | {"origins": ["CT"]}
    with pytest.raises(CohortError, match="no row of this study can be run; the first, 'CT, spine, volume': gone"):
        evaluate(["fixed"], {CT: "gone"}, alone)


def test_a_row_that_shares_a_search_says_whose_c_index_chose(make_config):
    specs = [spec for spec in rows_of(make_config(models={"origins": ["PET", "CT"]})) if spec.family == "image"]
    c = {"nested": [0.6, 0.5], "paper": [0.7, 0.6]}
    results = {
        protocol: [[FoldResult(np.zeros(2), np.zeros(2), value, ()) for value in values] for _ in specs]
        for protocol, values in c.items()
    }
    rows = [absent_row(spec, "", 2, "nested", encoder="mini").model_copy(update={"mean": 0.55}) for spec in specs]
    nothing = {"trials": 1, "pruned": 0, "space": [], "best": []}
    names = [spec.name for spec in specs]
    searches = [
        Search(group="both", protocol="nested", row=names[1], rows=names, **nothing),
        Search(group="both", protocol="paper", row=names[0], rows=names, **nothing),
    ]
    found = beside(rows, results, "nested", searches, ratio=0.5)
    assert [row.same_folds.chosen_on for row in found] == [None, names[0]]
    assert [row.same_folds.gap for row in found] == [pytest.approx(0.1)] * 2
