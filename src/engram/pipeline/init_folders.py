"""Subject folders whose scans are DICOM series: MOOSE takes them as they are, Engram converts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engram.cohort.imported import ImportedPatient
from engram.errors import ImagingError
from engram.imaging.dicom.corrections import Corrections
from engram.imaging.dicom.dump import walk
from engram.imaging.dicom.pairing import Pairing, PairingRules, pair_series
from engram.jobs import run_jobs
from engram.pipeline.console import Console
from engram.pipeline.convert import ConversionJob, Converted, convert


@dataclass(frozen=True)
class _Job:
    patient: ImportedPatient
    rules: PairingRules
    corrections: Corrections
    folder: Path


def convert_folders(
    patients: Sequence[ImportedPatient],
    images: Path,
    rules: PairingRules,
    corrections: Corrections,
    *,
    workers: int,
    console: Console,
) -> list[tuple[Converted, Pairing | None]]:
    """Every patient, with NIfTI files below `images` in place of series folders, what could not be converted, and
    the choice among their series where they have any.

    A scan that is a NIfTI already stays where it is. Raises StorageError: disk full.
    """
    jobs = [_Job(patient, rules, corrections, images / patient.patient_id) for patient in patients]
    with console.stage("Converting scans") as progress:
        return run_jobs(_convert, jobs, workers=workers, progress=progress)


def _convert(job: _Job) -> tuple[Converted, Pairing | None]:
    patient = job.patient
    folders = {use: path for use, path in (("ct", patient.ct), ("pet", patient.pet)) if path and path.is_dir()}
    if not folders:
        return Converted(patient, None, ()), None
    series = [one for folder in folders.values() for one in walk(folder, workers=0).series]
    pairing = pair_series(patient.patient_id, series, job.rules, job.corrections.take(patient.patient_id))
    made = convert(ConversionJob(pairing, job.corrections, job.folder))
    found = {"ct": made.patient.ct, "pet": made.patient.pet}
    told = {problem.file or "" for problem in made.problems}
    lost = [
        _lost(pairing, folder)
        for use, folder in folders.items()
        if found[use] is None and not any(Path(file).is_relative_to(folder) for file in told)
    ]
    scans = replace(
        patient,
        ct=found["ct"] if "ct" in folders else patient.ct,
        pet=found["pet"] if "pet" in folders else patient.pet,
        masks={**made.patient.masks, **patient.masks},
    )
    return Converted(scans, made.facts, (*made.problems, *lost)), pairing


def _lost(pairing: Pairing, folder: Path) -> ImagingError:
    left = {judged.reason for judged in pairing.judged if judged.series.folder.is_relative_to(folder)}
    return ImagingError(
        pairing.patient_id,
        "no scan in this folder of DICOM files",
        file=str(folder),
        value="; ".join(sorted(left)) or "no DICOM series",
        mend="Mend the series, or give a NIfTI file in its place.",
    )
