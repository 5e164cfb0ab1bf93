"""How rows with a gate mix PET and CT: a small table with its caution."""

from __future__ import annotations

from engram.evaluation.gate_records import GateShare
from engram.evaluation.results import StudyResults
from engram.report import labels
from engram.report.formats import interval, number
from engram.report.layout import Column, Table

_SHARE = (
    "Share: alpha of the gate, the weight of the first image (PET) in the mixture, that of the other being the "
    "rest; of each test patient, by the model of the fold that left the patient out. Each fold trains a gate of "
    "its own."
)
_CAUTION = (
    "The share says how the two images are mixed, not which of them knows: the vectors that are mixed have scales "
    "of their own, and a gate may lean on either where both tell the same, or nothing. What an image alone is "
    "worth, its own row tells."
)


def gates_table(results: StudyResults) -> Table:
    """One line a row that has a gate."""
    heads = ("Patients", "Mean share", "Median (quartiles)", "Means of the folds")
    lines = tuple(_line(one) for one in results.gates)
    gated = {one.row for one in results.gates}
    untrained = labels.needs_untrained_label(results, (row for row in results.rows if row.name in gated))
    columns = (Column("Row"), Column("Share of"), *(Column(head, "number") for head in heads))
    return Table("gates", columns, lines, (_SHARE, _CAUTION), untrained)


def _line(one: GateShare) -> tuple[str, ...]:
    lower, median, upper = one.quartiles
    quartiles = f"{number(median, 2)} ({interval(lower, upper, 2)})"
    folds = interval(min(one.fold_means), max(one.fold_means), 2)
    return (one.row, one.first, str(one.n), number(one.mean, 2), quartiles, folds)
