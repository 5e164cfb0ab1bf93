"""The methods of tuning: which protocols were run, what they saw, and what that makes of their numbers."""

from __future__ import annotations

from engram.evaluation.results import RowResult, StudyResults
from engram.report import labels, protocols
from engram.report.formats import joined
from engram.report.tuning_tables import range_of

_ENDED = (
    "Once four trials were completed, a trial was ended after any fold where its mean c-index so far lay below the "
    "median of what the completed ones had after the same folds."
)


def tuning(results: StudyResults) -> str:
    """One paragraph; empty where nothing was tuned."""
    rows = labels.were_run(results.rows)
    if not protocols.tuned(rows):
        return ""
    seen = {row.protocol for row in rows}
    sentences = [_settings(rows, results), *_search(results)]
    if "nested" in seen:
        sentences.append(
            "Nested protocol: each search saw the training part of one fold only, judged by the mean c-index over "
            "inner folds of it; the best settings were then trained on the whole training part, and the test fold "
            "was looked at once."
        )
    if "paper" in seen or protocols.has_gap(rows):
        sentences.append(_paper(rows))
    return " ".join(sentences)


def _settings(rows: list[RowResult], results: StudyResults) -> str:
    if tuned_ranges(results):
        return "Of settings that were tuned, the ranges are given above; the others are those of the study file."
    if all(row.protocol == "fixed" for row in rows):
        return "Settings named above are those of the study file, and the results are of these."
    return "Settings named above are those of the study file, for what was not tuned."


def tuned_ranges(results: StudyResults) -> dict[str, str]:
    """What the results were tuned for, by the names of `training`, `layers` and `width`, and the ranges in words;
    empty where they are of fixed settings, whatever stands beside them."""
    protocols_seen = {row.protocol for row in labels.were_run(results.rows)} - {"fixed"}
    return {
        parameter.name: f"{range_of(parameter)}{' on a log scale' if parameter.log else ''}"
        for search in results.searches
        if search.protocol in protocols_seen
        for parameter in search.space
    }


def _search(results: StudyResults) -> list[str]:
    if not results.searches:
        return []
    trials = joined(sorted({str(search.trials) for search in results.searches}, key=int))
    shared = any(len(search.rows) > 1 for search in results.searches)
    ended = any(search.pruned for search in results.searches) or results.provenance.tuning.get("prune") is True
    return [
        "Each search began with trial 0, the settings of the study file as they are, and went on with "
        f"{trials} points of a scrambled Sobol sequence (Optuna); the trial with the highest score won.",
        *[_ENDED] * ended,
        *["Rows that train the same head share one search, made on one of them."] * shared,
    ]


def _paper(rows: list[RowResult]) -> str:
    beside = " It is shown beside the results and is never one of them." if protocols.has_gap(rows) else ""
    return (
        "The paper's protocol (2.4.1): settings were chosen by the mean c-index of the very test folds that "
        f"measure them, which is optimistic.{beside}"
    )
