"""The test folds (paper 2.4.1): one set of splits, the same for every model."""

from __future__ import annotations

from engram.errors import CohortError
from engram.outcome import SurvivalOutcome
from engram.survival.splits import Fold, stratified_splits

__all__ = ["Fold", "stratified_folds"]


def stratified_folds(outcome: SurvivalOutcome, *, folds: int, time_quantiles: int, seed: int) -> list[Fold]:
    """Stratified folds by event x time quantile; they depend on outcomes and seed alone.

    Raises CohortError where there are fewer events, or fewer pairs of patients, than folds.
    """
    n, events = len(outcome), int(outcome.event.sum())
    if events < folds or n < 2 * folds:
        raise CohortError(
            f"{n} patients with {events} events cannot make {folds} folds of at least 2 patients and 1 event each. "
            "Set fewer evaluation.folds or add patients."
        )
    return stratified_splits(outcome, folds=folds, time_quantiles=time_quantiles, seed=seed)
