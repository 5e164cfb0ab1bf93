"""Every row on every fold, as independent jobs whose results are kept, so that a killed run goes on."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import engram
from engram.config import StudyConfig
from engram.config_models import Training
from engram.errors import CohortError, StorageError
from engram.evaluation.fold_fit import FoldRisks, fold_risks, job_seed, visible
from engram.evaluation.maps import head_maps
from engram.evaluation.rows import SELECTION, RowSpec
from engram.evaluation.transport import features_digest, load_table, outcome_digest, save_row_tables
from engram.files import digest, read_json, scratch_folder, write_json
from engram.outcome import SurvivalOutcome
from engram.provenance import library_versions
from engram.survival.splits import Fold
from engram.table import MAP_READOUTS, PatientFeatures, StudyTable

Value = TypeVar("Value")

# What a result depends on, as places in the package; a change of any byte makes kept results void.
_CODE = ("heads", "survival", "outcome.py", "table.py", "arrays.py")
_DECIDES_NO_RISK = {"folds", "seed", "times_months", "horizon_months"}  # the first two by themselves
_DECIDES_NO_RISK |= {"splits", "group", "order", "first_window", "repeats", "repeat_rows"}  # nor do these
# All in this folder that `fold_fit.py` and `tuning.py` use; a test follows their imports.
_CODE_HERE = (
    "covariates.py",
    "fingerprint.py",
    "fold_fit.py",
    "fold_jobs.py",
    "folds.py",
    "maps.py",
    "models.py",
    "preprocess.py",
    "record.py",
    "rows.py",
    "search_space.py",
    "selection.py",
    "sobol.py",
    "transport.py",
    "trials.py",
    "tuning.py",
    "tuning_records.py",
    "vectors.py",
)


@dataclass(frozen=True)
class FoldJob:
    """One row on one fold, for a worker. table: file of the whole study table, which only `opened` reads.
    number: of the fold, from 0. groups: the site of each patient of the table, to which inner folds keep.
    epochs: as of `fold_fit.fit_model`."""

    table: Path
    cache_dir: Path
    code: str
    spec: RowSpec
    config: StudyConfig
    number: int
    fold: Fold
    groups: tuple[str, ...] | None = None
    epochs: int | None = None

    def with_training(self, settings: Training, epochs: int | None = None) -> FoldJob:
        """The same with other settings of `training`."""
        return replace(self, config=self.config.model_copy(update={"training": settings}), epochs=epochs)


@contextmanager
def fold_jobs(
    table: StudyTable, specs: Sequence[RowSpec], folds: Sequence[Fold], config: StudyConfig, *, cache_dir: Path
) -> Iterator[list[FoldJob]]:
    """A job for each row and fold, those of a row together; their table lies in `cache_dir` until its end."""
    with scratch_folder(cache_dir / "tmp") as folder:  # ids and outcomes never leave the run folder
        paths = save_row_tables(table, averaged(table, config), specs, folder)
        code = code_digest()
        try:
            yield [
                FoldJob(paths[spec], cache_dir, code, spec, config, number, fold, table.groups)
                for spec in specs
                for number, fold in enumerate(folds)
            ]
        finally:
            opened.cache_clear()


def by_row(values: Sequence[Value], folds: int) -> list[list[Value]]:
    """Jobs, or what became of them, as one list a row."""
    return [list(values[start : start + folds]) for start in range(0, len(values), folds)]


def averaged(table: StudyTable, config: StudyConfig) -> StudyTable:
    """The table with each memory (n, entries, channels, h, w) as the map (n, 1, 1, h, w) that the heads see;
    vectors stay as they are.

    It is what travels to the workers for most rows: a hundredth of the size, and the same results bit for bit.
    """
    paper_maps = config.embedding.map_size == "paper"
    embeddings = {
        key: head_maps(memory, paper_maps=paper_maps)[:, None] if key.readout in MAP_READOUTS else memory
        for key, memory in table.features.embeddings.items()
    }
    return replace(table, features=replace(table.features, embeddings=embeddings))


@functools.cache
def code_digest() -> str:
    """SHA-256 (hex) of the code and of the library versions that make a result."""
    package = Path(engram.__file__).parent
    sources = {str(f.relative_to(package)): hashlib.sha256(f.read_bytes()).hexdigest() for f in code_files()}
    return digest({"sources": sources, "libraries": library_versions()})


def code_files() -> list[Path]:
    """The modules of Engram that decide a risk or which trials are made."""
    package = Path(engram.__file__).parent
    places = [package / name for name in _CODE] + [package / "evaluation" / name for name in _CODE_HERE]
    files = [file for place in places for file in (sorted(place.glob("*.py")) if place.is_dir() else [place])]
    return files + sorted(package.glob("config*.py"))


@functools.lru_cache(maxsize=1)
def opened(path: Path) -> StudyTable:
    """The study table of jobs, read once in each worker."""
    return load_table(path)


@dataclass(frozen=True)
class JobParts:
    """What one job is given. training, test: what the row sees of both. kept: the file of its result."""

    training: StudyTable
    test: PatientFeatures
    seed: int
    kept: Path


def parts_of(job: FoldJob) -> JobParts:
    """The patients of one job, its seed, and the address of its result."""
    whole = opened(job.table)
    table = replace(whole, features=visible(whole.features, job.spec))  # before the copies: maps are large
    training, test = table.subset(job.fold.train_index), table.features.subset(job.fold.test_index)
    seed = job_seed(job.config.evaluation.seed, job.spec.name, job.number)
    return JobParts(training, test, seed, job.cache_dir / f"{_address(job, training, test, seed)}.json")


def risks_found(parts: JobParts) -> FoldRisks | None:
    """The kept risks of one job; None where there are none."""
    return _read(parts.kept, n_test=len(parts.test), n_train=len(parts.training))


def kept_risks(job: FoldJob) -> FoldRisks:
    """The risks of one job: those kept, or made now. The model sees the training patients alone."""
    parts = parts_of(job)
    found = risks_found(parts)
    if found is not None:
        return found
    try:
        risks = fold_risks(parts.training, parts.test, job.spec, job.config, seed=parts.seed, epochs=job.epochs)
    except CohortError as error:
        raise CohortError(f"row '{job.spec.name}', fold {job.number + 1}: {error}") from error
    write_json(parts.kept, _as_json(risks))
    return risks


def _address(job: FoldJob, training: StudyTable, test: PatientFeatures, seed: int) -> str:
    return digest(
        {
            "training": features_digest(visible(training.features, job.spec)),
            "outcome": outcome_digest(training.outcome),
            "test": features_digest(visible(test, job.spec)),
            "model": decided_by(job.spec, job.config, job.code),
            "epochs": job.epochs,
            "seed": seed,
        }
    )


def decided_by(spec: RowSpec, config: StudyConfig, code: str) -> dict[str, Any]:
    """All but patients and seed that a fit of a row depends on."""
    covariates = {n: c.model_dump(mode="json") for n, c in config.covariates.items()} if spec.sees_clinical else {}
    return {
        "spec": asdict(spec),
        "covariates": covariates,
        "settings": config.training.model_dump(mode="json"),
        "evaluation": config.evaluation.model_dump(mode="json", exclude=_DECIDES_NO_RISK),
        "map_size": config.embedding.map_size,
        "chosen": config.radiomics.features if spec.head == SELECTION else None,
        "code": code,
    }


def _as_json(risks: FoldRisks) -> dict[str, Any]:
    return {
        "test_risk": risks.test_risk.tolist(),
        "train_risk": risks.train_risk.tolist(),
        "notes": list(risks.notes),
        "gate": None if risks.gate is None else risks.gate.tolist(),
        "fingerprint": risks.fingerprint,
    }


def _read(path: Path, *, n_test: int, n_train: int) -> FoldRisks | None:
    """A kept result; None where there is none or it is damaged, which is then made again."""
    if not path.exists():
        return None
    try:
        stored = read_json(path)
        test, train = (np.asarray(stored[name], dtype=np.float64) for name in ("test_risk", "train_risk"))
        notes, made = tuple(str(note) for note in stored["notes"]), str(stored["fingerprint"])
        gate = None if stored["gate"] is None else np.asarray(stored["gate"], dtype=np.float64)
    except (StorageError, KeyError, TypeError, ValueError):
        return None
    whole = test.shape == (n_test,) and train.shape == (n_train,)
    whole = whole and (gate is None or gate.shape == (n_test,))
    numbers = np.r_[test, train, [] if gate is None else gate]
    return FoldRisks(test, train, notes, gate, made) if whole and np.isfinite(numbers).all() else None


def fold_outcomes(table: StudyTable, folds: Sequence[Fold]) -> list[SurvivalOutcome]:
    """The outcomes of the test patients of each fold."""
    return [table.outcome.subset(fold.test_index) for fold in folds]
