"""Whom the numbers are measured on: patients of a first window in time train, and never test."""

from __future__ import annotations

from engram.evaluation.results import StudyResults


def tested(results: StudyResults) -> tuple[int, int]:
    """Patients who test, and how many of them had the event: the sums over the test folds."""
    return sum(fold.n for fold in results.folds), sum(fold.events for fold in results.folds)


def where_tested(results: StudyResults) -> str:
    """How patients were divided and who tested, as a sentence begins."""
    folds, (n, events) = len(results.folds), tested(results)
    splits, endpoint = results.splits, results.cohort.endpoint
    if splits is not None and splits.kind == "temporal":
        divided = "On one split by time" if folds == 1 else f"On {folds} windows of time"
        return f"{divided} ({n} patients with {events} events tested, {endpoint})"
    apart = f" by {splits.column}" if splits is not None and splits.kind == "grouped" else ""
    return f"In {folds}-fold cross-validation{apart} of {n} patients ({events} with the event, {endpoint})"
