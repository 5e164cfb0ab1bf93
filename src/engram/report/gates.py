"""How rows with a gate mix PET and CT, and whether that goes with risk and time: a table, words and a caution."""

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
_CORRELATION = (
    "Correlation with risk: Spearman's, of a patient's share and out-of-fold risk within each test fold, mean over "
    "folds. The risk is made of the mixture, so this tells of the model, not of the patients."
)
_C_OF_SHARE = (
    "c of the share: Harrell's c-index on the test folds, were the share itself taken for a risk. Above 0.5 those "
    "of whom the gate takes more of that image had the event sooner; censored patients count as in every c-index, "
    "which a rank correlation with time could not do. 95 % CI: bootstrap (BCa) of test patients within their folds."
)
_CHANCE = 0.5


def gates_table(results: StudyResults) -> Table:
    """One line a row that has a gate."""
    heads = (
        *("Patients", "Mean share", "Median (quartiles)", "Means of the folds"),
        *("Correlation with risk", "95 % CI, correlation", "c of the share", "95 % CI, c"),
    )
    lines = tuple(_line(one) for one in results.gates)
    gated = {one.row for one in results.gates}
    untrained = labels.needs_untrained_label(results, (row for row in results.rows if row.name in gated))
    columns = (Column("Row"), Column("Share of"), *(Column(head, "number") for head in heads))
    return Table("gates", columns, lines, (_SHARE, _CORRELATION, _C_OF_SHARE, _CAUTION), untrained)


def _line(one: GateShare) -> tuple[str, ...]:
    lower, median, upper = one.quartiles
    quartiles = f"{number(median, 2)} ({interval(lower, upper, 2)})"
    folds = interval(min(one.fold_means), max(one.fold_means), 2)
    share = (one.row, one.first, str(one.n), number(one.mean, 2), quartiles, folds)
    with_risk = (number(one.spearman, 2), interval(one.spearman_lower, one.spearman_upper, 2))
    return (*share, *with_risk, number(one.c_index), interval(one.c_lower, one.c_upper))


def in_words(results: StudyResults) -> list[str]:
    """One sentence a row: whether its share goes with its risk, and with time."""
    return [_sentence(one) for one in results.gates if one.spearman is not None or one.c_index is not None]


def _sentence(one: GateShare) -> str:
    parts = [*_risk_in_words(one), *_time_in_words(one)]
    return f"“{one.row}”: {'; '.join(parts)}."


def _risk_in_words(one: GateShare) -> list[str]:
    if one.spearman is None:
        return []
    found = (
        f"rank correlation {number(one.spearman, 2)}, 95 % CI {interval(one.spearman_lower, one.spearman_upper, 2)}"
    )
    side = _side(one.spearman_lower, one.spearman_upper, 0.0)
    words = {
        1: f"the more of {one.first}, the higher the risk",
        -1: f"the more of {one.first}, the lower the risk",
        0: "share and risk go together no more than chance would have it",
        None: "too few patients to tell whether share and risk go together",
    }
    return [f"{words[side]} ({found})"]


def _time_in_words(one: GateShare) -> list[str]:
    if one.c_index is None:
        return []
    found = f"c of the share {number(one.c_index)}, 95 % CI {interval(one.c_lower, one.c_upper)}"
    words = {
        1: f"those with more of {one.first} had the event sooner",
        -1: f"those with more of {one.first} had the event later",
        0: "the share alone does not tell who has the event sooner",
        None: "too few patients to tell whether the share goes with time",
    }
    return [f"{words[_side(one.c_lower, one.c_upper, _CHANCE)]} ({found})"]


def _side(lower: float | None, upper: float | None, nothing: float) -> int | None:
    """1 where an interval lies above what nothing would give, -1 below, 0 where it holds it; None without one."""
    if lower is None or upper is None:
        return None
    return int(lower > nothing) - int(upper < nothing)
