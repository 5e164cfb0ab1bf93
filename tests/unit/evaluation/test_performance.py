"""The measures beyond the c-index of a whole study: what they are made of, and what may not leak into them."""

from dataclasses import replace

import numpy as np
import pytest

from engram.config_evaluation import Evaluation
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.folds import stratified_folds
from engram.evaluation.performance import performance
from engram.evaluation.yardstick import Yardstick
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c


def simulated(n=150, seed=0):
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=n)
    time, censoring = rng.exponential(30 * np.exp(-risk)) + 0.1, rng.uniform(20, 80, n)
    return risk, SurvivalOutcome(time <= censoring, np.minimum(time, censoring))


def results_of(risk, folds, outcome, scale=1.0):
    return [
        FoldResult(
            scale * risk[f.test_index],
            scale * risk[f.train_index],
            harrell_c(risk[f.test_index], outcome.subset(f.test_index)),
            (),
        )
        for f in folds
    ]


@pytest.fixture
def study():
    risk, outcome = simulated()
    return risk, outcome, stratified_folds(outcome, folds=3, time_quantiles=4, seed=0)


def measure(study, *, risks=None, drawn=("true",), **settings):
    risk, outcome, folds = study
    risks = {"true": risk} if risks is None else risks
    results = [results_of(values, folds, outcome) for values in risks.values()]
    return performance(list(risks), results, folds, outcome, Evaluation(**settings), drawn=drawn)


def test_the_true_risk_is_told_from_noise_and_from_overstatement(study):
    risk, _, _ = study
    noise = np.random.default_rng(9).normal(size=len(risk))
    found = measure(study, risks={"true": risk, "noise": noise, "overstated": 3 * risk}, drawn=("noise", "true"))
    true, nothing, much = found.rows
    assert true.uno_c.mean > 0.65 > 0.6 > nothing.uno_c.mean
    assert true.uno_c.values == pytest.approx(much.uno_c.values)
    assert true.mean_auc.mean > 0.7
    assert true.ipa.mean > 0.1 > nothing.ipa.mean
    assert true.ibs.mean < nothing.ibs.mean
    assert true.ici < 0.1 < much.ici
    assert 0.7 < true.slope < 1.3
    assert true.slope_lower < true.slope < true.slope_upper
    assert much.slope_upper < 0.6
    assert nothing.slope_lower < 0.3
    assert true.d_calibration_p > 0.01
    assert sum(true.d_calibration) == pytest.approx(1)
    assert [curves.row for curves in found.curves] == ["noise", "true"]
    assert not true.missing


def test_lists_have_the_lengths_that_are_documented(study):
    found = measure(study, times_months=(6, 12, 24))
    row = found.rows[0]
    assert found.auc_months == [6, 12, 24]
    assert len(row.auc) == 3
    assert all(len(m.values) == 3 for m in (*row.auc, row.uno_c, row.ibs, row.ipa, row.mean_auc))
    assert len(found.tau_months) == 3
    assert len(found.thresholds) == len(found.treat_all) == len(found.curves[0].net_benefit)
    assert len(found.curves[0].predicted) == len(found.curves[0].observed) == 100


def test_times_out_of_reach_are_left_out_and_said(study):
    found = measure(study, times_months=(12, 600), horizon_months=700)
    assert found.auc_months == [12]
    assert found.horizon_months is None
    assert found.rows[0].ici is None
    assert found.curves[0].predicted == []
    assert set(found.curves[0].net_benefit) == {None}
    assert [note[:9] for note in found.notes] == ["No AUC at", "No calibr"]


def test_a_fold_without_events_is_absent_with_a_reason(study):
    risk, outcome, folds = study
    event = outcome.event.copy()
    event[folds[0].test_index] = False
    bare = SurvivalOutcome(event, outcome.time)
    found = measure((risk, bare, folds)).rows[0]
    assert found.uno_c.values[0] is None
    assert found.uno_c.mean == pytest.approx(np.mean(found.uno_c.values[1:]))
    assert any(reason.startswith("Uno's c, fold 1: no comparable pair") for reason in found.missing)


def test_test_outcomes_change_no_weight_no_horizon_and_no_baseline(study):
    risk, outcome, folds = study
    fold = folds[0]
    time, event = outcome.time.copy(), outcome.event.copy()
    time[fold.test_index] *= 7
    event[fold.test_index] ^= True
    one, other = (Yardstick.of(o, fold) for o in (outcome, SurvivalOutcome(event, time)))
    result = results_of(risk, folds, outcome)[0]
    assert one.censoring.tau_months == other.censoring.tau_months
    np.testing.assert_array_equal(one.censoring.followed, other.censoring.followed)
    np.testing.assert_array_equal(one.grid, other.grid)
    extreme = replace(result, test_risk=result.test_risk * 100)
    np.testing.assert_array_equal(one.baseline(result).log_hazard, other.baseline(extreme).log_hazard)


def test_the_zero_of_each_folds_log_risks_is_of_no_account(study):
    risk, outcome, folds = study
    one = results_of(risk, folds, outcome)
    other = [
        replace(result, test_risk=result.test_risk + 10 * i, train_risk=result.train_risk + 10 * i)
        for i, result in enumerate(one)
    ]
    first, second = (
        performance(["row"], [results], folds, outcome, Evaluation(), drawn=[]).rows[0] for results in (one, other)
    )
    assert second.slope == pytest.approx(first.slope, rel=1e-6)
    assert second.ici == pytest.approx(first.ici, rel=1e-4)
    assert second.ibs.values == pytest.approx(first.ibs.values, rel=1e-9)
    assert second.d_calibration == pytest.approx(first.d_calibration, rel=1e-6)


def test_the_curve_to_beat_is_that_of_training(study):
    _, outcome, folds = study
    fold = folds[0]
    time = outcome.time.copy()
    time[fold.test_index] /= 8  # these fare far worse than training could know
    yardstick = Yardstick.of(SurvivalOutcome(outcome.event, time), fold)
    flat = FoldResult(np.zeros(len(fold.test_index)), np.zeros(len(fold.train_index)), None, ())
    # Without covariates, Breslow's hazard gives almost the Kaplan-Meier curve of training.
    assert yardstick.scores(flat, [12]).ipa.value == pytest.approx(0, abs=0.02)


def test_without_an_event_before_the_horizon_nothing_is_gained(study):
    """Where nobody has the event, whoever predicts more survival for everybody would seem to gain."""
    _, outcome, folds = study
    fold = folds[0]
    event = outcome.event.copy()
    event[fold.test_index] = False
    yardstick = Yardstick.of(SurvivalOutcome(event, outcome.time), fold)
    optimist = FoldResult(np.full(len(fold.test_index), -2.0), np.zeros(len(fold.train_index)), None, ())
    scores = yardstick.scores(optimist, [12])
    assert scores.ibs < yardstick.ibs_without_covariates
    assert scores.ipa.value is None
    assert scores.ipa.reason == "no test patient has the event before the horizon"


def test_equal_inputs_give_equal_numbers(study):
    assert measure(study) == measure(study)


@pytest.mark.parametrize("times", [(24, 12), (12, 12), (0, 12)])
def test_times_must_ascend_and_be_positive(times):
    with pytest.raises(ValueError, match="times_months"):
        Evaluation(times_months=times)
