"""Several networks of one design: side by side where they can be stacked, one after the other where they cannot.

What is stacked together is decided by the job alone, never by the number of workers or by what was kept before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engram.config_models import Training
from engram.survival.inputs import ModelInputs
from engram.survival.network import DeepSurvNet, Design
from engram.survival.stacked import Inner, Member, best_stacked, stackable, train_stacked
from engram.survival.training import LabelledBatch, Look, best_epoch, local_seed, new_net, train


@dataclass(frozen=True)
class InnerRun:
    """One training that others end. inputs: of the training patients, for their shapes. seed: of the network."""

    inputs: ModelInputs
    training: LabelledBatch
    validation: LabelledBatch
    seed: int

    @property
    def informative(self) -> bool:
        """Whether both parts have an event with another patient at risk."""
        return self.training.sets.informative and self.validation.sets.informative


def best_looks(runs: Sequence[InnerRun], settings: Training, design: Design) -> list[Look]:
    """What `training.best_epoch` finds in each run. Runs are stacked with those of as many columns."""
    looks: dict[int, Look] = {}
    stacks: dict[int, dict[int, Inner]] = {}
    for index, run in enumerate(runs):
        with local_seed(run.seed):
            net = new_net(run.inputs, settings, design)
            if stackable(net, net.head):
                inner = Inner(
                    _member(net, run.training, run.seed), net.fuse(run.validation.batch), run.validation.sets
                )
                stacks.setdefault(inner.columns.shape[1], {})[index] = inner
            else:
                looks[index] = best_epoch(net, run.training, run.validation, settings)
    for stack in stacks.values():
        looks |= zip(stack, best_stacked(list(stack.values()), settings), strict=True)
    return [looks[index] for index in range(len(runs))]


def trained_nets(
    inputs: ModelInputs,
    everyone: LabelledBatch,
    settings: Training,
    design: Design,
    *,
    epochs: int,
    seeds: Sequence[int],
) -> tuple[DeepSurvNet, ...]:
    """One network a seed, each trained on everyone for a number of epochs, and calibrated; for evaluation."""
    nets, members = [], []
    for seed in seeds:
        with local_seed(seed):
            net = new_net(inputs, settings, design)
            if stackable(net, net.head):
                members.append(_member(net, everyone, seed))
            else:
                train(net, everyone, settings, epochs=epochs)
        nets.append(net.eval())
    if members:
        train_stacked(members, settings, epochs=epochs)
    return tuple(nets)


def _member(net: DeepSurvNet, training: LabelledBatch, seed: int) -> Member:
    return Member(net.head, seed, net.fuse(training.batch), training.sets)
