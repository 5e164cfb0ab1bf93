"""What each row gave on the test folds: its c-indices, their statistics, and the c-index of the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from engram.config_tuning import ProtocolName
from engram.evaluation.bootstrap import Interval, c_index_interval
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.multiplicity import benjamini_hochberg
from engram.evaluation.results import RowResult
from engram.evaluation.rows import BASELINE_NAMES, NONE, RowSpec
from engram.evaluation.statistics import fold_statistics, held_out_ratio
from engram.evaluation.tuning_records import SameFolds, Search, Untuned
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c
from engram.survival.splits import Fold
from engram.table import PET_NUMBERS

ByProtocol = Mapping[ProtocolName, Sequence[Sequence[FoldResult]]]  # of each row on each fold
_PART_OF_TRUTH = {"clinical": "clinical", "image": "imaging", "multimodal": "total"}


def row_results(
    specs: Sequence[RowSpec],
    results: Sequence[Sequence[FoldResult]],
    folds: Sequence[Fold],
    outcomes: Sequence[SurvivalOutcome],
    truth: pd.DataFrame | None,
    *,
    encoder: str,
    seed: int,
) -> list[RowResult]:
    """The record of each row, in the order given.

    results: of each row on each fold; outcomes: of the test patients of each fold; truth: as of `check_truth`;
    encoder: name of the frozen model; seed: of the bootstrap. The corrected p are adjusted for the number of rows.
    """
    ratio = held_out_ratio(folds)
    found = [
        _row(
            spec,
            result,
            _true_c(spec, truth, folds, outcomes),
            c_index_interval([fold.test_risk for fold in result], outcomes, seed=seed),
            encoder,
            ratio,
        )
        for spec, result in zip(specs, results, strict=True)
    ]
    adjusted = benjamini_hochberg([row.p_corrected for row in found])
    return [row.model_copy(update={"p_adjusted": p}) for row, p in zip(found, adjusted, strict=True)]


def absent_row(spec: RowSpec, reason: str, folds: int, protocol: ProtocolName, *, encoder: str) -> RowResult:
    """A row that could not be run. reason: why, as "weights absent: ...". protocol: of the headline."""
    return RowResult(
        **_what_it_is(spec, encoder),
        c_index=[None] * folds,
        mean=None,
        se=None,
        p=None,
        absent=reason,
        protocol=protocol,
    )


def beside(
    rows: Sequence[RowResult],
    results: ByProtocol,
    headline: ProtocolName,
    searches: Sequence[Search] = (),
    *,
    ratio: float,
) -> list[RowResult]:
    """The rows of the headline with what other protocols give on the same folds. searches: which rows share one.
    ratio: as of `held_out_ratio`."""
    owners = {name: search.row for search in searches if search.protocol == "paper" for name in search.rows}
    return [
        row.model_copy(
            update={
                "protocol": headline,
                "same_folds": _same_folds(row, results, position, headline, ratio, owners.get(row.name, row.name)),
                "untuned": _untuned(row, results, position, headline, ratio),
            }
        )
        for position, row in enumerate(rows)
    ]


def _same_folds(
    row: RowResult, results: ByProtocol, position: int, headline: ProtocolName, ratio: float, owner: str
) -> SameFolds | None:
    if headline == "paper" or "paper" not in results:
        return None
    c_index = [fold.c_index for fold in results["paper"][position]]
    found = fold_statistics(c_index, held_out_ratio=ratio)
    return SameFolds(
        c_index=c_index,
        mean=found.mean,
        se=found.se,
        p=found.p,
        gap=_gap(found.mean, row.mean),
        chosen_on=None if owner == row.name else owner,
    )


def _untuned(
    row: RowResult, results: ByProtocol, position: int, headline: ProtocolName, ratio: float
) -> Untuned | None:
    if headline == "fixed" or "fixed" not in results:
        return None
    c_index = [fold.c_index for fold in results["fixed"][position]]
    mean = fold_statistics(c_index, held_out_ratio=ratio).mean
    return Untuned(c_index=c_index, mean=mean, gap=_gap(mean, row.mean))


def _gap(mean: float | None, headline: float | None) -> float | None:
    return None if mean is None or headline is None else mean - headline


def check_truth(truth: pd.DataFrame | None, n: int) -> None:
    """Raises ValueError unless there is none, or n finite true log-hazards: clinical, imaging, total."""
    if truth is None:
        return
    parts = sorted(_PART_OF_TRUTH.values())
    if len(truth) != n or not set(parts) <= set(truth.columns) or not np.isfinite(truth[parts]).all(axis=None):
        raise ValueError(f"expected finite true log-hazards of {n} patients in columns {', '.join(parts)}")


def _true_c(
    spec: RowSpec, truth: pd.DataFrame | None, folds: Sequence[Fold], outcomes: Sequence[SurvivalOutcome]
) -> list[float | None] | None:
    """The c-index of what the row could at best know, on the same test folds. What some of the covariates know is
    not in the truth, which has their sum alone."""
    if truth is None or spec.only is not None:
        return None
    hazard = truth[_PART_OF_TRUTH[spec.family]].to_numpy(dtype=np.float64)
    return [harrell_c(hazard[fold.test_index], outcome) for fold, outcome in zip(folds, outcomes, strict=True)]


def _row(
    spec: RowSpec,
    results: Sequence[FoldResult],
    true_c: list[float | None] | None,
    interval: Interval | None,
    encoder: str,
    ratio: float,
) -> RowResult:
    c_index = [result.c_index for result in results]
    statistics = fold_statistics(c_index, held_out_ratio=ratio)
    return RowResult(
        **_what_it_is(spec, encoder),
        c_index=c_index,
        mean=statistics.mean,
        se=statistics.se,
        p=statistics.p,
        p_two_sided=statistics.p_two_sided,
        p_corrected=statistics.p_corrected,
        ci_lower=None if interval is None else interval.lower,
        ci_upper=None if interval is None else interval.upper,
        true_c_index=true_c,
        true_mean=None if true_c is None else fold_statistics(true_c, held_out_ratio=ratio).mean,
    )


def _what_it_is(spec: RowSpec, encoder: str) -> dict[str, Any]:
    return {
        "name": spec.name,
        "family": spec.family,
        "modality": spec.modality or NONE,
        "roi": spec.roi,
        "readout": spec.readout,
        "encoder": BASELINE_NAMES.get(spec.readout, NONE if spec.readout in (NONE, PET_NUMBERS) else encoder),
        "head": spec.head,
        "fusion": spec.fusion,
        "survival": spec.survival,
    }
