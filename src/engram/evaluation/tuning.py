"""Nested tuning: settings for one outer fold, from its training part alone (Cawley and Talbot,
JMLR 11 (2010) 2079).

`search_inside` is given the training patients of a fold, as a copy. It has no test patient to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engram.config import StudyConfig
from engram.config_models import Training
from engram.errors import CohortError, StorageError
from engram.evaluation.fold_fit import InnerSplit, job_seed, validated, visible
from engram.evaluation.fold_jobs import FoldJob, decided_by, opened
from engram.evaluation.folds import grouped_folds
from engram.evaluation.rows import DEEPSURV, RowSpec
from engram.evaluation.search_space import has_map_head, space_of
from engram.evaluation.sobol import search
from engram.evaluation.transport import features_digest, outcome_digest
from engram.evaluation.trials import Judged, Trial
from engram.files import digest, read_json, write_json
from engram.survival.splits import Fold, stratified_splits
from engram.table import StudyTable


def nested_search(job: FoldJob) -> list[Trial]:
    """The search for one row and outer fold, in a worker. Raises CohortError naming both."""
    whole = opened(job.table)
    features = visible(whole.features, job.spec)  # before the copy: maps are large
    seen = StudyTable(features, whole.outcome, job.groups)
    training = seen.subset(job.fold.train_index)
    try:
        return search_inside(training, job.spec, job.config, number=job.number, kept=job.cache_dir, code=job.code)
    except CohortError as error:
        raise CohortError(f"row '{job.spec.name}', fold {job.number + 1}: {error}") from error


def search_inside(
    training: StudyTable, spec: RowSpec, config: StudyConfig, *, number: int, kept: Path, code: str
) -> list[Trial]:
    """The trials of one search inside a training part.

    A trial's score is the mean c-index (Harrell) on the validation patients of the inner folds. number: of the
    outer fold, for seeds. kept: folder of what was judged before, so that a killed search goes on with the same
    trials. Raises CohortError where there are fewer patients than inner folds.
    """
    tuning, seed = config.tuning, config.evaluation.seed
    part = _Part.of(training, spec, config, number=number, kept=kept, code=code)
    return search(
        space_of(spec, config.training),
        config.training,
        part.judge,
        folds=tuning.inner_folds,
        trials=tuning.trials,
        prune=tuning.prune,
        seed=job_seed(seed, f"{spec.name}, search", number),
    )


def inner_folds(training: StudyTable, config: StudyConfig, *, number: int) -> list[Fold]:
    """The splits of a training part that judge trials: the same for every row, and by whole sites where the study's
    folds are. Raises CohortError where there are too few patients or sites."""
    settings, folds = config.evaluation, config.tuning.inner_folds
    sites = None if training.groups is None else len(set(training.groups))
    if len(training) < 2 * folds or (sites is not None and sites < folds):
        raise CohortError(
            f"{len(training)} training patients{'' if sites is None else f' of {sites} site(s)'} cannot make "
            f"tuning.inner_folds {folds}. Set fewer, or tuning.protocols: [fixed]."
        )
    seed = job_seed(settings.seed, "inner folds", number)
    dealt = {"folds": folds, "time_quantiles": settings.time_quantiles, "seed": seed}
    if training.groups is not None:
        return grouped_folds(training.groups, training.outcome, **dealt)
    return stratified_splits(training.outcome, **dealt)


@dataclass(frozen=True)
class _Part:
    """A training part that judges settings on its inner folds. patients: digest of what the row sees of them."""

    training: StudyTable
    spec: RowSpec
    config: StudyConfig
    folds: Sequence[Fold]
    number: int
    kept: Path
    code: str
    patients: tuple[str, str]

    @classmethod
    def of(
        cls, training: StudyTable, spec: RowSpec, config: StudyConfig, *, number: int, kept: Path, code: str
    ) -> _Part:
        seen = replace(training, features=visible(training.features, spec))
        patients = features_digest(seen.features), outcome_digest(seen.outcome)
        folds = inner_folds(training, config, number=number)
        return cls(seen, spec, config, folds, number, kept / "trials", code, patients)

    def judge(self, settings: Training, fold: int) -> Judged:
        """How settings do on one inner fold: as kept, or fitted now."""
        config = self.config.model_copy(update={"training": settings})
        found = _read(self._path(config, fold))
        return self._judged_now(config, fold) if found is None else found

    def _judged_now(self, config: StudyConfig, fold: int) -> Judged:
        """One inner fold. Networks that train side by side are judged on all of them at once, which takes hardly
        longer, and always on all of them: whatever was kept, the numbers are the same."""
        alone = self.spec.survival != DEEPSURV or has_map_head(self.spec)
        numbers = [fold] if alone else range(len(self.folds))
        judged = validated([self._inner(number) for number in numbers], self.spec, config)
        for number, one in zip(numbers, judged, strict=True):
            kept = {"c_index": one.c_index, "epochs": one.epochs, "failed": one.failed}
            write_json(self._path(config, number), kept)
        return dict(zip(numbers, judged, strict=True))[fold]

    def _inner(self, fold: int) -> InnerSplit:
        split = self.folds[fold]
        training, validation = (self.training.subset(index) for index in (split.train_index, split.test_index))
        return InnerSplit(training, validation, self._seed(fold))

    def _seed(self, fold: int) -> int:
        return job_seed(self.config.evaluation.seed, f"{self.spec.name}, inner fold {fold}", self.number)

    def _path(self, config: StudyConfig, fold: int) -> Path:
        address = digest(
            {
                "patients": self.patients,
                "folds": [split.test_index.tolist() for split in self.folds],
                "fold": fold,
                "model": decided_by(self.spec, config, self.code),
                "seed": self._seed(fold),
            }
        )
        return self.kept / f"{address}.json"


def _read(path: Path) -> Judged | None:
    """What was kept; None where there is nothing or it is damaged, which is then judged again."""
    if not path.exists():
        return None
    try:
        stored: dict[str, Any] = read_json(path)
        c_index, epochs, failed = (stored[name] for name in ("c_index", "epochs", "failed"))
    except (StorageError, KeyError, TypeError):
        return None
    whole = isinstance(c_index, float | None) and isinstance(epochs, int | None) and isinstance(failed, str | None)
    return Judged(c_index, epochs, failed) if whole else None
