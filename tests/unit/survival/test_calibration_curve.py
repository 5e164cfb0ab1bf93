"""The smoothed calibration curve against lifelines' own, which draws and prints, and against the truth."""

import matplotlib as mpl
import numpy as np
import pytest
from lifelines import CoxPHFitter
from lifelines.calibration import survival_probability_calibration
from lifelines.datasets import load_rossi
from matplotlib.figure import Figure

from engram.outcome import SurvivalOutcome
from engram.survival.calibration import calibration_curve

mpl.use("Agg")


@pytest.mark.filterwarnings("ignore")
def test_ici_and_e50_equal_those_of_lifelines(capsys):
    rossi = load_rossi()
    model = CoxPHFitter().fit(rossi, "week", "arrest")
    _, ici, e50 = survival_probability_calibration(model, rossi, t0=25, ax=Figure().subplots())
    predicted = 1 - model.predict_survival_function(rossi, times=[25]).to_numpy()[0]
    outcome = SurvivalOutcome(rossi["arrest"].to_numpy(dtype=bool), rossi["week"].to_numpy(dtype=float))
    found = calibration_curve(predicted, outcome, 25)
    assert found.ici.value == pytest.approx(ici, abs=1e-6)
    assert found.e50.value == pytest.approx(e50, abs=1e-6)


def test_true_probabilities_come_true_and_halved_ones_do_not():
    rng = np.random.default_rng(2)
    rate = np.exp(rng.normal(size=600)) / 20
    time, censoring = rng.exponential(1 / rate) + 1e-6, rng.exponential(40, 600) + 1e-6
    outcome = SurvivalOutcome(time <= censoring, np.minimum(time, censoring))
    true = 1 - np.exp(-10 * rate)
    calibrated, halved = calibration_curve(true, outcome, 10), calibration_curve(true / 2, outcome, 10)
    assert calibrated.ici.value < 0.05
    assert halved.ici.value > 0.1
    assert np.abs(calibrated.observed - calibrated.predicted).max() < 0.15
