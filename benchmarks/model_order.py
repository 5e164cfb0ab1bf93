"""Does the study put models in their true order?

    python benchmarks/model_order.py [--cohorts 20] [--patients 227] [--protocol fixed] [--workers 2]

Cohorts are drawn from a known hazard: covariates, an image that knows half of it, one that knows a little, one
that knows nothing, each image a vector of 24 numbers among which the signal is hidden. Rows are ridge Cox on the
same five folds. Beside each row stands the c-index of the part of the true log-hazard that it could know. Prints
Markdown: the mean over cohorts, how often neighbours in the true order are found in it, and how often the interval
of a row holds 0.5.
"""

from __future__ import annotations

import argparse
import itertools
import os
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import engram
from engram.survival.metrics import harrell_c

NUMBERS = 24  # of each image vector
STRENGTH = {"clinical": 0.6, "strong": 0.9, "weak": 0.4, "nothing": 0.0}  # sd of each part of the log-hazard
ROWS = ("clinical", "strong", "weak", "nothing", "strong + clinical", "weak + clinical", "nothing + clinical")
Array = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", type=int, default=20)
    parser.add_argument("--patients", type=int, default=227)
    parser.add_argument("--protocol", choices=("fixed", "nested", "paper"), default="fixed")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    found = [_cohort(options, seed) for seed in range(options.cohorts)]
    _print(pd.concat(found), options)


def _cohort(options: argparse.Namespace, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    parts = {name: sd * rng.normal(size=options.patients) for name, sd in STRENGTH.items()}
    table = _table(parts, rng)
    results = engram.evaluate(
        table, rows=list(ROWS), protocol=options.protocol, seed=seed, tuning={"trials": 8}, workers=options.workers
    )
    names = dict(zip(ROWS, results.rows.index, strict=True))
    return pd.DataFrame([_line(row, results.rows.loc[names[row]], parts, table) for row in ROWS]).assign(seed=seed)


def _table(parts: dict[str, Array], rng: np.random.Generator) -> engram.StudyTable:
    """70 % events or so; median observed time about 30 months."""
    hazard = sum(parts.values(), np.zeros(1))
    n = len(hazard)
    time, censoring = rng.exponential(45 * np.exp(-hazard)) + 0.1, rng.exponential(110, n) + 0.1
    covariates = parts["clinical"][:, None] + 0.3 * rng.normal(size=(n, 3))
    images = {name: _hidden(parts[name], rng) for name in ("strong", "weak", "nothing")}
    return engram.StudyTable.from_arrays(
        ids=[f"patient {number}" for number in range(n)],
        covariates=pd.DataFrame(covariates, columns=["age", "creatinine", "calcium"]),
        time=np.minimum(time, censoring),
        event=time <= censoring,
        unit="months",
        embeddings=images,
    )


def _hidden(signal: Array, rng: np.random.Generator) -> Array:
    """(n, 24): the signal as one of four directions in which patients differ, and noise."""
    ways = np.column_stack([signal / (signal.std() or 1.0), rng.normal(size=(len(signal), 3))])
    return ways @ rng.normal(size=(4, NUMBERS)) + 0.3 * rng.normal(size=(len(signal), NUMBERS))


def _line(row: str, found: Any, parts: dict[str, Array], table: engram.StudyTable) -> dict[str, Any]:
    known = sum((parts[name] for name in row.split(" + ")), np.zeros(1))
    c = float(found["c_index"])
    return {
        "row": row,
        "c": c,
        "true": harrell_c(known, table.outcome) if known.any() else 0.5,
        "chance": bool(found["ci_lower"] <= 0.5 <= found["ci_upper"]),
    }


def _print(found: pd.DataFrame, options: argparse.Namespace) -> None:
    means = found.groupby("row")[["c", "true", "chance"]].mean().sort_values("true", ascending=False, kind="stable")
    by_row = found.pivot_table(index="seed", columns="row", values="c")
    print(f"{options.cohorts} cohorts of {options.patients} patients, protocol {options.protocol}.\n")
    print("| row | true c | c-index, mean | SD over cohorts | 95 % CI holds 0.5 |\n| --- | --- | --- | --- | --- |")
    for row, line in means.iterrows():
        spread = by_row[row].std(ddof=1)
        print(f"| {row} | {line['true']:.3f} | {line['c']:.3f} | {spread:.3f} | {100 * line['chance']:.0f} % |")
    order = by_row[list(means.index)]
    same = list(order.mean().sort_values(ascending=False).index) == list(means.index)
    print(f"\nThe order of the means is the true order: {'yes' if same else 'no'}.")
    for better, worse in itertools.pairwise(means.index):
        print(f"- {better} above {worse} in {int((order[better] > order[worse]).sum())} of {len(order)} cohorts")


if __name__ == "__main__":
    main()
