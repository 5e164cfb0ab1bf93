"""Which bars the paper's Figures 5 and 6 have: image-only rows of its read-out, models of one bar averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from engram.evaluation.fold_averages import FoldAverage, average_models
from engram.evaluation.results import RowResult, StudyResults
from engram.report import labels, protocols
from engram.report.tested import tested

_FINAL = "final"  # the paper's read-out


@dataclass(frozen=True)
class Bar:
    """One bar: where it stands, what its colour means, and the models behind it."""

    position: str
    hue: str
    average: FoldAverage


@dataclass(frozen=True)
class Ablation:
    """One figure. name: stem of its file. title: what is compared. caption: what must be read with it."""

    name: str
    title: str
    caption: str
    bars: tuple[Bar, ...]
    untrained: bool

    @property
    def positions(self) -> list[str]:
        """Along the axis, in the order of the rows."""
        return list(dict.fromkeys(bar.position for bar in self.bars))

    @property
    def hues(self) -> list[str]:
        """In the legend, in the order of the rows."""
        return list(dict.fromkeys(bar.hue for bar in self.bars))


def ablations(results: StudyResults) -> list[Ablation]:
    """Figures 5a, 5b and 6; each only where there are two fusions, or two heads, to compare."""
    rows = [
        row
        for row in labels.were_run(results.rows)
        if row.family == "image" and row.readout == _FINAL and row.mean is not None
    ]
    fused = [row for row in rows if row.modality == "Combined"]
    found = [
        _ablation(
            results, f"figure5{letter}_fusion", f"Fusion and mask, {head} head", f"5{letter}",
            [row for row in fused if row.head == head], lambda row: row.roi, lambda row: row.fusion,
        )
        for letter, head in (("a", "attention"), ("b", "averaging"))
    ]  # fmt: skip
    found.append(
        _ablation(
            results, "figure6_downsampling", "Downsampling and origin", "6", rows,
            lambda row: row.modality, lambda row: row.head,
        )
    )  # fmt: skip
    return [one for one in found if len(one.hues) > 1]


def _ablation(
    results: StudyResults,
    name: str,
    title: str,
    of_paper: str,
    rows: Sequence[RowResult],
    position: Callable[[RowResult], str],
    hue: Callable[[RowResult], str],
) -> Ablation:
    groups: dict[tuple[str, str], list[RowResult]] = {}
    for row in rows:
        groups.setdefault((position(row), hue(row)), []).append(row)
    bars = tuple(Bar(place, colour, average_models(group)) for (place, colour), group in groups.items())
    untrained = labels.needs_untrained_label(results, rows)
    return Ablation(name, title, _caption(results, of_paper, rows, bars), bars, untrained)


def _caption(results: StudyResults, of_paper: str, rows: Iterable[RowResult], bars: Sequence[Bar]) -> str:
    many = sorted({bar.average.models for bar in bars})
    models = f"{many[0]} to {many[-1]}" if len(many) > 1 else str(many[0] if many else 0)
    averaged = (
        f" A bar of several models ({models} here) is their average within each fold, then over folds."
        if many and many[-1] > 1
        else ""
    )
    n, events = tested(results)
    seen = [name for name in protocols.NAMES if name in {row.protocol for row in rows}]
    return (
        f"Image-only rows of {n} patients, {events} events (the paper's Figure "
        f"{of_paper}). Bars start at chance; error bars are one standard error over {len(results.folds)} folds, "
        f"dots the folds.{averaged} Protocol: {', '.join(protocols.NAMES[name] for name in seen)}. Error bars that "
        "overlap are no test: the tests are those of row against row."
    )
