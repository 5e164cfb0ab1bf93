"""How the patients of a study were divided, for the report."""

from __future__ import annotations

from collections.abc import Sequence

from engram.config_evaluation import Evaluation
from engram.evaluation.held_out import held_out_patients
from engram.evaluation.sensitivity_records import Splits
from engram.survival.splits import Fold
from engram.table import StudyTable


def split_record(table: StudyTable, folds: Sequence[Fold], settings: Evaluation) -> Splits:
    """The folds in numbers and words."""
    event = table.outcome.event
    return Splits(
        kind=settings.splits,
        column=settings.group or settings.order,
        tested=len(held_out_patients(folds)),
        train_n=[len(fold.train_index) for fold in folds],
        train_events=[int(event[fold.train_index].sum()) for fold in folds],
        repeats=settings.repeats,
        test=[_in_words(table.subset(fold.test_index), settings) for fold in folds],
    )


def _in_words(test: StudyTable, settings: Evaluation) -> str:
    if settings.splits == "grouped" and test.groups is not None:
        return ", ".join(sorted(set(test.groups)))
    if settings.splits == "temporal" and test.order is not None:
        first, last = (f"{value:.6g}" for value in (min(test.order), max(test.order)))
        return first if first == last else f"{first} to {last}"
    return ""
