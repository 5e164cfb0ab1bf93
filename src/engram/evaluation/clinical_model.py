"""The covariates of all patients in one Cox model: what it bears, and what the images add to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from engram.config import Covariate, StudyConfig
from engram.evaluation.covariates import checked_covariates, column_transformer, usable_covariates
from engram.evaluation.cox import fit_cox, independent_columns, likelihood_ratio, proportional_hazards_p
from engram.evaluation.multiplicity import benjamini_hochberg, holm
from engram.evaluation.results import ClinicalModel, ColumnTest, IncrementalValue
from engram.evaluation.risk_groups import PooledRisks
from engram.evaluation.sample_size import adjusted_r2, parameters_allowed
from engram.outcome import SurvivalOutcome
from engram.table import StudyTable


def clinical_columns(table: StudyTable, declared: Mapping[str, Covariate], *, max_missing: float) -> pd.DataFrame:
    """(n, p): the covariates of all patients as numbers, imputed and encoded as in the folds, less columns that are
    constant or a sum of others. It has no column where no covariate is usable.

    They describe this cohort: no risk of a row is made from them.
    """
    raw = checked_covariates(table.features, declared)
    names, _ = usable_covariates(raw, declared, max_missing)
    if not names:
        return raw.iloc[:, :0]
    encoder = column_transformer(names, declared).set_output(transform="pandas")
    encoded = encoder.fit_transform(raw)
    return independent_columns(encoded.rename(columns=lambda name: name.partition("__")[2]))


def stage_columns(table: StudyTable, config: StudyConfig) -> pd.DataFrame:
    """(n, p): the stage alone as numbers, as of `clinical_columns`; without a column where none is declared."""
    stage = config.models.stage
    declared = {} if stage is None else {stage: config.covariates[stage]}
    return clinical_columns(table, declared, max_missing=config.evaluation.max_missing)


def clinical_model(columns: pd.DataFrame, outcome: SurvivalOutcome) -> ClinicalModel | None:
    """The Cox model of all covariates on all patients: how much it explains, how many parameters the cohort bears,
    and whether hazards are proportional. None where there are no columns or the fit fails.

    columns: as of `clinical_columns`.
    """
    ratio = likelihood_ratio(columns, outcome)
    if ratio is None:
        return None
    n, events = len(outcome), int(outcome.event.sum())
    shrinkage, r2 = adjusted_r2(ratio.chi_square, parameters=ratio.parameters, patients=n)
    return ClinicalModel(
        parameters=ratio.parameters,
        events_per_parameter=events / ratio.parameters,
        likelihood_ratio=ratio.chi_square,
        p=ratio.p,
        shrinkage=shrinkage,
        r2=r2,
        parameters_allowed=parameters_allowed(r2, patients=n, events=events),
        proportional_hazards=_proportional_hazards(columns, outcome),
    )


def incremental_value(
    columns: pd.DataFrame, rows: Mapping[str, PooledRisks], outcome: SurvivalOutcome
) -> list[IncrementalValue]:
    """What the out-of-fold risk of each row adds to the covariates, in the patients who test: likelihood ratio, and
    the share of all that both explain together. Adjusted by Benjamini and Hochberg over the rows. A risk that works
    in reverse has neither p nor share: what it gains is gained by turning it round.

    columns: as of `clinical_columns`, or any others, such as a stage alone. rows: by their names. Covariates are
    fitted on those patients and the risk is not, which favours the covariates.
    """
    before = likelihood_ratio(columns, outcome)
    found = [_added(name, pooled, columns, outcome) for name, pooled in rows.items()] if before else []
    adjusted = benjamini_hochberg([one.p for one in found])
    return [one.model_copy(update={"p_adjusted": p}) for one, p in zip(found, adjusted, strict=True)]


def _added(name: str, pooled: PooledRisks, columns: pd.DataFrame, outcome: SurvivalOutcome) -> IncrementalValue:
    risk, outcome = pd.DataFrame({"_risk": pooled.standardised}), outcome.subset(pooled.patients)
    columns = independent_columns(columns.iloc[pooled.patients].reset_index(drop=True))
    both = independent_columns(pd.concat([columns, risk], axis=1))
    told_apart = both.shape[1] > columns.shape[1]
    ratio = likelihood_ratio(risk, outcome, beside=columns) if told_apart else None
    whole = likelihood_ratio(both, outcome) if told_apart else None
    if ratio is None or whole is None:
        return IncrementalValue(row=name, likelihood_ratio=None, p=None, p_adjusted=None, new_information=None)
    coefficient = _coefficient(both, outcome)
    forwards = coefficient is not None and coefficient > 0
    return IncrementalValue(
        row=name,
        likelihood_ratio=ratio.chi_square,
        coefficient=coefficient,
        p=ratio.p if forwards else None,
        p_adjusted=None,
        new_information=ratio.chi_square / whole.chi_square if forwards and whole.chi_square > 0 else None,
    )


def _coefficient(both: pd.DataFrame, outcome: SurvivalOutcome) -> float | None:
    """Of the risk, whose column is the last."""
    fitted = fit_cox(both, outcome)
    return None if fitted is None else float(fitted.params_.iloc[-1])


def _proportional_hazards(columns: pd.DataFrame, outcome: SurvivalOutcome) -> list[ColumnTest]:
    found = proportional_hazards_p(columns, outcome) or {}
    p: Sequence[float | None] = [value if np.isfinite(value) else None for value in found.values()]
    return [
        ColumnTest(column=name, p=one, p_adjusted=adjusted)
        for name, one, adjusted in zip(found, p, holm(p), strict=True)
    ]
