"""Tables 1 to 3 of the paper: each row's c-index, how it was tuned, and what tuning on the test folds pretends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from engram.evaluation.results import RowResult, StudyResults
from engram.report import labels, protocols
from engram.report.formats import EN_DASH, interval, number, or_dash, p_value
from engram.report.layout import Column, Table
from engram.report.shown import Shown
from engram.report.wording import said
from engram.table import BASELINES

_NOT_RUN = "not run:"


def family_table(results: StudyResults, name: str, family: Literal["image", "multimodal"]) -> Table:
    """Tables 1 and 2 of the paper: one line a row of the family, highest c-index first, rows not run last."""
    rows = labels.by_c_index(row for row in results.rows if row.family == family)
    many = labels.names_read_outs(rows)
    survivals = len({row.survival for row in rows}) > 1
    titles = ["Origin", "Mask", *["Read-out"] * many, "Model", "Downsampling", "Fusion"]
    titles += ["Survival model"] * survivals
    lines = [
        (
            row.modality,
            row.roi,
            *[row.readout] * many,
            labels.encoder_name(row, results.provenance),
            or_dash(row.head),
            or_dash(row.fusion),
            *[row.survival] * survivals,
        )
        for row in rows
    ]
    masks_shown = Shown.of(results).kind == "mask"
    notes = (labels.read_outs(rows, masks_shown=masks_shown),) if many else ()
    return _with_c_index(results, name, [Column(title) for title in titles], lines, rows, notes)


def comparison_table(results: StudyResults) -> Table:
    """Table 3 of the paper: the best row of each family beside the clinical rows and the best of each baseline."""
    chosen = _chosen(results.rows)
    rows = labels.by_c_index([row for row, _ in chosen])
    among = {row.name: many for row, many in chosen}
    lines = [
        (
            said(labels.FAMILIES[row.family], results.rows),
            row.name,
            labels.encoder_name(row, results.provenance),
            f"best of {among[row.name]}" if among[row.name] > 1 else EN_DASH,
        )
        for row in rows
    ]
    notes = (
        (labels.BEST_OF_MANY,)
        if any(labels.best(results.rows, family) for family in ("image", "multimodal"))
        else ()
    )
    heads = [Column("Sees"), Column("Row"), Column("Model"), Column("Chosen here")]
    return _with_c_index(results, "table3_comparison", heads, lines, rows, notes)


def _chosen(rows: Sequence[RowResult]) -> list[tuple[RowResult, int]]:
    """Each row of Table 3, and out of how many it was chosen by its c-index on these folds."""
    pools = [labels.competing(rows, family) for family in ("multimodal", "image")]
    for readout in BASELINES:
        pools += [
            [row for row in rows if row.readout == readout and row.family == family]
            for family in ("multimodal", "image")
        ]
    best = [(labels.by_c_index(pool)[0], len(labels.were_run(pool))) for pool in pools if pool]
    return [*best, *((row, 1) for row in rows if row.family == "clinical")]


def _with_c_index(
    results: StudyResults,
    name: str,
    heads: Sequence[Column],
    lines: Sequence[tuple[str, ...]],
    rows: Sequence[RowResult],
    notes: tuple[str, ...],
) -> Table:
    """Add c-index, SE, interval and both p; where there is something to say, true c, usable folds and protocols."""
    run = labels.were_run(rows)
    parts = _Parts(rows, synthetic=results.synthetic)
    cells = [
        (*line, *parts.cells(row)) if row.absent is None else (*line, f"{_NOT_RUN} {row.absent}")
        for line, row in zip(lines, rows, strict=True)
    ]
    said = [*labels.OF_A_C_INDEX, *labels.no_interval(run)]
    if results.synthetic:
        said += [labels.TRUE_C, *[labels.TRUE_C_UNKNOWN] * any(row.true_c_index is None for row in run)]
    return Table(
        name,
        (*heads, *parts.columns),
        tuple(cells),
        (*protocols.notes(run), *said, *notes),
        labels.needs_untrained_label(results, run),
    ).without_empty()


class _Parts:
    """The columns of a c-index: the same for all rows of one table."""

    def __init__(self, rows: Sequence[RowResult], *, synthetic: bool) -> None:
        run = labels.were_run(rows)
        self._synthetic = synthetic
        self._partial = any(labels.usable_folds(row) < len(row.c_index) for row in run)
        self._gap = protocols.has_gap(run)
        self._mixed = len({row.protocol for row in run}) > 1

    @property
    def columns(self) -> list[Column]:
        heads = ["95 % CI", "p, paper", "p, corrected", *["True c"] * self._synthetic, *["Folds"] * self._partial]
        heads += [protocols.OPTIMISTIC, "Gap"] * self._gap
        first = [Column("Protocol")] * self._mixed + [Column("c-index", "number"), Column("SE", "error")]
        return [*first, *(Column(head, "number") for head in heads)]

    def cells(self, row: RowResult) -> tuple[str, ...]:
        same = row.same_folds
        optimistic = [number(None if same is None else same.mean), protocols.gap(row)]
        return (
            *[protocols.NAMES[row.protocol]] * self._mixed,
            *_c_cells(row),
            *[number(row.true_mean)] * self._synthetic,
            *[f"{labels.usable_folds(row)} of {len(row.c_index)}"] * self._partial,
            *optimistic * self._gap,
        )


def _c_cells(row: RowResult) -> tuple[str, ...]:
    if row.mean is None:
        return f"{EN_DASH} (no comparable pairs)", *[EN_DASH] * 4
    few = labels.usable_folds(row) < 2
    se = f"{EN_DASH} (one usable fold)" if row.se is None and few else number(row.se)
    p = f"{EN_DASH} (needs two folds)" if row.p is None and few else p_value(row.p)
    return number(row.mean), se, interval(row.ci_lower, row.ci_upper), p, p_value(row.p_corrected)
