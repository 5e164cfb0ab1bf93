"""A tiny synthetic cohort, coarse enough to be embedded in seconds, and one finished run of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from e2e_support import Engram, Finished, change, command

from engram.cohort.phantom import PhantomSettings, write_cohort

SETTINGS = PhantomSettings(
    n_patients=9, seed=3, ct_spacing_mm=(20.0, 8.0, 8.0), pet_spacing_mm=(20.0, 10.0, 10.0), faults=True
)
QUICK = {
    "rois": {"spine": {"region": "spine_dilated"}},
    "models": {"origins": ["PET"]},
    "training": {"max_epochs": 5, "patience": 2, "inner_folds": 1, "ensemble": 1},
    "evaluation": {"folds": 3, "seed": 0},
}


@pytest.fixture(scope="session")
def made_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = write_cohort(tmp_path_factory.mktemp("made"), SETTINGS)
    change(study, **QUICK)
    return study.parent


@pytest.fixture
def cohort(made_cohort: Path, tmp_path: Path) -> Path:
    """The study file of a copy of the cohort, with nothing run yet."""
    return Path(shutil.copytree(made_cohort, tmp_path / "cohort")) / "study.yaml"


@pytest.fixture(scope="session")
def engram() -> Engram:
    """Run the command line as a user does: another process, its exit status and what it printed."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120)

    return call


@pytest.fixture(scope="session")
def finished(made_cohort: Path, tmp_path_factory: pytest.TempPathFactory, engram: Engram) -> Finished:
    """The cohort after each stage was run by its own command."""
    study = Path(shutil.copytree(made_cohort, tmp_path_factory.mktemp("finished") / "cohort")) / "study.yaml"
    stages = {name: engram(name, study) for name in ("check", "embed", "evaluate", "report")}
    return Finished(study, study.parent / "results", stages)


@pytest.fixture
def copy_of_finished(finished: Finished, tmp_path: Path) -> Finished:
    """A copy that a test may change."""
    study = Path(shutil.copytree(finished.study.parent, tmp_path / "cohort")) / "study.yaml"
    return Finished(study, study.parent / "results", finished.stages)
