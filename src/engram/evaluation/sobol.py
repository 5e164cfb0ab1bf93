"""One search for hyperparameters: a scrambled Sobol sequence (paper 2.4.1), pruned after each fold.

It sees settings and scores alone; whoever calls it decides on whom a score is measured.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState

from engram.config_models import Training
from engram.evaluation.search_space import own_values, settings_of
from engram.evaluation.trials import COMPLETE, FAILED, PRUNED, Judged, State, Trial, mean_of
from engram.evaluation.tuning_records import TunedParameter, Value
from engram.jobs import tell_share

_BEFORE_PRUNING = 4  # trials that are completed before any is compared with their median


def search(
    space: Sequence[TunedParameter],
    base: Training,
    judge: Callable[[Training, int], Judged],
    *,
    folds: int,
    trials: int,
    prune: bool,
    seed: int,
) -> list[Trial]:
    """`trials` points of the sequence, and before them trial 0: `base`, whether or not it lies in the ranges.

    judge: called with settings and the number of a fold, 0 to folds - 1, one after the other. A trial that cannot
    be fitted on a fold ends there, as does one whose mean so far lies below the median of the completed trials.
    The same judgements give the same trials.
    """
    with _quiet():
        study = _study(space, base, seed=seed)
        distributions = {parameter.name: _distribution(parameter) for parameter in space}
        found: list[Trial] = []
        for number in range(trials + 1):
            asked = study.ask(distributions)
            values = dict(asked.params) if number else own_values(space, base)
            settings = settings_of(values, base) if number else base
            shares = (number * folds, (trials + 1) * folds)
            state, judged = _judged(partial(judge, settings), folds, found if prune else [], shares)
            found.append(Trial(number, values, settings, state, judged))
            study.tell(asked, state=TrialState.PRUNED)  # the sequence does not ask how a trial did
    return found


def _judged(
    judge: Callable[[int], Judged], folds: int, before: Sequence[Trial], shares: tuple[int, int]
) -> tuple[State, tuple[Judged, ...]]:
    """How one trial ends, and what was judged until then. shares: fits before it, and fits of the whole search."""
    judged: list[Judged] = []
    for fold in range(folds):
        judged.append(judge(fold))
        tell_share((shares[0] + fold + 1) / shares[1])
        if judged[-1].failed:
            return FAILED, tuple(judged)
        if fold + 1 < folds and _is_hopeless(judged, before):
            return PRUNED, tuple(judged)
    return COMPLETE, tuple(judged)


def _is_hopeless(judged: Sequence[Judged], before: Sequence[Trial]) -> bool:
    """Whether the mean so far lies below the median of what completed trials had after the same folds.

    Optuna's MedianPruner takes the best mean so far in its place: one easy fold, the first, would save all trials.
    """
    mean = mean_of(judged)
    others = [mean_of(trial.judged[: len(judged)]) for trial in before if trial.state == COMPLETE]
    known = [other for other in others if other is not None]
    return mean is not None and len(known) >= _BEFORE_PRUNING and mean < statistics.median(known)


def _study(space: Sequence[TunedParameter], base: Training, *, seed: int) -> optuna.Study:
    """In memory, with trial 0 in the queue. Optuna holds it at the nearest point inside the ranges, from which it
    learns the space; the points of the sequence do not depend on it."""
    sampler = optuna.samplers.QMCSampler(qmc_type="sobol", scramble=True, seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    own = own_values(space, base)
    study.enqueue_trial({parameter.name: _inside(parameter, own[parameter.name]) for parameter in space})
    return study


def _inside(parameter: TunedParameter, value: Value) -> Value:
    if parameter.choices is not None:
        return value if value in parameter.choices else parameter.choices[0]
    low, high = _limits(parameter)
    return min(max(float(value), low), high)


def _distribution(parameter: TunedParameter) -> BaseDistribution:
    if parameter.choices is not None:
        return CategoricalDistribution(parameter.choices)
    low, high = _limits(parameter)
    return FloatDistribution(low, high, log=parameter.log)


def _limits(parameter: TunedParameter) -> tuple[float, float]:
    if parameter.low is None or parameter.high is None:
        raise ValueError(f"{parameter.name} has neither a range nor choices")
    return parameter.low, parameter.high


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna tells each trial, and that the sampler may change its interface one day: the versions are pinned."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
