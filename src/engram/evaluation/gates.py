"""How rows with a gate mix their two images, over all test patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.gate_records import GateShare
from engram.evaluation.rows import RowSpec


def gate_shares(specs: Sequence[RowSpec], results: Sequence[Sequence[FoldResult]]) -> list[GateShare]:
    """One record for each row that has a gate. results: of each row on each fold."""
    found = []
    for spec, result in zip(specs, results, strict=True):
        folds = [of_fold.gate for of_fold in result if of_fold.gate is not None]
        if not folds:
            continue
        share = np.concatenate(folds)
        found.append(
            GateShare(
                row=spec.name,
                first=spec.modalities[0],
                n=len(share),
                mean=float(share.mean()),
                quartiles=np.quantile(share, (0.25, 0.5, 0.75)).tolist(),
                fold_means=[float(of_fold.mean()) for of_fold in folds],
            )
        )
    return found
