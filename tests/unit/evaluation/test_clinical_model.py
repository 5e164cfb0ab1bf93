"""The covariates of all patients in one model, and what risks add to them."""

import numpy as np
import pandas as pd
import pytest

from engram.evaluation.clinical_model import clinical_columns, clinical_model, incremental_value, stage_columns
from engram.evaluation.cox import likelihood_ratio
from engram.evaluation.risk_groups import PooledRisks
from engram.outcome import SurvivalOutcome


@pytest.fixture
def cohort(make_study, make_config):
    table, truth = make_study(150)
    return table, truth, clinical_columns(table, make_config().covariates, max_missing=0.4)


def pooled(risk):
    return PooledRisks(np.arange(len(risk)), np.asarray(risk, dtype=float), np.zeros(len(risk), dtype=int))


def test_columns_are_numbers_that_can_be_told_apart(cohort):
    _, _, columns = cohort
    assert list(columns.columns) == ["age", "sex_F", "stage_I", "stage_II", "stage_III"]
    assert np.isfinite(columns.to_numpy()).all()
    assert np.linalg.matrix_rank(columns - columns.mean()) == 5


def test_what_the_cohort_bears(cohort):
    table, _, columns = cohort
    model = clinical_model(columns, table.outcome)
    events = int(table.outcome.event.sum())
    assert (model.parameters, model.events_per_parameter) == (5, events / 5)
    assert model.likelihood_ratio == likelihood_ratio(columns, table.outcome).chi_square
    assert 0.8 < model.shrinkage < 1
    assert 0 < model.r2 < 1
    assert model.parameters_allowed > 1
    assert [one.column for one in model.proportional_hazards] == list(columns.columns)
    assert all(one.p <= one.p_adjusted for one in model.proportional_hazards)


def test_no_covariates_no_model(cohort):
    table, _, columns = cohort
    assert clinical_model(columns.iloc[:, :0], table.outcome) is None
    assert incremental_value(columns.iloc[:, :0], {"PET": pooled(np.zeros(150))}, table.outcome) == []


def test_a_covariate_that_most_lack_is_not_used(make_study, make_config):
    table, _ = make_study(60)
    table.features.covariates.loc[:40, "age"] = np.nan
    columns = clinical_columns(table, make_config().covariates, max_missing=0.4)
    assert "age" not in columns.columns


def test_what_is_new_is_found_and_what_is_known_adds_nothing(cohort):
    table, truth, columns = cohort
    risks = {
        "imaging": pooled(truth["imaging"] / truth["imaging"].std()),
        "noise": pooled(-np.random.default_rng(1).normal(size=150)),
        "age again": pooled(columns["age"] * 2 + 1),
    }
    imaging, noise, again = incremental_value(columns, risks, table.outcome)
    assert imaging.p_adjusted < 1e-6
    assert imaging.new_information > 0.3
    assert noise.p > 0.05
    assert noise.new_information < 0.05
    assert (again.likelihood_ratio, again.p, again.p_adjusted) == (None, None, None)
    whole = likelihood_ratio(pd.concat([columns, truth[["imaging"]]], axis=1), table.outcome)
    assert imaging.new_information == pytest.approx(imaging.likelihood_ratio / whole.chi_square)


def test_a_risk_that_works_in_reverse_adds_nothing(cohort):
    """Turned round it would: a likelihood ratio has no sign."""
    table, truth, columns = cohort
    risks = {"forwards": pooled(truth["imaging"]), "backwards": pooled(-truth["imaging"])}
    forwards, backwards = incremental_value(columns, risks, table.outcome)
    assert forwards.coefficient == pytest.approx(-backwards.coefficient)
    assert forwards.coefficient > 0
    assert backwards.likelihood_ratio == pytest.approx(forwards.likelihood_ratio)
    assert (backwards.p, backwards.p_adjusted, backwards.new_information) == (None, None, None)
    assert forwards.p_adjusted == forwards.p < 1e-6


def test_any_columns_will_do_such_as_a_stage_alone(cohort):
    table, truth, columns = cohort
    risk = {"imaging": pooled(truth["imaging"])}
    stage = columns[["stage_I", "stage_II", "stage_III"]]
    (over_stage,) = incremental_value(stage, risk, table.outcome)
    assert over_stage.p < 1e-6


def test_the_stage_alone_is_a_benchmark_of_its_own(make_study, make_config):
    table, truth = make_study(120)
    config = make_config(models={"stage": "stage"})
    columns = stage_columns(table, config)
    assert list(columns) == ["stage_I", "stage_II", "stage_III"]  # missing is the fourth level
    assert stage_columns(table, make_config()).shape[1] == 0
    image = {"PET": pooled(truth["imaging"])}
    (added,) = incremental_value(columns, image, table.outcome)
    assert added.p < 1e-6
    assert incremental_value(stage_columns(table, make_config()), image, table.outcome) == []


def test_only_those_who_test_are_asked_what_an_image_adds(make_study, make_config):
    """In splits by time the first window has no out-of-fold risk."""
    table, truth = make_study(120)
    columns = stage_columns(table, make_config(models={"stage": "stage"}))
    tested = np.arange(40, 120)
    part = PooledRisks(tested, truth["imaging"].to_numpy()[tested], np.zeros(80, dtype=int))
    found = incremental_value(columns, {"PET": part}, table.outcome)
    alone = incremental_value(
        columns.iloc[tested].reset_index(drop=True),
        {"PET": pooled(part.standardised)},
        table.outcome.subset(tested),
    )
    assert found == alone


def test_covariates_that_explain_nearly_all_end_no_study():
    """A column that nearly tells the order of events: more than Riley's bound for exponential times."""
    rng, time = np.random.default_rng(0), np.arange(1.0, 201)
    outcome = SurvivalOutcome(np.arange(200) % 2 == 0, time)
    columns = pd.DataFrame({"age": -time / 20 + rng.normal(scale=0.2, size=200)})
    model = clinical_model(columns, outcome)
    assert model.r2 > 0.9
    assert model.parameters_allowed is None
    assert model.model_dump_json()
