"""Every row under every protocol that the study file asks for, on identical folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from engram.config import StudyConfig
from engram.config_tuning import ProtocolName
from engram.errors import ConfigError
from engram.evaluation.fold_fit import FoldResult, scored
from engram.evaluation.fold_jobs import FoldJob, by_row, fold_jobs, kept_risks
from engram.evaluation.paper_protocol import SameFoldsJob, search_on_test_folds
from engram.evaluation.rows import DEEPSURV, RowSpec
from engram.evaluation.search_groups import Phase, SearchGroup, groups_of, phases_of
from engram.evaluation.search_space import has_map_head
from engram.evaluation.trials import Trial, best_of
from engram.evaluation.tuning import nested_search
from engram.jobs import Progress, run_jobs
from engram.survival.splits import Fold
from engram.table import StudyTable

Begin = Callable[[str, int], object]  # a part begins: what it is, and how many fits it takes at most
AnyJob = TypeVar("AnyJob", FoldJob, SameFoldsJob)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Searched:
    """One search with all its trials. fold: from 0; None for a search over all test folds."""

    protocol: ProtocolName
    group: SearchGroup
    fold: int | None
    trials: list[Trial]


@dataclass(frozen=True)
class ByProtocol:
    """results: of each protocol, each row on each fold. searched: every search that was made."""

    results: dict[ProtocolName, list[list[FoldResult]]] = field(default_factory=dict)
    searched: list[Searched] = field(default_factory=list)


def run_protocols(
    table: StudyTable,
    specs: Sequence[RowSpec],
    folds: Sequence[Fold],
    config: StudyConfig,
    *,
    workers: int,
    cache_dir: Path,
    progress: Progress | None = None,
    begin: Begin | None = None,
) -> ByProtocol:
    """Results of each row on each fold, in the order given, by protocol.

    'fixed' takes the settings of `training`; 'nested' looks for them inside each training part; 'paper' on the test
    folds. workers: processes; 0 runs in this one. The numbers are the same to the last digit. cache_dir: where each
    result is kept, under a digest of all that it depends on. progress: counts fits; pruned ones count as done.
    begin: is told each part. Raises the first error of a job; a CohortError says in which row and fold.
    """
    groups = groups_of(specs, share=config.tuning.share)
    work = _Work(workers, phases_of(specs, len(folds), config.tuning), progress, begin)
    found = ByProtocol()
    with fold_jobs(table, specs, folds, config, cache_dir=cache_dir) as jobs:
        rows = by_row(jobs, len(folds))
        for protocol in config.tuning.protocols:
            searched = _searched(protocol, groups, rows, work)
            found.searched.extend(searched)
            risks = work.run(kept_risks, _tuned(rows, searched))
            results = [scored(risk, table, job.fold) for risk, job in zip(risks, jobs, strict=True)]
            found.results[protocol] = by_row(results, len(folds))
    return found


def headline_rows(
    table: StudyTable,
    specs: Sequence[RowSpec],
    folds: Sequence[Fold],
    config: StudyConfig,
    *,
    workers: int,
    cache_dir: Path,
    progress: Progress | None = None,
) -> list[list[FoldResult]]:
    """Each row on each fold by the headline's protocol alone, tuning and all. As `run_protocols`."""
    alone = _headline_alone(config)
    found = run_protocols(table, specs, folds, alone, workers=workers, cache_dir=cache_dir, progress=progress)
    return found.results[config.tuning.headline]


@contextmanager
def headline_jobs(
    table: StudyTable,
    spec: RowSpec,
    specs: Sequence[RowSpec],
    folds: Sequence[Fold],
    config: StudyConfig,
    *,
    workers: int,
    cache_dir: Path,
    progress: Progress | None = None,
) -> Iterator[list[FoldJob]]:
    """The jobs of one row, one a fold, with the settings and epochs that the headline's protocol finds for it.

    specs: all rows of the study, for the search may have been made on another one; trials that were kept are not
    made again. Raises ConfigError where the row is none of them, and as `run_protocols`.
    """
    few = _with_its_owner(spec, specs, share=config.tuning.share)
    groups, tuning = groups_of(few, share=config.tuning.share), _headline_alone(config).tuning
    work = _Work(workers, phases_of(few, len(folds), tuning), progress, None)
    with fold_jobs(table, few, folds, config, cache_dir=cache_dir) as jobs:
        rows = by_row(jobs, len(folds))
        tuned = _tuned(rows, _searched(tuning.headline, groups, rows, work))
        yield by_row(tuned, len(folds))[-1]


def _with_its_owner(spec: RowSpec, specs: Sequence[RowSpec], *, share: bool) -> list[RowSpec]:
    """The row, and before it the one on which its search was made, where that is another."""
    if spec not in specs:
        raise ConfigError(
            f"'{spec.name}' is no row of this study with numbers. Take one of: {', '.join(s.name for s in specs)}."
        )
    position = specs.index(spec)
    owner = next(group.owner for group in groups_of(specs, share=share) if position in group.members)
    return list(dict.fromkeys([specs[owner], spec]))


def _headline_alone(config: StudyConfig) -> StudyConfig:
    """The study with no protocol but the headline's."""
    tuning = config.tuning.model_copy(update={"protocols": (config.tuning.headline,)})
    return config.model_copy(update={"tuning": tuning})


def _searched(
    protocol: ProtocolName, groups: Sequence[SearchGroup], rows: Sequence[Sequence[FoldJob]], work: _Work
) -> list[Searched]:
    """The searches of one protocol; none for 'fixed'. rows: the jobs of each row, one a fold."""
    if protocol == "nested":
        places = [(group, job) for group in groups for job in rows[group.owner]]
        found = work.run(nested_search, [job for _, job in places])
        return [Searched(protocol, g, job.number, made) for (g, job), made in zip(places, found, strict=True)]
    if protocol == "paper":
        made = work.run(search_on_test_folds, [SameFoldsJob(tuple(rows[group.owner])) for group in groups])
        return [Searched(protocol, group, None, trials) for group, trials in zip(groups, made, strict=True)]
    return []


def _tuned(rows: Sequence[Sequence[FoldJob]], searched: Sequence[Searched]) -> list[FoldJob]:
    """All jobs, row by row, with what was found for each. How long to train was found on one row of a group: the
    others look for it anew, by an inner split."""
    jobs = [list(row) for row in rows]
    for one in searched:
        best = best_of(one.trials)
        for member in one.group.members:
            epochs = best.epochs if member == one.group.owner else None
            for number in range(len(jobs[member])) if one.fold is None else [one.fold]:
                jobs[member][number] = jobs[member][number].with_training(best.settings, epochs)
    return [job for row in jobs for job in row]


class _Work:
    """Runs one phase after the other, and counts their fits as one."""

    def __init__(
        self, workers: int, phases: Sequence[Phase], progress: Progress | None, begin: Begin | None
    ) -> None:
        self._workers, self._progress, self._begin = workers, progress, begin
        self._phases, self._before = iter(phases), 0
        self._total = sum(phase.most_fits for phase in phases)

    def run(self, function: Callable[[AnyJob], Result], jobs: Sequence[AnyJob]) -> list[Result]:
        """`function` of every job of the next phase, in the order of the jobs. Those that take longest are begun
        first, so that no worker is left with one of them at the end, and those of one table together."""
        phase = next(self._phases)
        if self._begin is not None:
            self._begin(phase.in_words, phase.most_fits)
        order = sorted(range(len(jobs)), key=lambda i: (-_cost(jobs[i].spec), jobs[i].table))
        made = run_jobs(
            function, [jobs[i] for i in order], workers=self._workers, progress=lambda n, _: self._tell(n, phase)
        )
        self._before += phase.most_fits
        results = dict(zip(order, made, strict=True))
        return [results[position] for position in range(len(jobs))]

    def _tell(self, jobs: float, phase: Phase) -> None:
        if self._progress is not None:
            self._progress(self._before + jobs * phase.fits, self._total)


def _cost(spec: RowSpec) -> int:
    """An order, not a time: towers for each scan, then networks without, then Cox."""
    return 1 + len(spec.modalities) if has_map_head(spec) else int(spec.survival == DEEPSURV)
