"""A whole study on a small cohort whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from engram.errors import CohortError
from engram.evaluation.rows import NONE, RIDGE_COX, RowSpec
from engram.evaluation.statistics import fold_statistics
from engram.evaluation.study import cohort_warnings, evaluate_study
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c


@pytest.fixture
def evaluate(make_config, tmp_path):
    def run(table, truth, specs=None, **sections):
        sections.setdefault("evaluation", {"folds": 3})
        return evaluate_study(
            table,
            make_config(**sections),
            truth,
            encoder="mini",
            workers=0,
            cache_dir=tmp_path / "folds",
            specs=specs,
        )

    return run


def test_signal_is_found_where_it_is(make_study, evaluate):
    table, truth = make_study(90)
    evaluation = evaluate(table, truth)
    rows = {row.name: row for row in evaluation.rows}
    assert next(iter(rows)) == "Clinical, ridge Cox"
    assert len(rows) == 8
    assert rows["Clinical, ridge Cox"].mean > 0.6
    assert rows["PET, spine"].mean > 0.6
    assert rows["PET + clinical, spine"].mean > max(rows["PET, spine"].mean, 0.7)
    assert abs(rows["CT, spine"].mean - 0.5) < 0.15
    assert rows["PET, spine"].encoder == "mini"
    assert rows["Clinical, DeepSurv"].encoder == "-"
    for row in rows.values():
        found = fold_statistics(row.c_index, held_out_ratio=0.5)
        assert (row.mean, row.se, row.p) == (found.mean, found.se, found.p)
        assert (row.p_two_sided, row.p_corrected) == (found.p_two_sided, found.p_corrected)
        assert row.ci_lower < row.mean < row.ci_upper
        assert row.p_adjusted >= row.p_corrected
    check_out_of_fold(evaluation, table)
    check_truth(evaluation, table, truth)
    best = max(evaluation.rows, key=lambda row: row.mean)
    assert evaluation.risk_groups.row == best.name
    assert evaluation.risk_groups.logrank_p < 0.01
    low, *_, high = evaluation.risk_groups.curves
    assert low.survival[-1] > high.survival[-1]
    assert evaluation.risk_groups.hr_lower > 1
    check_evidence(evaluation)


def check_evidence(evaluation):
    planned = [(one.row, one.other) for one in evaluation.comparisons if one.prespecified]
    assert planned == [
        (f"{images} + clinical, spine", "Clinical, DeepSurv") for images in ("PET", "CT", "PET + CT")
    ]
    added = {one.row: one for one in evaluation.incremental_value}
    assert list(added) == ["PET, spine", "CT, spine", "PET + CT, spine"]
    assert added["PET, spine"].p_adjusted < 0.001
    noise = added["CT, spine"]
    assert noise.p_adjusted is None if noise.coefficient <= 0 else noise.p_adjusted > 0.001
    assert evaluation.clinical_model.parameters == 5  # age, one of two sexes, three of four stages


def check_out_of_fold(evaluation, table):
    frame = evaluation.out_of_fold
    assert len(frame) == 8 * len(table)
    row = frame[frame["row"] == "PET, spine"]
    assert row["patient_id"].tolist() == list(table.features.ids)
    assert row.groupby("fold").size().tolist() == [fold.n for fold in evaluation.folds]
    assert row.groupby("fold")["event"].sum().tolist() == [fold.events for fold in evaluation.folds]
    again = [
        harrell_c(part["risk"], SurvivalOutcome(part["event"].astype(bool), part["time_months"]))
        for _, part in row.groupby("fold")
    ]
    expected = next(r for r in evaluation.rows if r.name == "PET, spine").c_index
    assert again == pytest.approx(expected)
    assert np.isfinite(frame["standardised_risk"]).all()


def check_truth(evaluation, table, truth):
    part_of = {"clinical": "clinical", "image": "imaging", "multimodal": "total"}
    fold = evaluation.out_of_fold.query("row == 'PET, spine'")["fold"].to_numpy()
    test = np.flatnonzero(fold == 1)
    for row in evaluation.rows:
        hazard = truth[part_of[row.family]].to_numpy()[test]
        assert row.true_c_index[0] == pytest.approx(harrell_c(hazard, table.outcome.subset(test)))
        assert row.true_mean == pytest.approx(np.mean(row.true_c_index))


def test_permuted_outcomes_give_chance(make_study, evaluate):
    table, _ = make_study(120, strength=0.0)
    ridge = RowSpec("Clinical, ridge Cox", "clinical", None, NONE, NONE, NONE, NONE, RIDGE_COX)
    table = type(table)(replace(table.features, embeddings={}), table.outcome)
    means = []
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(120)
        shuffled = type(table)(table.features, table.outcome.subset(order))
        evaluation = evaluate(shuffled, None, [ridge])
        means.append(evaluation.rows[0].mean)
        assert evaluation.rows[0].true_c_index is None
    assert np.mean(means) == pytest.approx(0.5, abs=0.04)


def test_a_small_cohort_is_called_what_it_is(make_study, evaluate):
    table, truth = make_study(30)
    warnings = evaluate(table, truth, models={"families": ["clinical"]}).warnings
    assert "Only 30 patients" in warnings[0]
    assert "says nothing about discrimination" in warnings[0]


def test_notes_of_folds_come_once_with_their_folds(make_study, evaluate):
    table, truth = make_study(90)
    covariates = table.features.covariates.assign(sex="F")
    table = type(table)(type(table.features)(table.features.ids, covariates, {}), table.outcome)
    evaluation = evaluate(table, truth, models={"families": ["clinical"]})
    found = evaluation.fold_notes
    where = "the same in all training patients (fold 1, 2, 3; row 'Clinical, ridge Cox' and 1 more)."
    assert [w for w in found if "sex" in w] == [f"Column 'sex_{level}' dropped: {where}" for level in "FM"]
    assert evaluation.warnings == []


def test_folds_without_comparable_pairs_are_named():
    outcome = SurvivalOutcome(np.ones(60, dtype=bool), np.arange(1.0, 61))
    censored = SurvivalOutcome(np.zeros(5, dtype=bool), np.arange(1.0, 6))
    assert cohort_warnings([outcome, outcome]) == []
    assert "test fold 2, 3" in cohort_warnings([outcome, censored, censored])[0]


def test_who_never_tests_is_no_part_of_the_size_of_a_study():
    window = SurvivalOutcome(np.ones(35, dtype=bool), np.arange(1.0, 36))
    assert "Only 35 patients with 35 events were tested" in cohort_warnings([window])[0]


def test_too_few_events_and_a_wrong_truth_are_refused(make_study, evaluate):
    table, truth = make_study(30)
    event = np.arange(30) < 2
    few = type(table)(table.features, SurvivalOutcome(event, table.outcome.time))
    with pytest.raises(CohortError, match="30 patients with 2 events"):
        evaluate(few, truth)
    for wrong in (truth[:-1], truth.drop(columns="total"), truth.assign(total=np.nan)):
        with pytest.raises(ValueError, match="true log-hazards of 30 patients"):
            evaluate(table, wrong)
