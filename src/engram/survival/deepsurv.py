"""DeepSurv (paper 2.3.3): how long to train is found inside the training patients, then all of them train."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from engram.config_models import Training
from engram.errors import CohortError
from engram.outcome import SurvivalOutcome
from engram.survival.inputs import ModelInputs
from engram.survival.network import AVERAGED, Batch, DeepSurvNet, Design
from engram.survival.side_by_side import InnerRun, best_looks, trained_nets
from engram.survival.splits import Fold, stratified_splits
from engram.survival.training import LabelledBatch

DEFAULT_EPOCHS = 50  # where no inner split can tell
HOLDOUT_FOLDS = 5  # one inner split holds out a fifth of the training patients


@dataclass(frozen=True)
class FittedDeepSurv:
    """Trained networks, one unless an ensemble was asked for.

    epochs: how long all training patients were trained. notes: what a reader must know.
    """

    nets: tuple[DeepSurvNet, ...]
    epochs: int
    notes: tuple[str, ...]

    def predict(self, inputs: ModelInputs) -> npt.NDArray[np.float64]:
        """The log-risk (n,) of each patient, the mean of the networks'; higher is worse."""
        batch = Batch(inputs)
        with torch.no_grad():
            risks = [net.eval()(batch).double().numpy() for net in self.nets]
        return np.asarray(np.mean(risks, axis=0), dtype=np.float64)

    def gate(self, inputs: ModelInputs) -> npt.NDArray[np.float64] | None:
        """The share of PET (n,) in each patient's mixture, the mean of the networks'; None without a gate."""
        batch = Batch(inputs)
        with torch.no_grad():
            shares = [share for net in self.nets if (share := net.eval().gate(batch)) is not None]
        return np.mean([share.double().numpy() for share in shares], axis=0) if shares else None


def fit_deepsurv(
    inputs: ModelInputs,
    outcome: SurvivalOutcome,
    settings: Training,
    seed: int,
    *,
    time_quantiles: int = 4,
    design: Design = AVERAGED,
    epochs: int | None = None,
) -> FittedDeepSurv:
    """Train on these patients, and on nothing else.

    epochs: how long to train, where that is known; no inner split is made then.

    settings.inner_folds: 1 holds out a fifth of them; k > 1 holds out each of k parts in turn. The median of the
    best epochs then ends the training of all. An inner split that cannot rank anybody is left out; where none can,
    `DEFAULT_EPOCHS` are trained and the notes say so. Initial weights and dropout depend on `seed` alone.
    Raises CohortError where no event has another patient at risk: there is nothing to learn.
    """
    everyone = LabelledBatch.of(inputs, outcome)
    if not everyone.sets.informative:
        raise CohortError(
            f"DeepSurv cannot be trained: none of the {len(outcome)} training patients had an event while another "
            "was at risk. Set fewer evaluation.folds or add patients."
        )
    notes: tuple[str, ...] = ()
    if epochs is None:
        splits = inner_splits(outcome, folds=settings.inner_folds, time_quantiles=time_quantiles, seed=seed)
        parts = [_parts(inputs, outcome, fold) for fold in splits]
        looks = best_epochs_and_risks(parts, settings, [seed] * len(parts), design=design)
        best = [look[0] for look in looks if look is not None]
        epochs = round(statistics.median(best)) if best else min(DEFAULT_EPOCHS, settings.max_epochs)
        notes = _notes(len(splits), len(best), epochs)
    seeds = [seed + k for k in range(settings.ensemble)]
    return FittedDeepSurv(
        trained_nets(inputs, everyone, settings, design, epochs=epochs, seeds=seeds), epochs, notes
    )


def inner_splits(outcome: SurvivalOutcome, *, folds: int, time_quantiles: int, seed: int) -> list[Fold]:
    """The splits of the training patients that early stopping looks at; none where there are too few patients."""
    parts = HOLDOUT_FOLDS if folds == 1 else folds
    if len(outcome) < 2 * parts:
        return []
    splits = stratified_splits(outcome, folds=parts, time_quantiles=time_quantiles, seed=seed)
    return splits[:folds]


def _parts(inputs: ModelInputs, outcome: SurvivalOutcome, fold: Fold) -> SplitPatients:
    train, test = fold.train_index, fold.test_index
    return SplitPatients(inputs.subset(train), outcome.subset(train), inputs.subset(test), outcome.subset(test))


@dataclass(frozen=True)
class SplitPatients:
    """Training patients of a fold, split once more: one part trains, the other ends the training."""

    inputs: ModelInputs
    outcome: SurvivalOutcome
    validation_inputs: ModelInputs
    validation_outcome: SurvivalOutcome


def best_epochs_and_risks(
    splits: Sequence[SplitPatients], settings: Training, seeds: Sequence[int], *, design: Design = AVERAGED
) -> list[tuple[int, npt.NDArray[np.float64]] | None]:
    """Train one network on each split's training part, and stop it by the other part.

    Gives of each the best number of epochs and the log-risk (n,) of the validation patients there; None where
    either part has no event with another patient at risk.
    """
    runs = [_inner_run(split, seed) for split, seed in zip(splits, seeds, strict=True)]
    looks = iter(best_looks([run for run in runs if run.informative], settings, design))
    found = [next(looks) if run.informative else None for run in runs]
    return [None if look is None else (look.epoch, look.risk.double().numpy()) for look in found]


def _inner_run(split: SplitPatients, seed: int) -> InnerRun:
    training = LabelledBatch.of(split.inputs, split.outcome)
    validation = LabelledBatch.of(split.validation_inputs, split.validation_outcome)
    return InnerRun(split.inputs, training, validation, seed)


def _notes(splits: int, usable: int, epochs: int) -> tuple[str, ...]:
    if usable == 0:
        return (f"no inner split could end the training early; {epochs} epochs were trained, the default",)
    if usable < splits:
        return (f"{splits - usable} of {splits} inner splits had no comparable validation patients",)
    return ()
