"""What cannot be known is absent with a reason, never NaN, infinite or a guess; and definitions by hand."""

import numpy as np
import pytest

from engram.outcome import SurvivalOutcome
from engram.survival.baseline import BreslowBaseline
from engram.survival.brier import accuracy_gain, brier_grid, brier_scores, training_curve
from engram.survival.calibration import calibration_curve, calibration_slope
from engram.survival.censoring import Censoring
from engram.survival.d_calibration import d_calibration
from engram.survival.discrimination import dynamic_auc, uno_c
from engram.survival.measure import Measure
from engram.survival.metrics import harrell_c
from engram.survival.net_benefit import net_benefit


def outcome_of(time, event):
    return SurvivalOutcome(np.array(event, dtype=bool), np.array(time, dtype=float))


def simulated(n=200, seed=0, strength=1.0):
    rng = np.random.default_rng(seed)
    risk = strength * rng.normal(size=n)
    time, censoring = rng.exponential(20 * np.exp(-risk)) + 0.1, rng.exponential(40, n) + 0.1
    return risk, SurvivalOutcome(time <= censoring, np.minimum(time, censoring))


@pytest.mark.parametrize(("value", "reason"), [(None, ""), (1.0, "why"), (float("nan"), ""), (float("inf"), "")])
def test_a_measure_is_a_finite_number_or_a_reason(value, reason):
    with pytest.raises(ValueError, match="measure"):
        Measure(value, reason)


def test_censoring_by_hand_events_come_before_the_censored_of_their_time():
    censoring = Censoring.of(outcome_of([1, 2, 2, 3, 4], [0, 1, 0, 1, 0]))
    # At 2, three of the four at risk are left after the event, and one of them is censored.
    np.testing.assert_allclose(censoring.at([0, 1, 1.5, 2, 3]), [1, 4 / 5, 4 / 5, 4 / 5 * 2 / 3, 4 / 5 * 2 / 3])


def test_no_weight_exceeds_ten_however_patients_were_censored():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        training = outcome_of(rng.integers(1, 15, 80), rng.random(80) < rng.random())
        censoring = Censoring.of(training)
        before = censoring.time_months[censoring.time_months < censoring.tau_months]
        assert (censoring.at(before) >= 0.1 - 1e-12).all()


@pytest.mark.parametrize("time", [-1.0, 4.0, 9.0])
def test_censoring_is_unknown_from_the_horizon_on(time):
    with pytest.raises(ValueError, match="is known from 0"):
        Censoring.of(outcome_of([1, 2, 3, 4], [1, 0, 1, 0])).at([time])


def test_everybody_censored_at_once_leaves_all_measures_finite():
    risk, free = simulated()
    cut = SurvivalOutcome(free.event & (free.time <= 12), np.minimum(free.time, 12))
    censoring = Censoring.of(cut)
    grid = brier_grid(censoring)
    survival = BreslowBaseline.of(risk, cut).survival(risk, grid)
    assert censoring.tau_months == 12
    assert uno_c(risk, cut, censoring).value > 0.6
    assert np.isfinite(brier_scores(survival, cut, censoring, grid)).all()
    assert dynamic_auc(risk, cut, censoring, [6, 11.9]).mean.value > 0.6


def test_uno_is_harrell_where_nobody_is_censored_before_the_horizon():
    risk, outcome = simulated(60)
    everyone = outcome_of(outcome.time, np.ones(60))
    censoring = Censoring.of(outcome_of([*outcome.time, 1e6], np.ones(61)))
    far = Censoring(censoring.time_months, censoring.followed, 1e6)
    assert uno_c(risk, everyone, far).value == pytest.approx(harrell_c(risk, everyone))


def test_direction_and_ties_of_risks():
    outcome, censoring = (
        outcome_of([1, 2, 3, 9], [1, 1, 0, 0]),
        Censoring.of(outcome_of([1, 2, 5, 9], [1, 1, 0, 0])),
    )
    for risk, expected in (([4, 3, 2, 1], 1.0), ([1, 2, 3, 4], 0.0), ([0, 0, 0, 0], 0.5)):
        assert uno_c(risk, outcome, censoring).value == expected
        assert dynamic_auc(risk, outcome, censoring, [2.5]).mean.value == expected


def test_what_a_fold_lacks_is_said():
    censoring = Censoring.of(outcome_of([1, 2, 5, 9], [1, 1, 0, 0]))
    nobody = outcome_of([1, 2], [0, 0])
    assert "no comparable pair" in uno_c([1, 2], nobody, censoring).reason
    assert dynamic_auc([1, 2], nobody, censoring, [1]).at[0].reason == "no event by 1 months"
    early = dynamic_auc([1, 2], outcome_of([1, 2], [1, 1]), censoring, [1, 3])
    assert early.at[0].value == 0.0
    assert early.at[1].reason == early.mean.reason == "nobody followed beyond 3 months"
    assert dynamic_auc([1, 2], nobody, censoring, []).mean.reason == "no times were asked for"


@pytest.mark.parametrize("measure", [uno_c, lambda r, o, c: dynamic_auc(r, o, c, [1])])
def test_unusable_risks_are_refused(measure):
    outcome = outcome_of([1, 2], [1, 0])
    with pytest.raises(ValueError, match="finite risks"):
        measure([1.0, np.nan], outcome, Censoring.of(outcome))


def test_breslow_by_hand_with_ties_and_extreme_risks():
    training = outcome_of([1, 2, 2, 3], [1, 1, 1, 0])
    baseline = BreslowBaseline.of(np.log([2.0, 1, 1, 1]), training)
    hazard = np.array([0, 1 / 5, 1 / 5 + 2 / 3, 1 / 5 + 2 / 3])
    np.testing.assert_allclose(
        baseline.survival(np.log([1, 3]), [0.5, 1, 2, 30]), np.exp(-np.outer([1, 3], hazard))
    )
    np.testing.assert_allclose(baseline.survival_at_own_time([0.0, 0.0], [0.5, 2.5]), np.exp(-hazard[[0, 2]]))
    assert baseline.survival([5000.0, -5000.0], [0.5, 9]).tolist() == [[1, 0], [1, 1]]
    shifted = BreslowBaseline.of(np.log([2.0, 1, 1, 1]) + 800, training)
    np.testing.assert_allclose(shifted.survival([800.0], [1, 2]), np.exp(-hazard[None, 1:3]))


def test_breslow_refuses_what_it_cannot_use():
    with pytest.raises(ValueError, match="without an event"):
        BreslowBaseline.of([0.0, 1.0], outcome_of([1, 2], [0, 0]))
    with pytest.raises(ValueError, match="a time for each risk"):
        BreslowBaseline.of([0.0, 1.0], outcome_of([1, 2], [1, 0])).survival_at_own_time([0.0], [1.0, 2.0])


def test_brier_by_hand_and_what_it_refuses():
    outcome = outcome_of([1, 2, 3, 4], [1, 0, 1, 0])
    free = Censoring.of(outcome_of([1, 2, 3, 8], [1, 1, 1, 1]))
    survival = np.array([0.2, 0.9, 0.5, 0.7])[:, None]
    expected = (0.2**2 + 0 + 0.5**2 + 0.3**2) / 4  # at 3: one censored before counts nothing
    assert brier_scores(survival, outcome, free, [3]) == pytest.approx(expected)
    with pytest.raises(ValueError, match="between 0 and 1"):
        brier_scores(survival + 0.5, outcome, free, [3])
    with pytest.raises(ValueError, match="expected survival"):
        brier_scores(survival, outcome, free, [2, 3])


def test_ipa_is_zero_for_the_training_curve_itself_and_absent_without_error():
    _, outcome = simulated(80)
    curve = training_curve(outcome, np.array([0.0, 5.0]), 3)
    assert curve.shape == (3, 2)
    assert curve[:, 0].tolist() == [1, 1, 1]
    assert accuracy_gain(0.2, 0.2).value == 0
    assert accuracy_gain(0.1, 0.2).value == pytest.approx(0.5)
    assert accuracy_gain(0.0, 0.0).reason


def test_d_calibration_by_hand():
    found = d_calibration([0.95, 0.05, 0.25, 1.0, 0.0, 0.5], outcome_of([1, 2, 3, 4, 5, 6], [1, 1, 0, 1, 0, 1]))
    # 0.25, censored: 0.05 of it in its own bin and 0.1 in each of the two below. 0.5 is the lower edge of its bin.
    counts = [1 + 0.4 + 1, 0.4, 0.2, 0, 0, 1, 0, 0, 0, 2]
    np.testing.assert_allclose(found.shares * 6, counts)
    assert found.statistic == pytest.approx(sum((c - 0.6) ** 2 / 0.6 for c in counts))


def test_d_calibration_finds_the_true_model_calibrated_and_a_wrong_one_not():
    rng = np.random.default_rng(1)
    time, censoring = rng.exponential(1, 2000) + 1e-9, rng.exponential(2, 2000) + 1e-9
    outcome = outcome_of(np.minimum(time, censoring), time <= censoring)
    assert d_calibration(np.exp(-outcome.time), outcome).p > 0.05
    assert d_calibration(np.exp(-1.5 * outcome.time), outcome).p < 1e-6


@pytest.mark.parametrize("survival", [[0.5], [1.2, 0.1], [np.nan, 0.1]])
def test_d_calibration_refuses_what_is_no_probability(survival):
    with pytest.raises(ValueError, match="survival"):
        d_calibration(survival, outcome_of([1, 2], [1, 0]))


def test_net_benefit_without_censoring_counts_true_and_false_positives():
    outcome, predicted = outcome_of([1, 2, 8, 9], [1, 1, 1, 1]), [0.9, 0.4, 0.6, 0.1]
    found = [measure.value for measure in net_benefit(predicted, outcome, 5, [0.2, 0.5, 0.95])]
    assert found == pytest.approx([2 / 4 - 1 / 4 * 0.25, 1 / 4 - 1 / 4, 0])


def test_net_benefit_is_absent_where_nobody_treated_is_followed():
    outcome = outcome_of([1, 2, 8, 9], [0, 0, 1, 1])
    assert "none of the 2 treated" in net_benefit([0.9, 0.9, 0.1, 0.1], outcome, 5, [0.5])[0].reason
    known = outcome_of([1, 2, 8, 9], [1, 1, 0, 0])  # all treated had the event: nobody is left to follow
    assert net_benefit([0.9, 0.9, 0.1, 0.1], known, 5, [0.5])[0].value == pytest.approx(0.5)
    with pytest.raises(ValueError, match="threshold"):
        net_benefit([0.9, 0.9, 0.1, 0.1], outcome, 5, [0.5, 1.0])


def test_a_slope_of_the_truth_is_one_and_of_overstated_risks_below():
    risk, outcome = simulated(800)
    fold = np.arange(800) % 5
    offset = risk + 10.0 * fold  # zeros of folds are of no account
    assert calibration_slope(offset, outcome, fold).value.value == pytest.approx(1, abs=0.12)
    assert calibration_slope(2 * risk, outcome, fold).upper.value < 0.75


def test_slope_and_curve_say_why_they_are_absent():
    risk, outcome = simulated(60)
    few = outcome_of(outcome.time, np.arange(60) < 9)
    assert "9 events" in calibration_slope(risk, few, np.zeros(60)).value.reason
    assert "are equal" in calibration_slope(np.zeros(60), outcome, np.zeros(60)).lower.reason
    assert "9 events" in calibration_curve(np.full(60, 0.5), few, 5).ici.reason
    assert "are equal" in calibration_curve(np.full(60, 0.5), outcome, 5).e50.reason
    assert "nobody was followed" in calibration_curve(np.linspace(0, 1, 60), outcome, 500).ici.reason
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibration_curve(np.linspace(0, 2, 60), outcome, 5)
