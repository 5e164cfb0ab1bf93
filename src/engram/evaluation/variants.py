"""Other versions of a study, as with permuted outcomes: each is evaluated by what evaluates the study itself."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pandas as pd

from engram.config import StudyConfig
from engram.errors import CohortError
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.preprocess import keys_of
from engram.evaluation.rows import RIDGE_COX, RowSpec
from engram.evaluation.transport import load_table, save_table
from engram.files import scratch_folder
from engram.jobs import Progress, run_jobs
from engram.outcome import SurvivalOutcome
from engram.survival.splits import Fold
from engram.table import StudyTable

Rows = list[list[FoldResult]]  # of each row and fold


class RunRows(Protocol):
    """What evaluates rows on folds, as `protocols.headline_rows`: each row (outer list) on each fold (inner list).
    It is a function of a module, for it travels to worker processes."""

    def __call__(
        self,
        table: StudyTable,
        specs: Sequence[RowSpec],
        folds: Sequence[Fold],
        config: StudyConfig,
        *,
        workers: int,
        cache_dir: Path,
        progress: Progress | None = None,
    ) -> list[list[FoldResult]]: ...


@dataclass(frozen=True)
class Runner:
    """How rows are evaluated, on how many processes, and where results are kept."""

    rows: RunRows
    workers: int
    cache_dir: Path
    progress: Progress | None = None


@dataclass(frozen=True)
class Variant:
    """The patients of a study with other outcomes or covariates (None: their own), in the table's order.

    name: for errors. specs: the rows that are evaluated, on `folds`.
    """

    name: str
    specs: Sequence[RowSpec]
    folds: Sequence[Fold]
    config: StudyConfig
    outcome: SurvivalOutcome | None = None
    covariates: pd.DataFrame | None = None

    def of(self, table: StudyTable) -> StudyTable:
        """The table as it is in this variant."""
        features = table.features
        features = features if self.covariates is None else replace(features, covariates=self.covariates)
        return replace(table, features=features, outcome=table.outcome if self.outcome is None else self.outcome)


@dataclass(frozen=True)
class _Job:
    table: Path
    cache_dir: Path
    rows: RunRows
    variant: Variant
    may_fail: bool


def is_cheap(spec: RowSpec) -> bool:
    """Whether a row trains in milliseconds, so that it can be run hundreds of times."""
    return spec.survival == RIDGE_COX


def run_variants(table: StudyTable, variants: Sequence[Variant], runner: Runner) -> list[Rows]:
    """The results of each variant, row and fold. A variant is one job: the numbers are the same whatever the number
    of workers. Raises as `runner.rows`; a CohortError names the variant."""
    return [found for found in _outcomes(table, variants, runner, may_fail=False) if not isinstance(found, str)]


def run_those_that_can(table: StudyTable, variants: Sequence[Variant], runner: Runner) -> list[Rows]:
    """As `run_variants`, without the variants that end in a CohortError; the first is raised where all do."""
    found = _outcomes(table, variants, runner, may_fail=True)
    known = [rows for rows in found if not isinstance(rows, str)]
    if found and not known:
        raise CohortError(str(found[0]))
    return known


def _outcomes(
    table: StudyTable, variants: Sequence[Variant], runner: Runner, *, may_fail: bool
) -> list[Rows | str]:
    """Of each variant; where it may fail, the reason why it did."""
    specs = dict.fromkeys(spec for variant in variants for spec in variant.specs)
    with scratch_folder(runner.cache_dir / "tmp") as folder:
        path = save_table(_seen(table, list(specs)), folder / "variants.npz")
        jobs = [_Job(path, runner.cache_dir, runner.rows, variant, may_fail) for variant in variants]
        try:
            return run_jobs(_run, jobs, workers=runner.workers, progress=runner.progress)
        finally:
            _open.cache_clear()


def _seen(table: StudyTable, specs: Sequence[RowSpec]) -> StudyTable:
    """The table without the embeddings that no row sees, which are large."""
    keys = {key for spec in specs for key in keys_of(spec)}
    embeddings = {key: array for key, array in table.features.embeddings.items() if key in keys}
    return replace(table, features=replace(table.features, embeddings=embeddings))


@functools.lru_cache(maxsize=1)
def _open(path: Path) -> StudyTable:
    return load_table(path)


def _run(job: _Job) -> Rows | str:
    variant = job.variant
    try:
        return job.rows(
            variant.of(_open(job.table)),
            variant.specs,
            variant.folds,
            variant.config,
            workers=0,
            cache_dir=job.cache_dir,
        )
    except CohortError as error:
        if job.may_fail:
            return f"{variant.name}: {error}"
        raise CohortError(f"{variant.name}: {error}") from error
