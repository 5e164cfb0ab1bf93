"""Whether the saved results are those of this code and these data, or of what a stale cache or file held."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from engram.evaluation.audit import SAME_ORDER, listed
from engram.evaluation.audit_records import AuditCheck, AuditHashes
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.results import Provenance
from engram.evaluation.rows import RowSpec
from engram.survival.splits import Fold

_NAME, _QUESTION = "saved results", "Are the results in the run folder those of this code and these data?"


def unlike(made: Provenance, hashes: AuditHashes) -> list[str]:
    """What results were made of that the audit did not look at, in words."""
    pairs = {
        "study file": (made.study_digest, hashes.study),
        "manifest": (made.manifest_digest, hashes.manifest),
        "weights": (made.weights_digest, hashes.weights),
        "data (covariates, embeddings, radiomics or outcomes)": (made.data_digest, hashes.data),
        "code or libraries": (made.code_digest, hashes.code),
    }
    return [name for name, (theirs, ours) in pairs.items() if theirs != ours]


def results_check(
    made: Provenance | None,
    hashes: AuditHashes,
    saved: Mapping[str, pd.Series[float]],
    ids: Sequence[str],
    folds: Sequence[Fold],
    specs: Sequence[RowSpec],
    fit: Callable[[], list[list[FoldResult]]],
) -> AuditCheck:
    """made: of the saved results, None where there are none. saved: their out-of-fold risks by row, by patient id.
    fit: `specs` on `folds` made anew, with nothing kept and trained as in the study."""
    if made is None:
        return _check(None, "There are no results yet.")
    if others := unlike(made, hashes):
        return _check(False, f"They are of another {', '.join(others)}. Run 'engram run' (or 'evaluate') again.")
    if not specs:
        return _check(None, "Digests of data and code are equal; no row is cheap enough to fit again: use --all.")
    wrong = [
        f"{spec.name}, fold {number}"
        for spec, results in zip(specs, fit(), strict=True)
        for number, (fold, result) in enumerate(zip(folds, results, strict=True), 1)
        if not _alike(saved.get(spec.name), [ids[i] for i in fold.test_index], result)
    ]
    done = f"{len(specs)} row(s) on {len(folds)} fold(s) fitted anew, with nothing kept, and their risks compared. "
    mend = "Delete the folder 'cache' in the run folder, and run 'engram run' (or 'evaluate') again."
    return _check(not wrong, done + (f"Others were saved for {listed(wrong)}. {mend}" if wrong else "All agree."))


def _alike(saved: pd.Series[float] | None, ids: Sequence[str], result: FoldResult) -> bool:
    """Within rounding, for results may have been made on another machine."""
    if saved is None or not set(ids) <= set(saved.index):
        return False
    tolerance = SAME_ORDER * (float(result.train_risk.std()) or 1.0)
    return np.allclose(saved.loc[list(ids)].to_numpy(), result.test_risk, rtol=0, atol=tolerance)


def _check(passed: bool | None, detail: str) -> AuditCheck:
    return AuditCheck(name=_NAME, question=_QUESTION, passed=passed, detail=detail)
