"""How rows with a gate mix their two images, over all test patients, and whether that goes with risk and time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engram.evaluation.bootstrap import c_index_interval
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.gate_records import GateShare
from engram.evaluation.rank_correlation import rank_correlation
from engram.evaluation.risk_groups import standardised
from engram.evaluation.rows import RowSpec
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c

FloatArray = npt.NDArray[np.float64]


def gate_shares(
    specs: Sequence[RowSpec],
    results: Sequence[Sequence[FoldResult]],
    outcomes: Sequence[SurvivalOutcome],
    *,
    seed: int,
) -> list[GateShare]:
    """One record for each row that has a gate. results: of each row on each fold; outcomes: of the test patients of
    each fold; seed: of the bootstrap."""
    return [
        _gate_share(spec, result, outcomes, seed)
        for spec, result in zip(specs, results, strict=True)
        if any(of_fold.gate is not None for of_fold in result)
    ]


def _gate_share(
    spec: RowSpec, result: Sequence[FoldResult], outcomes: Sequence[SurvivalOutcome], seed: int
) -> GateShare:
    gated = [
        (one, one.gate, outcome) for one, outcome in zip(result, outcomes, strict=True) if one.gate is not None
    ]
    folds, test = [gate for _, gate, _ in gated], [outcome for *_, outcome in gated]
    risks = [standardised(one) for one, *_ in gated]
    share = np.concatenate(folds)
    order = np.argsort(share, kind="stable")

    def of_patients(parts: Sequence[npt.NDArray[np.generic]]) -> list[float]:
        found: list[float] = np.concatenate(parts)[order].tolist()
        return found

    correlation = rank_correlation(folds, risks, seed=seed)
    ranked = [c for gate, outcome in zip(folds, test, strict=True) if (c := harrell_c(gate, outcome)) is not None]
    interval = c_index_interval(folds, test, seed=seed)
    return GateShare(
        row=spec.name,
        first=spec.modalities[0],
        n=len(share),
        mean=float(share.mean()),
        quartiles=np.quantile(share, (0.25, 0.5, 0.75)).tolist(),
        fold_means=[float(of_fold.mean()) for of_fold in folds],
        shares=of_patients(folds),
        standardised_risks=of_patients(risks),
        times_months=of_patients([outcome.time_months for outcome in test]),
        events=[bool(event) for event in of_patients([outcome.event for outcome in test])],
        spearman=correlation.mean,
        spearman_lower=correlation.interval.lower if correlation.interval else None,
        spearman_upper=correlation.interval.upper if correlation.interval else None,
        c_index=float(np.mean(ranked)) if ranked else None,
        c_lower=interval.lower if interval else None,
        c_upper=interval.upper if interval else None,
    )
