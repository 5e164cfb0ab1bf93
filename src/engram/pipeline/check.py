"""The first stage: who can be analysed, and why the others cannot."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engram.cohort.manifest import read_manifest
from engram.cohort.records import Cohort, PatientFiles, check_analysable
from engram.config import StudyConfig
from engram.config_embedding import UNTRAINED_MINI
from engram.errors import PatientError, StorageError
from engram.evaluation.folds import study_folds
from engram.files import write_text
from engram.jobs import run_jobs
from engram.pipeline.console import Console
from engram.pipeline.copies import copied_scans
from engram.pipeline.encoder_weights import CheckedEncoders, check_encoders, needs_memory_model
from engram.pipeline.folders import RunFolder
from engram.pipeline.image_quality import image_quality, limit_errors, write_image_quality
from engram.pipeline.images_report import write_images_page
from engram.pipeline.inspection import Inspection, image_files, inspect
from engram.pipeline.radiomics_table import why_absent
from engram.pipeline.regional_pet import save_regional_pet
from engram.pipeline.split_table import split_table
from engram.table import RADIOMICS

if TYPE_CHECKING:
    from engram.memory.weights import CheckedWeights


@dataclass(frozen=True)
class CheckedCohort:
    """The cohort after its images have been read.

    digests: of the files of each usable patient, by id. weights: as they were when they were checked; None where
    nothing of them can be wrong. encoders: the same of image encoders without a memory.
    """

    cohort: Cohort
    digests: dict[str, dict[str, str]]
    weights: CheckedWeights | None = None
    encoders: CheckedEncoders = field(default_factory=CheckedEncoders)


@dataclass(frozen=True)
class _Job:
    patient: PatientFiles
    config: StudyConfig
    cache: Path


def check(config: StudyConfig, *, workers: int, console: Console) -> CheckedCohort:
    """Validate the manifest and read every image of every patient; one bad patient stops no other.

    Tells every problem and writes exclusions.csv. Raises ManifestError where the table is wrong as a whole,
    CohortError where too little is left or the folds cannot be made of it, WeightsError where the model's weights
    are not there.
    """
    weights, encoders = _check_weights(config), check_encoders(config)
    for line in absent_rows(config, encoders):
        console.say(line)
    _make_folder(RunFolder.of(config).root)
    if config.images is not None:
        _check_store(config.store_dir)
    cohort = read_manifest(config)
    digests: dict[str, dict[str, str]] = {}
    if config.images is not None:
        cohort, digests = _read_images(cohort, config, workers, console)
    write_exclusions(cohort, RunFolder.of(config).exclusions)
    _tell(cohort, console)
    check_analysable(cohort.events, len(cohort.records), config.evaluation.folds)
    study_folds(split_table(cohort.records, config), config.evaluation)
    return CheckedCohort(cohort, digests, weights, encoders)


def absent_rows(config: StudyConfig, encoders: CheckedEncoders) -> list[str]:
    """Which rows will have no numbers as things are, and what is missing for them."""
    no_features = why_absent(config)
    absent = {**encoders.absent, **({RADIOMICS: no_features} if no_features else {})}
    return [f"rows of {name} will have no numbers: {why}" for name, why in absent.items()]


def _check_weights(config: StudyConfig) -> CheckedWeights | None:
    """Before hours of reading: the device and the weights that will be asked for are there, and can be used."""
    wanted = config.embedding
    if not needs_memory_model(config) or (wanted.weights == UNTRAINED_MINI and wanted.device == "cpu"):
        return None
    # They bring PyTorch, which this stage does not need otherwise.
    from engram.memory.weights import check_device, check_weights
    from engram.pipeline.requests import weights_of

    check_device(wanted.device)
    return check_weights(weights_of(config), wanted.resolution)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be made a folder ({error.strerror}). Set 'output' to another place."
        ) from error


def _check_store(folder: Path) -> None:
    """Before hours of work: nothing but a folder is in the way of the store, which is made when it is needed."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise StorageError(f"{folder}: cannot be made a folder ({there} is a file). Set 'store' to another place.")


def _tell(cohort: Cohort, console: Console) -> None:
    """Every problem, one a line, then the count."""
    for error in cohort.excluded:
        console.say(f"left out: {error}")
    found = f"{len(cohort.records)} of {cohort.pool} patients can be analysed ({cohort.events} events)"
    console.say(f"{found}; {cohort.pool - len(cohort.records)} left out")


def _read_images(
    cohort: Cohort, config: StudyConfig, workers: int, console: Console
) -> tuple[Cohort, dict[str, dict[str, str]]]:
    """Everybody's images, so that those whom the table leaves out are told everything at once, too."""
    patients = [patient for patient in (*cohort.records, *cohort.others) if image_files(patient)]
    jobs = [_Job(patient, config, RunFolder.of(config).checks) for patient in patients]
    with console.stage("Reading images") as progress:
        found = run_jobs(_inspect, jobs, workers=workers, progress=progress)
    problems = [problem for inspection in found for problem in inspection.problems]
    for patient, inspection in zip(patients, found, strict=True):
        problems += limit_errors(patient, inspection, config)
    digests = {patient.row: inspection.digests for patient, inspection in zip(patients, found, strict=True)}
    left = cohort.exclude([*problems, *copied_scans(patients, found, config)])
    _save_measures(patients, found, config, left, console)
    return left, {record.patient_id: digests[record.row] for record in left.records}


def _save_measures(
    patients: Sequence[PatientFiles],
    found: Sequence[Inspection],
    config: StudyConfig,
    left: Cohort,
    console: Console,
) -> None:
    """Of everybody whose images could be measured, whoever is left out for another reason."""
    seen = sorted(zip(patients, found, strict=True), key=lambda one: one[0].row)
    qualities = image_quality(seen)
    write_image_quality(qualities, RunFolder.of(config).image_quality)
    measured = [(patient, inspection.measures) for patient, inspection in seen if inspection.measures is not None]
    save_regional_pet(measured, config, left.digest)
    sheets = {patient.row: inspection.sheet for patient, inspection in seen if inspection.sheet is not None}
    left_out = {error.row: error.reason for error in reversed(left.excluded) if error.row is not None}
    write_images_page(config, qualities, sheets, left_out)
    if odd := sum(bool(quality.flags) for quality in qualities):
        console.say(f"{odd} of {len(qualities)} patients measured are worth a look: 'flags' of image_quality.csv")


def _inspect(job: _Job) -> Inspection:
    return inspect(job.patient, job.config, job.cache)


def error_fields(error: PatientError) -> dict[str, Any]:
    """What is worth keeping of a patient's error, without the patient."""
    return {name: getattr(error, name) for name in ("reason", "file", "column", "value", "mend")}


def write_exclusions(cohort: Cohort, path: Path) -> Path:
    """CSV with one line for each problem of a patient left out, by row."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["row", "patient_id", "stage", "reason", "file", "column", "value", "mend"])
    for e in cohort.excluded:
        writer.writerow([e.row, e.patient_id, e.stage, e.reason, e.file, e.column, e.value, e.mend])
    return write_text(path, stream.getvalue())
