"""Does a gate's share go with the risk, and with time? Of each patient by the model of his own fold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.gate_records import GateShare
from engram.evaluation.gates import gate_shares
from engram.evaluation.rank_correlation import rank_correlation, spearman
from engram.evaluation.rows import rows_of
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c

SIZES = (20, 25, 30)


@pytest.fixture
def folds() -> list[tuple[FoldResult, SurvivalOutcome]]:
    """Shares that fall as risks rise within a fold, and rise with them from one fold to the next."""
    rng, made = np.random.default_rng(3), []
    for number, n in enumerate(SIZES):
        risk = rng.normal(size=n) + 10 * number
        share = 0.3 * number + 0.3 / (1 + np.exp(risk - 10 * number + 0.5 * rng.normal(size=n)))
        outcome = SurvivalOutcome(rng.random(n) < 0.7, rng.exponential(20 * np.exp(10 * number - risk)) + 0.1)
        train = rng.normal(10 * number, 2.0, 60)
        made.append((FoldResult(risk, train, 0.5, (), share), outcome))
    return made


def shares_of(make_config, folds) -> GateShare:
    config = make_config(models={"origins": ["Combined"], "fusions": ["gate"], "families": ["image"]})
    (spec,) = rows_of(config)[:1]
    (found,) = gate_shares([spec], [[one for one, _ in folds]], [outcome for _, outcome in folds], seed=0)
    return found


def test_folds_are_ranked_apart(make_config, folds) -> None:
    found = shares_of(make_config, folds)
    expected = np.mean([stats.spearmanr(one.gate, one.test_risk).statistic for one, _ in folds])
    assert found.spearman == pytest.approx(expected)
    assert -1 <= found.spearman_lower < found.spearman < found.spearman_upper < -0.3
    pooled = stats.spearmanr(found.shares, np.concatenate([one.test_risk for one, _ in folds])).statistic
    assert pooled > 0.5  # the gates of the folds, not their patients
    c = np.mean([harrell_c(one.gate, outcome) for one, outcome in folds])
    assert found.c_index == pytest.approx(c)
    assert found.c_lower < found.c_index < found.c_upper < 0.5


def test_patients_are_kept_whole_and_in_no_order_of_the_study(make_config, folds) -> None:
    found = shares_of(make_config, folds)
    assert found.shares == sorted(found.shares)
    expected = {
        (share, (risk - one.train_risk.mean()) / one.train_risk.std(ddof=1), time, bool(event))
        for one, outcome in folds
        for share, risk, time, event in zip(one.gate, one.test_risk, outcome.time, outcome.event, strict=True)
    }
    lines = zip(found.shares, found.standardised_risks, found.times_months, found.events, strict=True)
    assert set(lines) == expected
    assert len(found.shares) == found.n == sum(SIZES)


def test_times_are_months(make_config, folds) -> None:
    in_days = [(one, SurvivalOutcome(outcome.event, outcome.time, "days")) for one, outcome in folds]
    days, months = (shares_of(make_config, made).times_months for made in (in_days, folds))
    np.testing.assert_allclose(np.array(months) / np.array(days), 365.25 / 12)


def test_ranks_of_equals_are_shared_as_scipy_does() -> None:
    x, y = np.array([1.0, 2, 2, 5, 7]), np.array([3.0, 1, 4, 4, 9])
    assert float(spearman(x, y)) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert np.isnan(spearman(np.ones((2, 4)), np.arange(8.0).reshape(2, 4))).all()


def test_what_does_not_vary_has_no_correlation() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=12), rng.normal(size=12)
    alone = rank_correlation([x], [y], seed=0)
    assert rank_correlation([np.ones(12), x, x[:2]], [y, y, y[:2]], seed=0) == alone
    assert rank_correlation([np.ones(12)], [y], seed=0).mean is None
    with pytest.raises(ValueError, match="same folds"):
        rank_correlation([x], [y[:11]], seed=0)
