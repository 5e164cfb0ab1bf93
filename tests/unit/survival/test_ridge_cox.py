"""Ridge Cox over lifelines: direction, shrinkage, refusal."""

import numpy as np
import pytest

from engram.errors import CohortError
from engram.outcome import SurvivalOutcome
from engram.survival import ridge_cox
from engram.survival.ridge_cox import RidgeCox


def cohort(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    time = rng.exponential(np.exp(-X[:, 0])) + 0.01
    return X, SurvivalOutcome(rng.random(n) < 0.7, time).to_structured()


def test_higher_risk_is_worse_and_a_larger_penalty_shrinks():
    X, y = cohort()
    weak, strong = RidgeCox(0.01).fit(X, y), RidgeCox(10.0).fit(X, y)
    assert weak.coefficients[0] > 0.5
    assert np.linalg.norm(strong.coefficients) < 0.3 * np.linalg.norm(weak.coefficients)
    assert weak.predict(np.array([[2.0, 0, 0]])) > weak.predict(np.array([[-2.0, 0, 0]]))


def test_the_fit_is_where_the_penalised_likelihood_is_flat():
    X, y = cohort()
    X = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1)
    fitted, penalty = RidgeCox(0.5).fit(X, y), 0.5

    def objective(beta):
        risk, order = X @ beta, np.argsort(-y["time"])
        sums = np.log(np.cumsum(np.exp(risk[order])))
        likelihood = (risk[order] - sums)[y["event"][order]].sum() / len(y)
        return likelihood - penalty / 2 * (beta**2).sum()

    best = objective(fitted.coefficients)
    for step in np.vstack([np.eye(3), -np.eye(3)]) * 1e-2:
        assert objective(fitted.coefficients + step) < best


def test_same_data_same_coefficients_and_more_columns_than_patients():
    X, y = cohort()
    np.testing.assert_array_equal(RidgeCox(0.1).fit(X, y).coefficients, RidgeCox(0.1).fit(X, y).coefficients)
    wide = np.random.default_rng(1).normal(size=(30, 60))
    assert np.isfinite(RidgeCox(0.1).fit(wide, y[:30]).coefficients).all()


def test_separated_patients_do_not_defeat_the_penalty():
    time = np.arange(1.0, 41.0)
    y = SurvivalOutcome(np.ones(40, dtype=bool), time).to_structured()
    assert RidgeCox(0.1).fit(-time[:, None] / 10, y).coefficients[0] > 0


def test_full_steps_that_circle_are_followed_by_smaller_ones(monkeypatch):
    rng = np.random.default_rng(89)
    X = np.exp(2 * rng.normal(size=(60, 2)))  # a few patients far from all others
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = SurvivalOutcome(np.ones(60, dtype=bool), rng.exponential(np.exp(-X[:, 0])) + 0.01).to_structured()
    found = RidgeCox(0.1).fit(X, y).coefficients
    monkeypatch.setattr(ridge_cox, "_FIRST_STEPS", (0.1,))
    np.testing.assert_allclose(found, RidgeCox(0.1).fit(X, y).coefficients, rtol=1e-4)
    monkeypatch.setattr(ridge_cox, "_FIRST_STEPS", (0.95,))
    with pytest.raises(CohortError, match="did not converge"):
        RidgeCox(0.1).fit(X, y)


def test_no_event_and_no_convergence_are_refused(monkeypatch):
    X, y = cohort()
    censored = y.copy()
    censored["event"] = False
    with pytest.raises(CohortError, match="had the event"):
        RidgeCox(0.1).fit(X, censored)
    with pytest.raises(CohortError, match=r"did not converge at training\.cox_penalty 1e-12 .*larger"):
        RidgeCox(1e-12).fit(
            -np.c_[y["time"] * 1e3, y["time"] * 1e3 + 1e-9],
            SurvivalOutcome(np.ones(120, dtype=bool), y["time"]).to_structured(),
        )


def test_wrong_shapes_are_refused():
    X, y = cohort()
    with pytest.raises(ValueError, match="expected X"):
        RidgeCox(0.1).fit(X[:5], y)
    with pytest.raises(ValueError, match="not fitted"):
        RidgeCox(0.1).predict(X)
    with pytest.raises(ValueError, match="not fitted"):
        RidgeCox(0.1).fit(X, y).predict(X[:, :2])
