"""For tests of rows and of analyses beside the main one: rows without tuning, and a model that takes no time."""

from dataclasses import replace

import numpy as np

from engram.evaluation.fold_fit import FoldRisks, scored
from engram.evaluation.folds import study_folds
from engram.evaluation.protocols import headline_rows
from engram.evaluation.rows import NONE, RIDGE_COX, RowSpec
from engram.survival.metrics import harrell_c

RIDGE = RowSpec("Clinical, ridge Cox", "clinical", None, NONE, NONE, NONE, NONE, RIDGE_COX)
OF_CLINICAL = {"images": None, "rois": {}, "models": {"families": ["clinical"]}}


def main_analysis(table, config, runner, specs=(RIDGE,)):
    folds = study_folds(table, config.evaluation)
    return folds, runner.rows(table, specs, folds, config, workers=0, cache_dir=runner.cache_dir)


def fixed_rows(table, specs, folds, config, **kwargs):
    """As `headline_rows`, with the settings of `training` alone."""
    fixed = config.model_copy(update={"tuning": config.tuning.model_copy(update={"protocols": ("fixed",)})})
    return headline_rows(table, specs, folds, fixed, **kwargs)


def quick_rows(table, specs, folds, config, *, workers, cache_dir, progress=None):
    """As `headline_rows`, of a model that takes no time: age, in the direction in which it went in training."""
    age = table.features.covariates["age"].astype(float).fillna(60.0).to_numpy()

    def on(fold):
        c_index = harrell_c(age[fold.train_index], table.outcome.subset(fold.train_index))
        return np.sign(c_index - 0.5) * age

    results = [FoldRisks(on(fold)[fold.test_index], on(fold)[fold.train_index], ()) for fold in folds]
    return [[scored(risks, table, fold) for risks, fold in zip(results, folds, strict=True)] for _ in specs]


def with_gaps(table, share=0.3, seed=5):
    """Age and sex missing at random, besides the stage."""
    rng, covariates = np.random.default_rng(seed), table.features.covariates.copy()
    covariates.loc[rng.random(len(table)) < share, "age"] = np.nan
    covariates.loc[rng.random(len(table)) < share, "sex"] = None
    return replace(table, features=replace(table.features, covariates=covariates))
