"""Does Engram find nothing where there is nothing, and something where there is something?

    python benchmarks/null_and_signal.py [--folder FOLDER] [--cohorts 5] [--patients 100] [--permutations 20]

Signal: on each of several synthetic cohorts, the whole main job; clinical + image against clinical alone, on the
same folds. Null: on the first of them, outcomes (time and event together) permuted over the patients and everything
after the embeddings run again. Untrained weights: the numbers are about the software, not about medicine. Finished
work is kept in FOLDER; prints Markdown.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from engram.cohort.manifest import read_manifest
from engram.cohort.phantom import PhantomSettings, write_cohort
from engram.config import StudyConfig, load_config
from engram.evaluation.results import RowResult, load_results
from engram.evaluation.study import evaluate_study
from engram.pipeline.console import Silent
from engram.pipeline.embedded import load_embedded
from engram.pipeline.regional_pet import load_regional_pet
from engram.pipeline.run import run
from engram.pipeline.study_table import study_table
from engram.table import StudyTable

WORKERS = os.cpu_count() or 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/null_and_signal"))
    parser.add_argument("--cohorts", type=int, default=5)
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--permutations", type=int, default=20)
    options = parser.parse_args()
    studies = [_run_cohort(options.folder / f"seed{s}", options.patients, s) for s in range(options.cohorts)]
    _print_signal(studies)
    _print_null(studies[0], options.permutations)


def _run_cohort(folder: Path, patients: int, seed: int) -> StudyConfig:
    config = load_config(write_cohort(folder, PhantomSettings(n_patients=patients, seed=seed), workers=WORKERS))
    run(config, workers=WORKERS, console=Silent())
    return config


def _print_signal(studies: list[StudyConfig]) -> None:
    results = [load_results(study.run_dir / "results.json") for study in studies]
    print(f"## Signal: {len(studies)} cohorts of {results[0].cohort.n} patients, mean c-index over 5 folds\n")
    print("| row | " + " | ".join(f"seed {i}" for i in range(len(studies))) + " | mean | true c |")
    print("| --- |" + " --- |" * (len(studies) + 2))
    for rows in zip(*(r.rows for r in results), strict=True):
        means, true = [_mean(r) for r in rows], [r.true_mean for r in rows if r.true_mean is not None]
        print(
            f"| {rows[0].name} | "
            + " | ".join(f"{m:.3f}" for m in means)
            + f" | {np.mean(means):.3f} | {f'{np.mean(true):.3f}' if true else 'unknown'} |"
        )
    print(
        "\nGain of clinical + image over clinical alone (mean of the rows of both regions, minus the baseline):\n"
    )
    print("| image | baseline | " + " | ".join(f"seed {i}" for i in range(len(studies))) + " | mean |")
    print("| --- | --- |" + " --- |" * (len(studies) + 1))
    for origin in ("Combined", "PET", "CT"):
        for baseline in ("ridge Cox", "DeepSurv"):
            gains = [_gain(found.rows, origin, baseline) for found in results]
            shown = " | ".join(f"{gain:+.3f}" for gain in [*gains, float(np.mean(gains))])
            print(f"| {origin} | {baseline} | {shown} |")
    print()


def _gain(rows: list[RowResult], origin: str, baseline: str) -> float:
    seen = [row for row in rows if row.family == "multimodal" and row.readout == "final"]
    with_image = [_mean(row) for row in seen if row.modality == origin]
    (alone,) = [_mean(row) for row in rows if row.family == "clinical" and row.survival == baseline]
    return float(np.mean(with_image)) - alone


def _mean(row: RowResult) -> float:
    if row.mean is None:
        raise SystemExit(f"row '{row.name}' has no mean")
    return row.mean


def _print_null(config: StudyConfig, permutations: int) -> None:
    cohort = read_manifest(config)
    embedded = load_embedded(config, cohort.digest)
    records = [record for record in cohort.records if record.patient_id in embedded.keys]
    table = study_table(config, records, embedded, load_regional_pet(config, cohort.digest)).table
    means = np.array([_permuted(table, config, seed) for seed in range(permutations)])
    print(f"## Null: outcomes permuted {permutations} times, mean c-index over 5 folds\n")
    print(f"All rows and permutations: {means.mean():.4f} (chance 0.5). "
          f"By row, mean over permutations: {means.mean(axis=0).min():.3f} to {means.mean(axis=0).max():.3f}. "
          f"By permutation, mean over rows: SD {means.mean(axis=1).std(ddof=1):.3f}.")  # fmt: skip


def _permuted(table: StudyTable, config: StudyConfig, seed: int) -> list[float]:
    order = np.random.default_rng(seed).permutation(len(table))
    permuted = StudyTable(table.features, table.outcome.subset(order))
    found = evaluate_study(
        permuted, config, None, encoder="-", workers=WORKERS, cache_dir=config.run_dir / "cache" / "folds"
    )
    return [_mean(row) for row in found.rows]


if __name__ == "__main__":
    main()
