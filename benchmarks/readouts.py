"""Does it matter what is kept of the memory? The paper's read-out and others, where lesions lie in the spine.

    python benchmarks/readouts.py [--folder FOLDER] [--cohorts 10] [--patients 100] [--hazard-from lesions]

Synthetic cohorts whose hazard comes from lesions anywhere in the spine: PET and its dilated spine are read once,
and each row is cross-validated on the same folds: the averaging CNN on the final memory entries (the paper) and on
the mean map of all slices, ridge Cox on in-fold components of vectors of the whole volume, the region, its parts.
Untrained weights: the numbers are about what a read-out can see. Finished work is kept in FOLDER; prints Markdown.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import yaml

from engram.cohort.phantom import PhantomSettings, write_cohort
from engram.config import load_config
from engram.evaluation.results import RowResult, load_results
from engram.pipeline.console import Silent
from engram.pipeline.run import run

READOUTS = ("final", "volume_map", "volume", "roi", "regions")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/readouts"))
    parser.add_argument("--cohorts", type=int, default=10)
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--hazard-from", choices=["lesions", "both"], default="lesions")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    found = [_rows(options, seed) for seed in range(options.cohorts)]
    _print(found, options.patients)


def _rows(options: argparse.Namespace, seed: int) -> list[RowResult]:
    settings = PhantomSettings(
        n_patients=options.patients,
        seed=seed,
        lesion_site="spine",
        hazard_from=options.hazard_from,
        faults=False,
    )
    folder, workers = options.folder / f"seed{seed}", options.workers
    study = write_cohort(folder, settings, workers=workers)
    content = yaml.safe_load(study.read_text())
    content["rois"] = {"spine": {"region": "spine_dilated"}}
    content["models"] = {"families": ["image"], "origins": ["PET"], "baselines": []}
    content["embedding"] = {"weights": "untrained-mini", "readouts": list(READOUTS), "quality": False}
    chosen = folder / "readouts.yaml"
    chosen.write_text(yaml.safe_dump(content, sort_keys=False))
    config = load_config(chosen)
    run(config, workers=workers, console=Silent())
    return load_results(config.run_dir / "results.json").rows


def _print(found: list[list[RowResult]], patients: int) -> None:
    true = np.mean([rows[0].true_mean for rows in found])
    print(f"## {len(found)} cohorts of {patients} patients, mean c-index over 5 folds\n")
    print(f"The true log-hazard of the images has {true:.3f}.\n")
    print("| read-out | model | " + " | ".join(f"seed {i}" for i in range(len(found))) + " | mean | SE |")
    print("| --- | --- |" + " --- |" * (len(found) + 2))
    base = np.array([rows[0].mean for rows in found], dtype=float)
    for rows in zip(*found, strict=True):
        means = np.array([row.mean for row in rows], dtype=float)
        model = "averaging CNN" if rows[0].head == "averaging" else f"{rows[0].head}, {rows[0].survival}"
        shown = " | ".join(f"{mean:.3f}" for mean in means)
        print(f"| {rows[0].readout} | {model} | {shown} | {means.mean():.3f} | {_se(means):.3f} |")
    print("\nDifference from `final` over the cohorts (mean, SE, cohorts in which it is higher):\n")
    for rows in list(zip(*found, strict=True))[1:]:
        gain = np.array([row.mean for row in rows], dtype=float) - base
        print(f"- {rows[0].readout}: {gain.mean():+.3f} (SE {_se(gain):.3f}), {(gain > 0).sum()} of {len(gain)}")


def _se(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


if __name__ == "__main__":
    main()
