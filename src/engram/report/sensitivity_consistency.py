"""Refuses analyses beside the main one that contradict the rest of the results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from engram.evaluation.gate_records import GateShare
from engram.evaluation.results import StudyResults
from engram.evaluation.sensitivity_records import RepeatedRow, Splits


def check_sensitivity(results: StudyResults) -> Iterator[str]:
    """Each contradiction in words: rows that are not there, lists of other lengths, means not of their repeats."""
    names = {row.name for row in results.rows}
    parts = (
        ("repeated", [one.row for one in results.repeated]),
        ("repeated comparisons", [name for one in results.repeated_comparisons for name in (one.row, one.other)]),
        ("gates", [one.row for one in results.gates]),
        ("permutation null", [one.row for one in results.permutation_null]),
        ("missingness", [one.row for one in results.missingness]),
        ("incremental value over the stage", [one.row for one in results.incremental_over_stage]),
    )
    for what, rows in parts:
        yield from (f"{what}: no such row as '{row}'" for row in rows if row not in names)
    for one in results.repeated:
        yield from _repeated(one)
    for gate in results.gates:
        yield from _gate(gate)
    if results.splits is not None:
        yield from _splits(results.splits, results)


def _repeated(one: RepeatedRow) -> Iterator[str]:
    known = [mean for mean in one.means if mean is not None]
    if len(one.c_index) != len(one.means):
        yield f"repeats of '{one.row}': {len(one.c_index)} lists of c-indices for {len(one.means)} means"
    if known and not math.isclose(one.mean or 0.0, statistics.fmean(known), abs_tol=1e-6):
        yield f"repeats of '{one.row}': a mean of {one.mean} that is not that of its repeats"


def _gate(one: GateShare) -> Iterator[str]:
    shares = [one.mean, *one.quartiles, *one.fold_means]
    if len(one.quartiles) != 3 or not one.fold_means or not all(0 <= share <= 1 for share in shares):
        yield f"gate of '{one.row}': shares that are not from 0 to 1, or no three quartiles, or no fold"
    of_patients = (one.shares, one.standardised_risks, one.times_months, one.events)
    if {len(values) for values in of_patients} not in ({0}, {one.n}):
        yield f"gate of '{one.row}': shares, risks, times and events that are not of {one.n} patients"
    if not all(0 <= share <= 1 for share in one.shares) or one.shares != sorted(one.shares):
        yield f"gate of '{one.row}': patients' shares that are not from 0 to 1, ascending"
    if not all(map(math.isfinite, (*one.standardised_risks, *one.times_months))):
        yield f"gate of '{one.row}': patients' risks or times that are not numbers"


def _splits(splits: Splits, results: StudyResults) -> Iterator[str]:
    folds = len(results.folds)
    for what, values in (("train_n", splits.train_n), ("train_events", splits.train_events)):
        if len(values) != folds:
            yield f"splits: {len(values)} {what} for {folds} folds"
    if splits.test and len(splits.test) != folds:
        yield f"splits: {len(splits.test)} names of what is held out, for {folds} folds"
    if splits.tested != sum(fold.n for fold in results.folds):
        yield f"splits: {splits.tested} patients test, but the folds hold {sum(fold.n for fold in results.folds)}"
