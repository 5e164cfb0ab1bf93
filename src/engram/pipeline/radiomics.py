"""IBSI features of every patient by MIRP, which the user has: one run a patient, each kept once it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from engram.cohort.manifest import read_manifest
from engram.cohort.records import PatientRecord
from engram.config import StudyConfig
from engram.errors import ConfigError, ImagingError, PatientError
from engram.pipeline.console import Console
from engram.pipeline.folders import RunFolder
from engram.pipeline.radiomics_files import PatientFeatures, save_radiomics
from engram.pipeline.radiomics_patient import patient_features
from engram.radiomics.extraction import Run
from engram.radiomics.tool import find_mirp

_SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True)
class RadiomicsOptions:
    """What the command line asks for. command: the Python that has MIRP. workers: patients at once."""

    command: str | None = None
    workers: int = 1
    time_limit_min: float = 60.0


@dataclass(frozen=True)
class RadiomicsMade:
    """made, kept: patients whose features are new, or were there. failed: a region or a patient without; why."""

    made: tuple[str, ...]
    kept: tuple[str, ...]
    failed: tuple[PatientError, ...]
    table: Path


def radiomics(config: StudyConfig, options: RadiomicsOptions, console: Console) -> RadiomicsMade:
    """Features of each region and scan of every usable patient, and radiomics.csv; one bad region stops no other.

    Raises ConfigError where the study has no images, has a table of its own, or MIRP is not there; ManifestError
    where the manifest is wrong as a whole; StorageError where nothing can be written.
    """
    if config.images is None:
        raise ConfigError("the study has no images: radiomics need an 'images' section.")
    if config.radiomics.table is not None:
        raise ConfigError("radiomics.table names a table of your own: leave it out to have one made.")
    mirp = find_mirp(options.command, config.radiomics)
    console.say(f"MIRP {mirp.version}: {mirp.python}")
    cohort = read_manifest(config)
    run = Run(mirp, config.radiomics, options.time_limit_min * _SECONDS_PER_MINUTE, Event())
    found, broken = _all(cohort.records, config, run, options.workers, console)
    failed = sorted([*broken, *_failures(found)], key=_order(cohort.records))
    for error in (*cohort.excluded, *failed):
        console.say(f"without features: {error}")
    table = save_radiomics(found, config, mirp, RunFolder.of(config).radiomics)
    made, kept = (tuple(one.patient_id for one in found if one.kept is kept) for kept in (False, True))
    return RadiomicsMade(made, kept, (*cohort.excluded, *failed), table)


def _order(records: Sequence[PatientRecord]) -> Callable[[PatientError], int]:
    rows = {record.patient_id: record.row for record in records}
    return lambda error: rows[error.patient_id]


def _failures(found: Sequence[PatientFeatures]) -> list[PatientError]:
    mend = "Look at this region, or leave the patient out; the features of the others are kept."
    return [
        ImagingError(one.patient_id, f"no radiomics of {region}", value=why, mend=mend)
        for one in found
        for region, why in one.failed.items()
    ]


def _all(
    records: Sequence[PatientRecord], config: StudyConfig, run: Run, workers: int, console: Console
) -> tuple[list[PatientFeatures], list[PatientError]]:
    """Every patient, `workers` at once: a run is a process of its own, so threads mostly wait for it."""
    found: dict[str, PatientFeatures] = {}
    broken: list[PatientError] = []
    with console.stage("Radiomics") as progress, ThreadPoolExecutor(workers) as pool:
        try:
            runs: dict[Future[PatientFeatures], str] = {
                pool.submit(patient_features, record, config, run): record.patient_id for record in records
            }
            for done, future in enumerate(as_completed(runs), start=1):
                try:
                    found[runs[future]] = future.result()
                except PatientError as error:
                    broken.append(error)
                progress(done, len(runs))
        except BaseException:
            run.stop.set()  # runs under way are ended, and nobody waits for those not begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [found[record.patient_id] for record in records if record.patient_id in found], broken
