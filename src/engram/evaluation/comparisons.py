"""Pairs of rows on the same folds: which are compared, and whether one ranks patients better than the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from engram.evaluation.bootstrap import Interval, difference_interval
from engram.evaluation.decomposition import added
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.multiplicity import benjamini_hochberg, holm
from engram.evaluation.results import Comparison
from engram.evaluation.rows import AVERAGING, DEEPSURV, NONE, PCA, RIDGE_COX, SELECTION, RowSpec
from engram.evaluation.statistics import fold_statistics
from engram.outcome import SurvivalOutcome
from engram.table import BASELINES, MAP_READOUTS

IMAGE_ADDED: Final = "images added to clinical"  # the question that every study is asked, before it is run
_SEES, _READ_OUT, _HEAD, _SURVIVAL = "what the row sees", "read-out", "head", "survival model"


@dataclass(frozen=True)
class Pair:
    """Positions of two rows, and in what they differ. prespecified: declared here, whatever the results."""

    row: int
    other: int
    differs_in: str
    prespecified: bool


def pairs_of(specs: Sequence[RowSpec]) -> list[Pair]:
    """The pairs that are compared: first the prespecified ones, then those that explore.

    Prespecified: each image + clinical row of the memory against the clinical row of the same survival model and
    covariates, wherever the two stand.
    Exploring: rows that differ in one thing, or in one thing and the head or survival model that it brings along;
    `differs_in` names all of these. Of encoder, prompt and memory (`engram.evaluation.decomposition`), the row that
    has more is held against the one that has less.
    """
    planned, exploring = [], []
    for (i, one), (j, other) in itertools.combinations(enumerate(specs), 2):
        if _adds_images(other, to=one):
            planned.append(Pair(j, i, IMAGE_ADDED, prespecified=True))
        elif _adds_images(one, to=other):
            planned.append(Pair(i, j, IMAGE_ADDED, prespecified=True))
        elif len(found := list(_differences(one, other))) == 1:
            row, against = (i, j) if added(one.readout, other.readout) else (j, i)
            exploring.append(Pair(row, against, _in_words(found[0], one, other), prespecified=False))
    return planned + exploring


def compare_rows(
    specs: Sequence[RowSpec],
    results: Sequence[Sequence[FoldResult]],
    outcomes: Sequence[SurvivalOutcome],
    *,
    held_out_ratio: float,
    seed: int,
) -> list[Comparison]:
    """Every pair of `pairs_of`, paired over folds (t-tests) and over patients (interval).

    results: of each row on each fold; outcomes: of the test patients of each fold. The corrected p of prespecified
    pairs are adjusted by Holm, those of the others by Benjamini and Hochberg.
    """
    pairs = pairs_of(specs)
    found = [
        _compared(pair, specs, results[pair.row], results[pair.other], outcomes, held_out_ratio, seed)
        for pair in pairs
    ]
    planned = [one for one in found if one.prespecified]
    exploring = [one for one in found if not one.prespecified]
    adjusted = holm([one.p_corrected for one in planned])
    adjusted += benjamini_hochberg([one.p_corrected for one in exploring])
    return [one.model_copy(update={"p_adjusted": p}) for one, p in zip(planned + exploring, adjusted, strict=True)]


def _compared(
    pair: Pair,
    specs: Sequence[RowSpec],
    results: Sequence[FoldResult],
    others: Sequence[FoldResult],
    outcomes: Sequence[SurvivalOutcome],
    held_out_ratio: float,
    seed: int,
) -> Comparison:
    differences = [
        None if one.c_index is None or other.c_index is None else one.c_index - other.c_index
        for one, other in zip(results, others, strict=True)
    ]
    statistics = fold_statistics(differences, held_out_ratio=held_out_ratio, null=0)
    interval: Interval | None = difference_interval(
        [one.test_risk for one in results], [other.test_risk for other in others], outcomes, seed=seed
    )
    return Comparison(
        row=specs[pair.row].name,
        other=specs[pair.other].name,
        differs_in=pair.differs_in,
        prespecified=pair.prespecified,
        difference=statistics.mean,
        se=statistics.se,
        ci_lower=None if interval is None else interval.lower,
        ci_upper=None if interval is None else interval.upper,
        p_two_sided=statistics.p_two_sided,
        p_corrected=statistics.p_corrected,
        p_adjusted=None,
    )


def _adds_images(row: RowSpec, *, to: RowSpec) -> bool:
    of_memory = row.family == "multimodal" and row.readout not in BASELINES
    return of_memory and to.family == "clinical" and to.only == row.only and to.survival == row.survival


def _differences(one: RowSpec, other: RowSpec) -> Iterator[str]:
    """In what two rows differ. A read-out brings its usual head and model along, another head its model, and one
    image needs no fusion: these count where nothing else explains them."""
    if one.family != other.family or one.only != other.only:
        yield _SEES
    if one.modality != other.modality:
        yield "images"
    if one.roi != other.roi:
        yield "region"
    if one.readout != other.readout:
        yield _READ_OUT
    heads, survivals = zip(_unusual(one), _unusual(other), strict=True)
    if heads[0] != heads[1]:
        yield _HEAD
    elif survivals[0] != survivals[1]:
        yield _SURVIVAL
    if NONE not in (fusions := (_fusion(one), _fusion(other))) and fusions[0] != fusions[1]:
        yield "fusion"


def _in_words(difference: str, one: RowSpec, other: RowSpec) -> str:
    """The difference and what it brings along: "read-out, head and survival model"."""
    if difference == _READ_OUT and (more := added(one.readout, other.readout) or added(other.readout, one.readout)):
        return more
    found = [difference]
    if _HEAD not in found and one.head != other.head and NONE not in (one.readout, other.readout):
        found.append(_HEAD)
    if _SURVIVAL not in found and one.survival != other.survival:
        found.append(_SURVIVAL)
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else found[0]


def _unusual(row: RowSpec) -> tuple[str | None, str | None]:
    """Head and survival model of a row, each None where it is the one that its read-out usually has."""
    if row.readout == NONE:
        return None, row.survival
    usual = (AVERAGING, DEEPSURV) if row.readout in MAP_READOUTS else (PCA, RIDGE_COX)
    head = None if row.head in (usual[0], SELECTION, NONE) else row.head
    return head, None if row.survival == usual[1] else row.survival


def _fusion(row: RowSpec) -> str:
    """How the images are fused; that covariates stand beside them is what the row sees."""
    return row.fusion if row.modality == "Combined" else NONE
