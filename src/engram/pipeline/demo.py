"""The first minute: a synthetic cohort whose truth is known, through the main job."""

from __future__ import annotations

from pathlib import Path

from engram.cohort.phantom import PhantomSettings, write_cohort
from engram.config import load_config
from engram.pipeline.console import Console
from engram.pipeline.run import run


def run_demo(folder: Path, *, patients: int, seed: int, workers: int, console: Console) -> Path:
    """Make the cohort where it is not there yet, run its study, and return the path of the page."""
    settings = PhantomSettings(n_patients=patients, seed=seed)
    console.say(
        f"A synthetic cohort of {patients} patients and six that are faulty on purpose; it takes some minutes"
    )
    with console.stage("Making phantoms") as progress:
        study = write_cohort(folder, settings, workers=workers, progress=progress)
    return run(load_config(study), workers=workers, console=console)
