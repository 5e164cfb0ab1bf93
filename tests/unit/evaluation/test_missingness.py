"""Other treatments of missing covariates, on the folds of the main analysis."""

from dataclasses import replace

import numpy as np
import pytest
from side_analyses import OF_CLINICAL, RIDGE, main_analysis, with_gaps

from engram.errors import CohortError
from engram.evaluation.missingness import missing_variables, missingness
from engram.outcome import SurvivalOutcome
from engram.table import StudyTable


def test_every_treatment_of_gaps_is_reported(clinical, make_config, quick):
    evaluation = {"folds": 2, "max_missing": 0.6}
    config = make_config(**OF_CLINICAL, evaluation=evaluation, sensitivity={"imputations": 2})
    table = with_gaps(clinical(n=60))
    folds, results = main_analysis(table, config, quick)
    main, imputed, complete, indicated = missingness(table, [RIDGE], results, folds, config, quick)
    assert [row.analysis for row in (main, imputed, complete, indicated)] == [
        "main",
        "multiple imputation",
        "complete cases",
        "missing indicators",
    ]
    assert (main.n, main.events, main.difference) == (60, int(table.outcome.event.sum()), None)
    assert main.c_index == pytest.approx(np.mean([result.c_index for result in results[0]]))
    assert imputed.imputations == 2
    assert imputed.sd_imputations > 0
    assert imputed.difference == pytest.approx(imputed.c_index - main.c_index)
    whole = table.features.covariates.notna().all(axis=1)
    assert complete.n == whole.sum() < 60
    assert complete.difference != pytest.approx(complete.c_index - main.c_index)  # of the complete cases alone
    assert all(row.absent is None for row in (imputed, complete, indicated))
    again = missingness(table, [RIDGE], results, folds, config, replace(quick, cache_dir=quick.cache_dir / "b"))
    assert again == [main, imputed, complete, indicated]


def test_too_few_complete_cases_are_said(clinical, make_config, quick):
    config = make_config(
        **OF_CLINICAL, evaluation={"folds": 2, "max_missing": 0.99}, sensitivity={"imputations": 1}
    )
    table = clinical(n=40)
    covariates = table.features.covariates.assign(stage=None)
    covariates.loc[0, "stage"] = "I"
    table = replace(table, features=replace(table.features, covariates=covariates))
    folds, results = main_analysis(table, config, quick)
    complete = missingness(table, [RIDGE], results, folds, config, quick)[2]
    assert (complete.c_index, complete.absent) == (
        None,
        "too few patients in fold 2",
    )  # in fold 1 nobody trains who has a stage


def test_missing_variables_are_counted_with_their_events(clinical, make_config):
    table = clinical(n=40)
    covariates = table.features.covariates.assign(age=[np.nan] * 10 + [60.0] * 30, sex="F")
    outcome = SurvivalOutcome(np.arange(40) < 5, np.arange(1.0, 41))
    table = StudyTable(replace(table.features, covariates=covariates), outcome)
    age, sex, _ = missing_variables(table, make_config(**OF_CLINICAL))
    assert (age.missing, age.share, age.events_missing, age.events_known) == (10, 0.25, 0.5, 0)
    assert (sex.missing, sex.events_missing, sex.events_known) == (0, None, 0.125)


def test_each_fold_says_which_covariates_make_a_case_complete(clinical, make_config, quick):
    """In one training part more than the allowed share lacks the age, which is then not used there."""
    config = make_config(**OF_CLINICAL, evaluation={"folds": 2, "max_missing": 0.3}, sensitivity={"imputations": 1})
    table = clinical(n=60)
    folds, _ = main_analysis(table, config, quick)
    covariates = table.features.covariates.assign(age=60.0, stage="I", sex=["F", "M"] * 30)
    lacking = folds[0].train_index[
        :12
    ]  # 40 % of the training part of the first fold, 20 % of all, 0 of the second's
    covariates.loc[lacking, "age"] = np.nan
    table = replace(table, features=replace(table.features, covariates=covariates))
    _, results = main_analysis(table, config, quick)
    seen = []

    def watching(table, specs, folds, config, **kwargs):
        seen.append((len(folds[0].train_index), len(folds[0].test_index), "age" in config.covariates))
        return quick.rows(table, specs, folds, config, **kwargs)

    runner = replace(quick, rows=watching)
    complete = missingness(table, [RIDGE], results, folds, config, runner)[2]
    assert seen[2:4] == [(30, 30, False), (30, 18, True)]
    assert complete.n == 48


def test_an_error_names_the_imputation(clinical, make_config, quick):
    def failing(table, specs, folds, config, **kwargs):
        raise CohortError("no events")

    config = make_config(**OF_CLINICAL, evaluation={"folds": 2}, sensitivity={"imputations": 2})
    table = with_gaps(clinical(n=40), share=0.2)
    folds, results = main_analysis(table, config, quick)
    with pytest.raises(CohortError, match="imputation 1: no events"):
        missingness(table, [RIDGE], results, folds, config, replace(quick, rows=failing))
