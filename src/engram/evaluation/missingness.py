"""Other ways to treat missing covariates: several imputations, complete cases, indicators of what is missing."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engram.config import Covariate, StudyConfig
from engram.errors import CohortError
from engram.evaluation.covariates import checked_covariates, usable_covariates
from engram.evaluation.fold_fit import FoldResult, job_seed, visible
from engram.evaluation.imputation import GapFiller
from engram.evaluation.permutation_null import mean_c
from engram.evaluation.preprocess import seen_covariates
from engram.evaluation.rows import RowSpec
from engram.evaluation.sensitivity_records import MissingnessAnalysis, MissingnessRow, MissingVariable
from engram.evaluation.variants import Runner, Variant, is_cheap, run_variants
from engram.survival.metrics import harrell_c
from engram.survival.splits import Fold
from engram.table import StudyTable

INDICATOR = "missing: "  # in front of the covariate's name
FEWEST = 2  # patients of a test part, and events of a training part, of complete cases


@dataclass(frozen=True)
class _Study:
    """The main analysis: a table, folds, and what cheap clinical rows gave on them."""

    table: StudyTable
    folds: Sequence[Fold]
    config: StudyConfig
    runner: Runner
    specs: Sequence[RowSpec]
    results: Sequence[Sequence[FoldResult]]


def missingness(
    table: StudyTable,
    specs: Sequence[RowSpec],
    results: Sequence[Sequence[FoldResult]],
    folds: Sequence[Fold],
    config: StudyConfig,
    runner: Runner,
) -> list[MissingnessRow]:
    """The clinical ridge Cox rows under other treatments of gaps, all on the same folds; empty where
    `sensitivity.imputations` is 0. A row whose covariates nobody lacks has no other treatment.

    results: of each row on each fold of the main analysis. Raises as the runner.
    """
    if config.sensitivity.imputations == 0:
        return []
    chosen = [n for n, spec in enumerate(specs) if is_cheap(spec) and _has_gaps(table, spec)]
    if not chosen:
        return []
    study = _Study(table, folds, config, runner, [specs[n] for n in chosen], [results[n] for n in chosen])
    analyses = (_main, _imputed, _complete, _indicated)
    found = [row for analysis in analyses for row in analysis(study)]
    order = [spec.name for spec in study.specs]
    return sorted(found, key=lambda row: order.index(row.row))  # stable: analyses stay in order


def missing_variables(table: StudyTable, config: StudyConfig) -> list[MissingVariable]:
    """How often each covariate is missing, and in how many of those who lack it, or have it, the event was seen."""
    found = []
    for name in config.covariates:
        missing = table.features.covariates[name].isna().to_numpy(dtype=np.bool_)
        event = table.outcome.event
        found.append(
            MissingVariable(
                variable=name,
                missing=int(missing.sum()),
                share=float(missing.mean()),
                events_missing=float(event[missing].mean()) if missing.any() else None,
                events_known=float(event[~missing].mean()) if not missing.all() else None,
            )
        )
    return found


def _has_gaps(table: StudyTable, spec: RowSpec) -> bool:
    seen = visible(replace(table.features, embeddings={}), spec).covariates
    return spec.family == "clinical" and bool(seen.isna().to_numpy().any())


def _main(study: _Study) -> list[MissingnessRow]:
    return [
        _record(study, spec, "main", study.folds, mean_c(result), None)
        for spec, result in zip(study.specs, study.results, strict=True)
    ]


def _imputed(study: _Study) -> list[MissingnessRow]:
    """Each imputation is fitted on the training part of a fold; log-risks are averaged over the imputations."""
    count, seed = study.config.sensitivity.imputations, study.config.evaluation.seed
    variants = [
        _filled(study, fold, job_seed(seed, f"imputation {draw}", number), f"imputation {draw + 1}")
        for number, fold in enumerate(study.folds)
        for draw in range(count)
    ]
    found = run_variants(study.table, variants, study.runner)
    by_fold = [found[start : start + count] for start in range(0, len(found), count)]
    rows = []
    for place, (spec, main) in enumerate(zip(study.specs, study.results, strict=True)):
        drawn = [[rows[place][0] for rows in draws] for draws in by_fold]
        pooled = [_pooled(draws, study.table, fold) for draws, fold in zip(drawn, study.folds, strict=True)]
        singles = [mean_c([draws[draw] for draws in drawn]) for draw in range(count)]
        known = [value for value in singles if value is not None]
        row = _record(study, spec, "multiple imputation", study.folds, mean_c(pooled), _gain(pooled, main))
        sd = statistics.stdev(known) if len(known) > 1 else None
        rows.append(row.model_copy(update={"imputations": count, "sd_imputations": sd}))
    return rows


def _filled(study: _Study, fold: Fold, seed: int, name: str) -> Variant:
    """The study without gaps, as the training patients of the fold teach: nothing else is given to the fit."""
    config, features = study.config, replace(study.table.features, embeddings={})
    filler = GapFiller.of(
        features.subset(fold.train_index),
        config.covariates,
        max_missing=config.evaluation.max_missing,
        seed=seed,
    )
    covariates = checked_covariates(features, config.covariates)
    for index, filled in (
        (fold.train_index, filler.training),
        (fold.test_index, filler.fill(features.subset(fold.test_index))),
    ):
        for column in covariates.columns:
            covariates.loc[index, column] = filled[column].to_numpy()
    return Variant(name, study.specs, [fold], config, covariates=covariates)


def _pooled(draws: Sequence[FoldResult], table: StudyTable, fold: Fold) -> FoldResult:
    risk, train = (np.mean([getattr(one, name) for one in draws], axis=0) for name in ("test_risk", "train_risk"))
    return FoldResult(risk, train, harrell_c(risk, table.outcome.subset(fold.test_index)), ())


@dataclass(frozen=True)
class _CompleteFold:
    """Who of a fold has every covariate that the row uses there, as its training part decides. names: of these."""

    names: list[str]
    main: Fold
    fold: Fold

    @classmethod
    def of(cls, study: _Study, spec: RowSpec, fold: Fold, raw: pd.DataFrame) -> _CompleteFold:
        declared = study.config.covariates
        names, _ = usable_covariates(raw.iloc[fold.train_index], declared, study.config.evaluation.max_missing)
        seen = seen_covariates(spec, names)
        whole = raw[seen].notna().all(axis=1).to_numpy()
        kept = Fold(fold.train_index[whole[fold.train_index]], fold.test_index[whole[fold.test_index]])
        return cls(seen, fold, kept)

    def variant(self, study: _Study, spec: RowSpec) -> Variant:
        """The row on these patients, with these covariates alone."""
        declared = {name: study.config.covariates[name] for name in self.names}
        config = study.config.model_copy(update={"covariates": declared})
        return Variant("complete cases", [spec], [self.fold], config)

    def restricted(self, result: FoldResult, table: StudyTable) -> FoldResult:
        """What the main analysis gave to these test patients."""
        risk = result.test_risk[np.isin(self.main.test_index, self.fold.test_index)]
        c_index = harrell_c(risk, table.outcome.subset(self.fold.test_index))
        return replace(result, test_risk=risk, c_index=c_index)


def _complete(study: _Study) -> list[MissingnessRow]:
    """Patients with every covariate that the row uses, in the same folds."""
    return [_complete_cases(study, spec, main) for spec, main in zip(study.specs, study.results, strict=True)]


def _complete_cases(study: _Study, spec: RowSpec, main: Sequence[FoldResult]) -> MissingnessRow:
    raw = checked_covariates(study.table.features, study.config.covariates)
    parts = [_CompleteFold.of(study, spec, fold, raw) for fold in study.folds]
    folds, event = [part.fold for part in parts], study.table.outcome.event
    poor = [
        number
        for number, fold in enumerate(folds, 1)
        if len(fold.test_index) < FEWEST or event[fold.train_index].sum() < FEWEST
    ]
    if poor:
        return _record(study, spec, "complete cases", folds, None, None, f"too few patients in fold {poor[0]}")
    try:
        made = run_variants(study.table, [part.variant(study, spec) for part in parts], study.runner)
    except CohortError as error:
        return _record(study, spec, "complete cases", folds, None, None, str(error))
    found = [result for ((result,),) in made]
    kept = [part.restricted(result, study.table) for part, result in zip(parts, main, strict=True)]
    return _record(study, spec, "complete cases", folds, mean_c(found), _gain(found, kept))


def _indicated(study: _Study) -> list[MissingnessRow]:
    """Whether a covariate was missing is one more covariate; where gaps are a level of their own, it is already."""
    config, covariates = study.config, study.table.features.covariates
    names = [n for n, c in config.covariates.items() if c.missing == "impute" and covariates[n].isna().any()]
    columns = {f"{INDICATOR}{name}": covariates[name].isna().astype(float) for name in names}
    if not columns or set(columns) & set(covariates.columns):
        return []
    declared = {**config.covariates, **{name: Covariate(kind="continuous", unit="1") for name in columns}}
    variant = Variant(
        "missing indicators",
        study.specs,
        study.folds,
        config.model_copy(update={"covariates": declared}),
        covariates=covariates.assign(**columns),
    )
    (found,) = run_variants(study.table, [variant], study.runner)
    seen = variant.of(study.table).features
    return [
        _record(study, spec, "missing indicators", study.folds, mean_c(result), _gain(result, main))
        for spec, result, main in zip(study.specs, found, study.results, strict=True)
        if set(visible(seen, spec).covariates.columns) & set(columns)
    ]


def _gain(results: Sequence[FoldResult], main: Sequence[FoldResult]) -> float | None:
    """The mean c minus that of the main analysis, over the folds where both have one."""
    pairs = zip(results, main, strict=True)
    gains = [a.c_index - b.c_index for a, b in pairs if a.c_index is not None and b.c_index is not None]
    return statistics.fmean(gains) if gains else None


def _record(
    study: _Study,
    spec: RowSpec,
    analysis: MissingnessAnalysis,
    folds: Sequence[Fold],
    c_index: float | None,
    difference: float | None,
    absent: str | None = None,
) -> MissingnessRow:
    tested = np.concatenate([fold.test_index for fold in folds])
    return MissingnessRow(
        row=spec.name,
        analysis=analysis,
        n=len(tested),
        events=int(study.table.outcome.event[tested].sum()),
        imputations=None,
        c_index=c_index,
        difference=difference,
        sd_imputations=None,
        absent=absent,
    )
