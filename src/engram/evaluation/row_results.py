"""What each row gave on the test folds: its c-indices, their statistics, and the c-index of the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from engram.evaluation.bootstrap import Interval, c_index_interval
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.multiplicity import benjamini_hochberg
from engram.evaluation.results import RowResult
from engram.evaluation.rows import BASELINE_NAMES, NONE, RowSpec
from engram.evaluation.statistics import fold_statistics, held_out_ratio
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c
from engram.survival.splits import Fold
from engram.table import PET_NUMBERS

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
    """The c-index of what the row could at best know, on the same test folds."""
    if truth is None:
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
        name=spec.name,
        family=spec.family,
        modality=spec.modality or NONE,
        roi=spec.roi,
        readout=spec.readout,
        encoder=BASELINE_NAMES.get(spec.readout, NONE if spec.readout in (NONE, PET_NUMBERS) else encoder),
        head=spec.head,
        fusion=spec.fusion,
        survival=spec.survival,
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
