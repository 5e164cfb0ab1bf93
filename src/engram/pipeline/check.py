"""The first stage: who can be analysed, and why the others cannot."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.cohort.manifest import read_manifest
from engram.cohort.records import Cohort, PatientRecord, check_analysable
from engram.config import StudyConfig
from engram.errors import ImagingError, PatientError, StorageError, WeightsError
from engram.files import read_json, write_json, write_text
from engram.jobs import run_jobs
from engram.pipeline.console import Console
from engram.pipeline.folders import RunFolder
from engram.pipeline.patients import check_key, open_patient, patient_digests


@dataclass(frozen=True)
class CheckedCohort:
    """The cohort after its images have been read. `digests`: of each patient's files, by patient id."""

    cohort: Cohort
    digests: dict[str, dict[str, str]]


@dataclass(frozen=True)
class _Job:
    record: PatientRecord
    config: StudyConfig
    cache: Path


@dataclass(frozen=True)
class _Found:
    digests: dict[str, str]
    error: ImagingError | None


def check(config: StudyConfig, *, workers: int, console: Console) -> CheckedCohort:
    """Validate the manifest and read every image of every patient; one bad patient stops no other.

    Tells every problem and writes exclusions.csv. Raises ManifestError where the table is wrong as a whole,
    CohortError where too little is left, WeightsError where the model's weights are not there.
    """
    _check_weights(config)
    _check_output(RunFolder.of(config).root)
    cohort = read_manifest(config)
    digests: dict[str, dict[str, str]] = {}
    if config.images is not None:
        cohort, digests = _read_images(cohort, config, workers, console)
    write_exclusions(cohort, RunFolder.of(config).exclusions)
    _tell(cohort, console)
    check_analysable(cohort.events, len(cohort.records), config.evaluation.folds)
    return CheckedCohort(cohort, digests)


def _check_weights(config: StudyConfig) -> None:
    """Before hours of reading: the weights that will be asked for are there."""
    path = config.weights_path if config.images is not None else None
    if path is not None and not path.exists():
        raise WeightsError(
            f"{path}: no such file or folder. Set embedding.weights to an official SAM 2 / MedSAM2 .pt file, "
            "a Hugging Face folder, or 'untrained-mini'."
        )


def _check_output(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be made a folder ({error.strerror}). Set 'output' to another place."
        ) from error


def _tell(cohort: Cohort, console: Console) -> None:
    """Every problem, one a line, then the count."""
    for error in sorted(cohort.excluded, key=lambda error: error.row or 0):
        console.say(f"left out: {error}")
    found = f"{len(cohort.records)} of {cohort.pool} patients can be analysed ({cohort.events} events)"
    console.say(f"{found}; {cohort.pool - len(cohort.records)} left out")


def _read_images(
    cohort: Cohort, config: StudyConfig, workers: int, console: Console
) -> tuple[Cohort, dict[str, dict[str, str]]]:
    jobs = [_Job(record, config, RunFolder.of(config).checks) for record in cohort.records]
    with console.stage("Reading images") as progress:
        found = run_jobs(_check_patient, jobs, workers=workers, progress=progress)
    digests = {job.record.patient_id: f.digests for job, f in zip(jobs, found, strict=True)}
    errors = [f.error for f in found if f.error is not None]
    return cohort.exclude([*errors, *_copied_scans(cohort.records, digests)]), digests


def _copied_scans(records: Sequence[PatientRecord], digests: dict[str, dict[str, str]]) -> Iterator[ImagingError]:
    """The same scan under two names would let a patient be in training and in test at once."""
    owners: dict[str, list[PatientRecord]] = defaultdict(list)
    for record in records:
        for scan in ("ct", "pet"):
            if scan in digests[record.patient_id]:
                owners[digests[record.patient_id][scan]].append(record)
    for sharing in owners.values():
        rows = ", ".join(str(record.row) for record in sharing)
        for record in sharing if len(sharing) > 1 else ():
            yield ImagingError(
                record.patient_id,
                "scan identical to another",
                value=f"the same bytes in rows {rows}",
                mend="Give each patient, and CT and PET, the scan of their own; keep one row a patient.",
            )


def _check_patient(job: _Job) -> _Found:
    try:
        digests = patient_digests(job.record)
    except ImagingError as error:
        return _Found({}, error)
    cached = job.cache / f"{check_key(job.config, digests)}.json"
    if cached.is_file():
        return _Found(digests, _error_of(read_json(cached), job.record))
    try:
        open_patient(job.record, job.config)
    except ImagingError as error:
        write_json(cached, {"error": error_fields(error)})
        return _Found(digests, error)
    write_json(cached, {"error": None})
    return _Found(digests, None)


def _error_of(saved: dict[str, Any], record: PatientRecord) -> ImagingError | None:
    fields = saved["error"]
    if fields is None:
        return None
    # The same files may now belong to another row of the manifest.
    return ImagingError(
        record.patient_id, fields["reason"], mend=fields["mend"], file=fields["file"],
        column=fields["column"], value=fields["value"], row=record.row,
    )  # fmt: skip


def error_fields(error: PatientError) -> dict[str, Any]:
    """What is worth keeping of a patient's error, without the patient."""
    return {name: getattr(error, name) for name in ("reason", "file", "column", "value", "mend")}


def write_exclusions(cohort: Cohort, path: Path) -> Path:
    """CSV with one line for each problem that left a patient out."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["row", "patient_id", "stage", "reason", "file", "column", "value", "mend"])
    for e in cohort.excluded:
        writer.writerow([e.row, e.patient_id, e.stage, e.reason, e.file, e.column, e.value, e.mend])
    return write_text(path, stream.getvalue())
