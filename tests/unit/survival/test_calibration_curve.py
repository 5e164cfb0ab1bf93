"""The smoothed calibration curve against a reference, against the truth, and where a known library goes wrong."""

import numpy as np
import pytest

from engram.outcome import SurvivalOutcome
from engram.survival.baseline import BreslowBaseline
from engram.survival.calibration import calibration_curve


def simulated(n, seed=2):
    rng = np.random.default_rng(seed)
    rate = np.exp(rng.normal(size=n)) / 20
    time, censoring = rng.exponential(1 / rate) + 1e-6, rng.exponential(40, n) + 1e-6
    return rate, SurvivalOutcome(time <= censoring, np.minimum(time, censoring))


def test_ici_and_e50_of_public_data(public):
    horizon = public.times[1]
    baseline = BreslowBaseline.of(public.training_risk, public.training)
    event_by = 1 - baseline.survival(public.risk, [horizon])[:, 0]
    found = calibration_curve(event_by, public.test, horizon)
    assert found.ici.value == pytest.approx(public.expected["calibration"]["ici"], abs=2e-5)
    assert found.e50.value == pytest.approx(public.expected["calibration"]["e50"], abs=2e-5)


def test_true_probabilities_come_true_and_halved_ones_do_not():
    rate, outcome = simulated(800)
    true = 1 - np.exp(-10 * rate)
    calibrated, halved = calibration_curve(true, outcome, 10), calibration_curve(true / 2, outcome, 10)
    assert calibrated.ici.value < 0.04
    assert calibrated.e50.value < 0.04
    assert halved.ici.value > 0.1
    assert np.abs(calibrated.observed - calibrated.predicted).max() < 0.12
    assert np.abs(halved.observed - 2 * halved.predicted).max() < 0.12


@pytest.mark.parametrize("seed", range(8))
def test_small_cohorts_are_not_far_off(seed):
    rate, outcome = simulated(65, seed)
    assert calibration_curve(1 - np.exp(-10 * rate), outcome, 10).ici.value < 0.2


def test_few_distinct_predictions_give_a_straight_line():
    rate, outcome = simulated(300)
    predicted = np.where(rate > np.median(rate), 0.6, 0.3)
    found = calibration_curve(predicted, outcome, 10)
    assert found.ici.value < 0.15
    assert found.observed[[0, -1]] == pytest.approx([0.3, 0.6], abs=0.15)


def test_probabilities_of_zero_and_one_are_no_trouble():
    rate, outcome = simulated(300)
    predicted = (1 - np.exp(-10 * rate)).round(1)
    found = calibration_curve(predicted, outcome, 10)
    assert np.isfinite(found.observed).all()
    assert found.ici.value < 0.2
