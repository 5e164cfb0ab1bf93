"""How long does the paper's study take: 33 rows, 227 patients, 16 trials, protocol `paper`?

    python benchmarks/whole_study.py [--workers 2] [--trials 16] [--keep FOLDER]

All of it is run, nothing added up: maps of 32 x 32 of two scans in two regions, 64 numbers of an image encoder, PET
numbers, radiomics, ten covariates and a stage, drawn from a known hazard. `training.py --part study` compares the
plan of this study with a plain loop. With --keep, a run that was stopped goes on, and adds its time to that of the
sittings before: minutes by the clock and, on Linux, of the processors, of which what a stop left unfinished counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from engram.config import StudyConfig
from engram.evaluation.folds import study_folds
from engram.evaluation.preprocess import keys_of
from engram.evaluation.protocols import ByProtocol, run_protocols
from engram.evaluation.rows import RowSpec, rows_of
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c
from engram.table import MAP_READOUTS, EmbeddingKey, StudyTable
from machine import describe
from training_study import PATIENTS, paper_rows, study

CLINICAL, IMAGING = 0.7, 0.9  # sd of the two parts of the log-hazard
STRENGTH = {"PET": 0.5, "CT": 0.15}  # of the signal in an image, whose noise has an sd of 1
NUMBERS = 64
Array = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--keep", type=Path, help="folder of finished fits")
    options = parser.parse_args()
    config = study()
    config = config.model_copy(update={"tuning": config.tuning.model_copy(update={"trials": options.trials})})
    rows = paper_rows(rows_of(config))
    rng = np.random.default_rng(0)
    parts = {"clinical": CLINICAL * rng.normal(size=PATIENTS), "imaging": IMAGING * rng.normal(size=PATIENTS)}
    table = drawn(parts, rows, config, rng)
    print(describe())
    with tempfile.TemporaryDirectory() as made:
        folder = options.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        with _timed(folder / "time" / "sittings.json") as spent:
            found = run_protocols(
                table,
                rows,
                study_folds(table, config.evaluation),
                config,
                workers=options.workers,
                cache_dir=folder,
                begin=lambda part, fits: print(f"{part}: at most {fits} fits", flush=True),
            )
    _print_rows(rows, found, parts, table)
    fits = sum(len(trial.judged) for one in found.searched for trial in one.trials)
    print(f"{len(rows)} rows, {options.trials} trials, {options.workers} workers: {fits} fits in searches")
    clock, processor = (sum(sitting[i] for sitting in spent) / 60 for i in (0, 1))
    print(f"{len(spent)} sitting(s): {clock:.1f} minutes by the clock, {processor:.1f} of the processors")


def drawn(
    parts: dict[str, Array], rows: list[RowSpec], config: StudyConfig, rng: np.random.Generator
) -> StudyTable:
    """A table with all that the rows see. An image tells the second half of the log-hazard, covariates the first;
    radiomics and encoders tell nothing."""
    shape = rng.normal(size=(32, 32)).clip(0)
    unit = parts["imaging"] / IMAGING
    embeddings = {}
    for key in dict.fromkeys(key for row in rows for key in keys_of(row)):
        embeddings[key] = _embedding(key, unit, shape, rng)
    hazard = parts["clinical"] + parts["imaging"]
    death, censoring = rng.exponential(30 * np.exp(-hazard)), rng.exponential(70, PATIENTS)
    months = np.ceil(np.minimum(death, censoring)).clip(1, 240)
    labs = {f"lab_{k}": rng.normal(size=PATIENTS) for k in range(9)}
    age = parts["clinical"] + 0.3 * rng.normal(size=PATIENTS)
    clinic = pd.DataFrame({"age": age, **labs, "r_iss": rng.choice(["I", "II", "III"], PATIENTS)})
    ids = [f"P{k}" for k in range(PATIENTS)]
    outcome = SurvivalOutcome(death <= censoring, months)
    return StudyTable.from_arrays(ids, clinic, outcome, embeddings, kinds=config.covariates)


def _embedding(key: EmbeddingKey, unit: Array, shape: Array, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    strength = STRENGTH[key.modality]
    if key.readout in MAP_READOUTS:
        noise = rng.standard_normal((PATIENTS, 2, 64, 32, 32), dtype=np.float32)
        return noise + (strength * unit[:, None, None] * shape).astype(np.float32)[:, None, None]
    numbers = rng.standard_normal((PATIENTS, NUMBERS), dtype=np.float32)
    if key.readout == "pet_numbers":
        numbers[:, 0] += (2 * unit).astype(np.float32)
    return numbers


@contextmanager
def _timed(path: Path) -> Iterator[list[list[float]]]:
    """Seconds by the clock and of the processors, of this sitting (the last) and of those before; kept in `path`
    every few seconds, so that a kill loses none."""
    path.parent.mkdir(exist_ok=True)
    spent: list[list[float]] = [*(json.loads(path.read_text()) if path.exists() else []), [0.0, 0.0]]
    start, ended = time.perf_counter(), threading.Event()

    def note() -> None:
        while True:
            last = ended.wait(5)
            spent[-1] = [time.perf_counter() - start, _processor_seconds()]
            path.write_text(json.dumps(spent))
            if last:
                return

    watch = threading.Thread(target=note)
    watch.start()
    try:
        yield spent
    finally:
        ended.set()
        watch.join()


def _processor_seconds() -> float:
    """Of this process, of its workers that have ended, and on Linux of those that run."""
    running = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile
            continue
        if int(fields[1]) == os.getpid():
            running += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return sum(os.times()[:4]) + running


def _print_rows(rows: list[RowSpec], found: ByProtocol, parts: dict[str, Array], table: StudyTable) -> None:
    for row, result in zip(rows, found.results["paper"], strict=True):
        known = [one.c_index for one in result if one.c_index is not None]
        print(f"  {row.name}: {statistics.fmean(known):.3f}")
    whole = parts["clinical"] + parts["imaging"]
    true = {name: harrell_c(risk, table.outcome) for name, risk in {**parts, "both": whole}.items()}
    print("  c-index of the true log-hazard: " + ", ".join(f"{name} {c:.3f}" for name, c in true.items()))


if __name__ == "__main__":
    main()
