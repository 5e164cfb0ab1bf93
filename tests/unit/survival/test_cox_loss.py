"""The partial likelihood against its definition, against lifelines, and against finite differences."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter

from engram.outcome import SurvivalOutcome
from engram.survival.cox_loss import cox_loss, risk_sets


def outcome_of(time, event):
    return SurvivalOutcome(np.array(event, dtype=bool), np.array(time, dtype=float))


def by_definition(risk, outcome, ties):
    """The sums of the paper's formula, and of Efron's, written as they are read."""
    total = 0.0
    for time in np.unique(outcome.time[outcome.event]):
        dying = np.flatnonzero((outcome.time == time) & outcome.event)
        at_risk = np.exp(risk[outcome.time >= time]).sum()
        for rank, i in enumerate(dying):
            part = rank / len(dying) * np.exp(risk[dying]).sum() if ties == "efron" else 0.0
            total += np.log(at_risk - part) - risk[i]
    return total / outcome.event.sum()


patients = st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.floats(-3, 3)), min_size=1, max_size=25).filter(
    lambda rows: any(event for _, event, _ in rows)
)


@settings(max_examples=150, deadline=None)
@given(patients, st.sampled_from(["breslow", "efron"]))
def test_equals_the_definition_with_any_ties(rows, ties):
    time, event, risk = (np.array(column) for column in zip(*rows, strict=True))
    outcome = outcome_of(time, event)
    loss = cox_loss(torch.tensor(risk, dtype=torch.float64), risk_sets(outcome), ties)
    assert float(loss) == pytest.approx(by_definition(risk, outcome, ties), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("rounded", [False, True])
def test_efron_equals_lifelines_at_its_own_coefficients(rounded):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(120, 3))
    time = rng.exponential(10 * np.exp(-X[:, 0])) + 0.5
    time = np.ceil(time) if rounded else time
    outcome = outcome_of(time, rng.random(120) < 0.7)
    frame = pd.DataFrame(X, columns=list("abc")).assign(time=outcome.time, event=outcome.event)
    fitter = CoxPHFitter().fit(frame, "time", "event")
    risk = torch.tensor(X @ fitter.params_.to_numpy())
    total = -float(cox_loss(risk, risk_sets(outcome), "efron")) * outcome.event.sum()
    assert total == pytest.approx(fitter.log_likelihood_, rel=1e-9)


def test_efron_equals_lifelines_at_parameters_that_other_patients_gave():
    rng = np.random.default_rng(4)
    frames = [
        pd.DataFrame({"x": rng.normal(size=60), "time": rng.integers(1, 8, 60), "event": rng.random(60) < 0.6})
        for _ in range(2)
    ]
    fitter = CoxPHFitter().fit(frames[0], "time", "event")
    other = frames[1]
    risk = torch.tensor(other["x"].to_numpy() * fitter.params_["x"])
    loss = cox_loss(risk, risk_sets(outcome_of(other["time"], other["event"])), "efron")
    mean_log_likelihood = fitter.score(other, scoring_method="log_likelihood")
    assert -float(loss) * other["event"].sum() == pytest.approx(mean_log_likelihood * 60, rel=1e-9)


def test_methods_agree_without_ties_and_differ_with_them():
    risk = torch.tensor([0.3, -1.0, 0.5, 2.0], dtype=torch.float64)
    apart, tied = (
        risk_sets(outcome_of([1, 2, 3, 4], [1, 1, 0, 1])),
        risk_sets(outcome_of([1, 1, 1, 4], [1, 1, 0, 1])),
    )
    assert float(cox_loss(risk, apart, "efron")) == pytest.approx(float(cox_loss(risk, apart, "breslow")))
    assert float(cox_loss(risk, tied, "efron")) < float(cox_loss(risk, tied, "breslow")) - 1e-3


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_gradients_against_finite_differences(ties):
    outcome = outcome_of([1, 2, 2, 2, 3, 4, 4, 5], [1, 1, 1, 0, 0, 1, 1, 0])
    risk = torch.tensor(np.random.default_rng(0).normal(size=8), requires_grad=True)
    assert torch.autograd.gradcheck(lambda h: cox_loss(h, risk_sets(outcome), ties), (risk,))


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_extreme_risks_give_finite_loss_and_gradient(ties):
    outcome = outcome_of([1, 1, 2, 3, 3], [1, 1, 0, 1, 1])
    risk = torch.tensor([1000.0, -1000.0, 500.0, -500.0, 0.0], dtype=torch.float64, requires_grad=True)
    loss = cox_loss(risk, risk_sets(outcome), ties)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(risk.grad).all()


def test_a_constant_added_to_all_risks_changes_nothing():
    sets = risk_sets(outcome_of([1, 2, 2, 5], [1, 1, 1, 0]))
    risk = torch.tensor([0.1, 0.2, -0.3, 0.9], dtype=torch.float64)
    assert float(cox_loss(risk + 300, sets)) == pytest.approx(float(cox_loss(risk, sets)), rel=1e-12)


def test_higher_risk_for_the_one_who_dies_first_is_better():
    sets = risk_sets(outcome_of([1, 2], [1, 1]))
    assert cox_loss(torch.tensor([1.0, 0.0]), sets) < cox_loss(torch.tensor([0.0, 1.0]), sets)


def test_no_event_gives_zero_with_a_gradient_of_zero():
    risk = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = cox_loss(risk, risk_sets(outcome_of([1, 2], [0, 0])))
    loss.backward()
    assert float(loss.detach()) == 0
    assert risk.grad.tolist() == [0, 0]


def test_order_of_the_patients_does_not_matter():
    rng = np.random.default_rng(5)
    time, event, risk = rng.integers(1, 9, 40), rng.random(40) < 0.5, rng.normal(size=40)
    shuffled = rng.permutation(40)
    one = cox_loss(torch.tensor(risk), risk_sets(outcome_of(time, event)))
    other = cox_loss(torch.tensor(risk[shuffled]), risk_sets(outcome_of(time[shuffled], event[shuffled])))
    assert float(one) == pytest.approx(float(other), rel=1e-12)


def test_a_column_is_refused_and_the_dtype_is_kept():
    sets = risk_sets(outcome_of([1, 2], [1, 1]))
    with pytest.raises(ValueError, match="expected log_risk"):
        cox_loss(torch.zeros(2, 1), sets)
    assert cox_loss(torch.zeros(2), sets).dtype == torch.float32


@pytest.mark.parametrize(
    ("time", "event", "informative"),
    [([1, 2], [0, 0], False), ([1, 2], [0, 1], False), ([1, 2], [1, 0], True), ([2, 2], [1, 0], True)],
)
def test_informative_means_someone_else_was_at_risk(time, event, informative):
    assert risk_sets(outcome_of(time, event)).informative is informative
