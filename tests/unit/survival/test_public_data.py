"""Every metric equals that of other libraries on public data (tests/reference/survival says which and how)."""

import numpy as np
import pytest
import torch

from engram.survival.baseline import BreslowBaseline
from engram.survival.brier import brier_scores, integrated_brier
from engram.survival.calibration import calibration_slope
from engram.survival.cox_loss import cox_loss, risk_sets
from engram.survival.d_calibration import d_calibration
from engram.survival.discrimination import dynamic_auc, uno_c
from engram.survival.net_benefit import net_benefit


def test_the_horizon_is_where_a_tenth_of_training_is_at_risk(public):
    tau = public.censoring.tau_months
    assert tau == pytest.approx(public.expected["tau_months"])
    assert (public.training.time_months >= tau).mean() >= 0.1
    assert (public.training.time_months > tau).mean() < 0.1


def test_uno_c(public):
    value = uno_c(public.risk, public.test, public.censoring).value
    assert value == pytest.approx(public.expected["sksurv"]["uno_c"], abs=1e-10)
    assert value == pytest.approx(public.expected["torchsurv"]["uno_c"], abs=1e-5)


def test_dynamic_auc_and_its_mean(public):
    found = dynamic_auc(public.risk, public.test, public.censoring, public.times)
    values = [measure.value for measure in found.at]
    assert values == pytest.approx(public.expected["sksurv"]["auc"], abs=1e-10)
    assert values == pytest.approx(public.expected["torchsurv"]["auc"], abs=1e-5)
    assert found.mean.value == pytest.approx(public.expected["sksurv"]["mean_auc"], abs=1e-10)


def test_breslow_survival_and_brier(public):
    baseline = BreslowBaseline.of(public.training_risk, public.training)
    survival = baseline.survival(public.risk, public.times)
    np.testing.assert_allclose(survival[:5], public.expected["sksurv"]["survival"], atol=1e-10)
    scores = brier_scores(survival, public.test, public.censoring, public.times)
    np.testing.assert_allclose(scores, public.expected["sksurv"]["brier"], atol=1e-10)
    np.testing.assert_allclose(scores, public.expected["torchsurv"]["brier"], atol=1e-5)
    ibs = integrated_brier(scores, np.array(public.times))
    assert ibs == pytest.approx(public.expected["sksurv"]["ibs"], abs=1e-10)


def test_d_calibration(public):
    baseline = BreslowBaseline.of(public.training_risk, public.training)
    at_time = baseline.survival_at_own_time(public.risk, public.test.time_months)
    found = d_calibration(at_time, public.test)
    counts = public.expected["d_calibration"]["counts"][::-1]
    np.testing.assert_allclose(found.shares * len(public.test), counts, atol=1e-6)
    assert found.p == pytest.approx(public.expected["d_calibration"]["p"], abs=1e-8)


def test_net_benefit(public, thresholds):
    horizon = public.times[1]
    baseline = BreslowBaseline.of(public.training_risk, public.training)
    event_by = 1 - baseline.survival(public.risk, [horizon])[:, 0]
    for name, predicted in (("model", event_by), ("all", np.ones(len(event_by)))):
        found = net_benefit(predicted, public.test, horizon, thresholds)
        expected = public.expected["dcurves"][name]
        known = [(m.value, e) for m, e in zip(found, expected, strict=True) if e is not None]
        assert len(known) >= len(thresholds) - 2
        np.testing.assert_allclose(*zip(*known, strict=True), atol=1e-9)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_cox_loss(public, ties):
    whole = public.whole
    risk = torch.tensor(public.expected["risk"], dtype=torch.float64)
    total = -float(cox_loss(risk, risk_sets(whole), ties)) * int(whole.event.sum())
    assert total == pytest.approx(public.expected["log_likelihood"][ties], rel=1e-11)


def test_calibration_slope(public):
    whole = public.expected
    slope = calibration_slope(whole["risk"], public.whole, np.arange(len(public.whole)) % 2)
    half = 1.959963984540054 * whole["slope"]["se"]
    assert slope.value.value == pytest.approx(whole["slope"]["value"], abs=1e-5)
    assert slope.lower.value == pytest.approx(whole["slope"]["value"] - half, abs=1e-4)
    assert slope.upper.value == pytest.approx(whole["slope"]["value"] + half, abs=1e-4)
