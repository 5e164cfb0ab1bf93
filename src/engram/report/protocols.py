"""What must be said of how settings were found: fixed, tuned inside each fold, or tuned on the test folds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from engram.evaluation.results import RowResult
from engram.report.formats import signed

NAMES: Final = {
    "fixed": "fixed settings",
    "nested": "tuned inside each training part",
    "paper": "tuned on its test folds",
}
MEANINGS: Final = {
    "fixed": "c-index: of settings that stand in the study file and were not tuned.",
    "nested": (
        "c-index: nested; every setting was tuned inside the training part of its fold, by inner folds, and the "
        "test folds were looked at once."
    ),
    "paper": (
        "c-index: optimistic; settings were tuned on the very test folds that measure them, as in the paper. It is "
        "no estimate of what new patients would give."
    ),
}
OPTIMISTIC = "c, tuned on its test folds (optimistic)"
GAP = (
    f"{OPTIMISTIC}: the same row on the same folds by the paper's protocol, whose settings were chosen by the "
    "c-index of these very test folds. Gap: that less the c-index; it is no gain in new patients, and tends "
    "to lie above 0 even where there is nothing to learn. It may lie below 0, for the paper's protocol has one "
    "setting for all folds, and few trials may miss a good one."
)
SHARED = (
    "*: this row shares a search, and its settings were chosen by the c-index of another row on these folds, not "
    "by its own; its gap is not what choosing adds, and is in no average."
)


def tuned(rows: Iterable[RowResult]) -> bool:
    """Whether any row was tuned in any way, so that all must say how."""
    return any(row.protocol != "fixed" or row.same_folds is not None for row in rows)


def has_gap(rows: Iterable[RowResult]) -> bool:
    """Whether the paper's protocol was run beside another."""
    return any(row.same_folds is not None for row in rows)


def notes(rows: Sequence[RowResult]) -> list[str]:
    """What must be read with the c-index of these rows; nothing where nothing was tuned."""
    if not tuned(rows):
        return []
    seen = {row.protocol for row in rows}
    shared = any(is_shared(row) for row in rows)
    return [*(text for name, text in MEANINGS.items() if name in seen), *[GAP] * has_gap(rows), *[SHARED] * shared]


def is_shared(row: RowResult) -> bool:
    """Whether the row's settings on its test folds were chosen by the c-index of another row."""
    return row.same_folds is not None and row.same_folds.chosen_on is not None


def gap(row: RowResult) -> str:
    """The gap of a row as tables have it, marked where it is of a search of another row."""
    found = signed(None if row.same_folds is None else row.same_folds.gap)
    return f"{found} *" if is_shared(row) else found
