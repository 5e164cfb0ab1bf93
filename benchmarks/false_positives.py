"""How often does each test of the report find something where there is nothing?

    python benchmarks/false_positives.py [--runs 300] [--patients 227] [--workers 2]

Three cheap rows (ridge Cox of covariates, of an image vector, of both) on the same five folds, in two worlds. In
the first, outcomes (time and event together) are permuted over the patients: no row knows anything. In the second,
covariates carry a signal and the image knows nothing. Every run is a cohort of its own. Prints Markdown: the share
of runs that each test calls positive at the level of 5 %, which should be 5 %.
"""

from __future__ import annotations

import argparse
import functools
import os
from pathlib import Path

import numpy as np
import pandas as pd

from engram.config import StudyConfig
from engram.evaluation.bootstrap import c_index_interval
from engram.evaluation.clinical_model import clinical_columns, incremental_value
from engram.evaluation.comparisons import compare_rows
from engram.evaluation.fold_fit import FoldResult, fit_fold
from engram.evaluation.fold_jobs import fold_outcomes
from engram.evaluation.folds import Fold, stratified_folds
from engram.evaluation.risk_groups import pool_risks, risk_groups
from engram.evaluation.rows import RIDGE_COX, RowSpec, rows_of
from engram.evaluation.statistics import fold_statistics, held_out_ratio
from engram.jobs import run_jobs
from engram.outcome import SurvivalOutcome
from engram.table import EmbeddingKey, PatientFeatures, StudyTable

LEVEL = 0.05
NUMBERS = 24  # of the image vector
WORLDS = {"outcomes": "outcomes permuted", "images": "images without a signal, covariates with one"}
Found = dict[str, bool]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--patients", type=int, default=227)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    found = {
        world: run_jobs(
            functools.partial(_run, world, options.patients), range(options.runs), workers=options.workers
        )
        for world in WORLDS
    }
    _print(found, options.patients)


def _config() -> StudyConfig:
    covariates = {
        name: {"kind": "continuous", "unit": "1"} for name in ("age", "creatinine", "hemoglobin", "calcium")
    }
    return StudyConfig.model_validate(
        {
            "name": "false positives",
            "manifest": Path("none.csv"),
            "outcome": {"time": "t", "unit": "months", "event": "e"},
            "covariates": covariates,
            "images": {},
            "rois": {"spine": {"mask": "m"}},
            "embedding": {"readouts": ["volume"]},
            "models": {"origins": ["PET"], "baselines": []},
            "output": Path("none"),
        }
    )


def _cohort(n: int, seed: int, world: str) -> StudyTable:
    """About 70 % events; covariates of c = 0.7 or so, unless outcomes are permuted; an image that knows nothing."""
    rng = np.random.default_rng(seed)
    covariates = pd.DataFrame(rng.normal(size=(n, 4)), columns=["age", "creatinine", "hemoglobin", "calcium"])
    hazard = covariates.to_numpy() @ np.array([0.5, 0.4, -0.3, 0.2])
    time, censoring = rng.exponential(30 * np.exp(-hazard)) + 0.1, rng.exponential(75, n) + 0.1
    outcome = SurvivalOutcome(time <= censoring, np.minimum(time, censoring))
    image = rng.normal(size=(n, 4)) @ rng.normal(size=(4, NUMBERS)) + rng.normal(size=(n, NUMBERS))
    embeddings = {EmbeddingKey("PET", "spine", "volume"): image.astype(np.float32)}
    features = PatientFeatures(tuple(f"P{i}" for i in range(n)), covariates, embeddings)
    return StudyTable(features, outcome.subset(rng.permutation(n)) if world == "outcomes" else outcome)


def _run(world: str, patients: int, seed: int) -> Found:
    config, table = _config(), _cohort(patients, seed, world)
    specs = [spec for spec in rows_of(config) if spec.survival == RIDGE_COX]
    folds = stratified_folds(table.outcome, folds=5, time_quantiles=4, seed=seed)
    results = [[fit_fold(table, spec, f, config, number=i) for i, f in enumerate(folds)] for spec in specs]
    outcomes, ratio = fold_outcomes(table, folds), held_out_ratio(folds)
    (image,) = [i for i, spec in enumerate(specs) if spec.family == "image"]
    return {
        **_against_chance(results[image], outcomes, ratio, seed),
        **_row_against_row(specs, results, outcomes, ratio, seed),
        **_groups(results[image], folds, table, seed),
        **_added(results[image], folds, table, config),
    }


def _against_chance(row: list[FoldResult], outcomes: list[SurvivalOutcome], ratio: float, seed: int) -> Found:
    statistics = fold_statistics([fold.c_index for fold in row], held_out_ratio=ratio)
    interval = c_index_interval([fold.test_risk for fold in row], outcomes, seed=seed)
    if interval is None:
        raise SystemExit("no interval")
    return {
        "image against 0.5: the paper's one-sided t": _positive(statistics.p),
        "image against 0.5: two-sided t": _positive(statistics.p_two_sided),
        "image against 0.5: corrected, two-sided": _positive(statistics.p_corrected),
        "image: 95 % CI of c without 0.5": not interval.lower <= 0.5 <= interval.upper,
    }


def _row_against_row(
    specs: list[RowSpec],
    results: list[list[FoldResult]],
    outcomes: list[SurvivalOutcome],
    ratio: float,
    seed: int,
) -> Found:
    (one,) = [c for c in compare_rows(specs, results, outcomes, held_out_ratio=ratio, seed=seed) if c.prespecified]
    if one.ci_lower is None or one.ci_upper is None:
        raise SystemExit("no interval")
    return {
        "image + clinical against clinical: paired t": _positive(one.p_two_sided),
        "image + clinical against clinical: corrected": _positive(one.p_corrected),
        "image + clinical against clinical: corrected, and better": _positive(one.p_corrected)
        and (one.difference or 0) > 0,
        "image + clinical against clinical: 95 % CI above 0": one.ci_lower > 0,
    }


def _groups(row: list[FoldResult], folds: list[Fold], table: StudyTable, seed: int) -> Found:
    groups = risk_groups("image", pool_risks(row, folds), table.outcome, folds, seed=seed)
    if groups.hr_lower is None or groups.hr_upper is None:
        raise SystemExit("no hazard ratio")
    return {
        "Q4 against Q1 of the image: pooled log-rank": _positive(groups.logrank_p),
        "Q4 against Q1 of the image: permutation within folds": _positive(groups.permutation_p),
        "Q4 against Q1 of the image: corrected over folds": _positive(groups.corrected_p),
        "Q4 against Q1 of the image: 95 % CI of the hazard ratio without 1": not groups.hr_lower
        <= 1
        <= groups.hr_upper,
    }


def _added(row: list[FoldResult], folds: list[Fold], table: StudyTable, config: StudyConfig) -> Found:
    columns = clinical_columns(table, config.covariates, max_missing=config.evaluation.max_missing)
    (one,) = incremental_value(columns, {"image": pool_risks(row, folds)}, table.outcome)
    reverse = one.coefficient is not None and one.coefficient < 0  # has no p: the report calls nothing found
    return {"image added to the covariates: likelihood ratio, where risk raises the hazard": not reverse
            and _positive(one.p)}  # fmt: skip


def _positive(p: float | None) -> bool:
    if p is None:
        raise SystemExit("a test without a p")
    return p < LEVEL


def _print(found: dict[str, list[Found]], patients: int) -> None:
    runs = len(next(iter(found.values())))
    print(f"{runs} cohorts of {patients} patients, level {LEVEL:.0%}; Monte Carlo SE at 5 %: "
          f"{100 * np.sqrt(0.05 * 0.95 / runs):.1f} %.\n")  # fmt: skip
    print("| test | " + " | ".join(WORLDS.values()) + " |\n| --- |" + " --- |" * len(WORLDS))
    for test in found["outcomes"][0]:
        shares = [np.mean([one[test] for one in found[world]]) for world in WORLDS]
        print(f"| {test} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |")


if __name__ == "__main__":
    main()
