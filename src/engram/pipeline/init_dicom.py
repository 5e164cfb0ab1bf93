"""A dump of DICOM files to patients with NIfTI files, and the tables that say why."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engram.cohort.imported import Imported
from engram.errors import ConfigError, ImagingError
from engram.imaging.dicom.corrections import Corrections, series_id
from engram.imaging.dicom.dump import Dump, walk
from engram.imaging.dicom.pairing import Pairing, PairingRules, pair_series
from engram.imaging.dicom.scan_facts import write_scan_facts
from engram.imaging.dicom.series import Series
from engram.jobs import run_jobs
from engram.pipeline.console import Console
from engram.pipeline.convert import ConversionJob, Converted, convert
from engram.pipeline.init_tables import column_name, write_rows

_SERIES_COLUMNS = (
    "patient_id", "study", "series", "modality", "number", "description", "images", "folder", "taken_as", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class DicomRules:
    """patient_from: the header's PatientID, or the first folder below the dump; None is the header's, unless one
    id seems to stand for several people. corrections: a CSV, or None."""

    patient_from: Literal["header", "folder"] | None
    pairing: PairingRules
    corrections: Path | None


def import_dicom(
    folder: Path, out: Path, rules: DicomRules, *, workers: int, console: Console
) -> tuple[Imported, tuple[ImagingError, ...]]:
    """Walk the dump, choose each patient's CT, PET and masks, and convert them into `out`/images.

    Writes series.csv (every series, and why it was taken or left) and scans.csv (the plausibility sheet).
    """
    corrections = read_corrections(rules.corrections)
    with console.stage("Reading headers") as progress:
        dump = walk(folder, workers=workers, progress=progress)
    if rules.patient_from is None:
        _check_one_person_an_id(dump, folder)
    patients, nameless = _by_patient(dump, folder, rules.patient_from or "header")
    pairings = [
        pair_series(patient_id, series, rules.pairing, corrections.take(patient_id))
        for patient_id, series in patients.items()
    ]
    write_series(out / "series.csv", pairings)
    images = out / "images"
    jobs = [ConversionJob(pairing, corrections, images / folder_name(pairing.patient_id)) for pairing in pairings]
    with console.stage("Converting scans") as progress:
        made = run_jobs(convert, jobs, workers=workers, progress=progress)
    write_scans(out / "scans.csv", made)
    problems = (*nameless, *(problem for converted in made for problem in converted.problems))
    tell_unused(corrections, pairings, rules.corrections, console)
    tell_flagged(out / "scans.csv", made, console)
    return Imported(tuple(converted.patient for converted in made), dump.left), problems


def folder_name(patient_id: str) -> str:
    """A folder's name of an id: itself where it can be one, else what can stay of it and a digest."""
    name = column_name(patient_id)
    if name == patient_id and name.strip("."):
        return name
    return f"{name}-{hashlib.sha256(patient_id.encode()).hexdigest()[:8]}".lstrip("-.")


def _by_patient(
    dump: Dump, folder: Path, source: Literal["header", "folder"]
) -> tuple[dict[str, list[Series]], tuple[ImagingError, ...]]:
    patients: dict[str, list[Series]] = defaultdict(list)
    problems = []
    for series in dump.series:
        patient_id = series.patient_id if source == "header" else _first_folder(series, folder)
        if patient_id:
            patients[patient_id].append(series)
        else:
            problems.append(
                ImagingError(
                    "",
                    "patient id missing",
                    file=str(series.folder),
                    value="(0010,0020) is empty" if source == "header" else "the file lies in no folder of its own",
                    mend="Give each patient a folder and use --patient-from folder, or fill in PatientID.",
                )
            )
    return dict(sorted(patients.items())), tuple(problems)


def _check_one_person_an_id(dump: Dump, folder: Path) -> None:
    """An anonymiser that gives everybody one id would make one patient of a whole cohort."""
    images = [series for series in dump.series if series.slices]
    folders = {_first_folder(series, folder) for series in images}
    studies: dict[str, set[str]] = defaultdict(set)
    for series in images:
        studies[series.study_uid].add(_first_folder(series, folder))
    if len({series.patient_id for series in images}) > 1 or len(folders) < 2 or len(studies) < 2:
        return
    if all(len(found) == 1 for found in studies.values()):
        raise ConfigError(
            f"{folder}: {len(studies)} studies in {len(folders)} folders bear one patient id. If each folder is "
            "one person, add --patient-from folder; if all are one person, add --patient-from header."
        )


def _first_folder(series: Series, folder: Path) -> str:
    parts = series.files[0].relative_to(folder).parts
    return parts[0] if len(parts) > 1 else ""


def write_series(path: Path, pairings: Sequence[Pairing]) -> None:
    """Every series, and why it was taken or left."""
    rows = [
        {
            "patient_id": pairing.patient_id,
            "study": series_id(judged.series.study_uid),
            "series": series_id(judged.series.uid),
            "modality": judged.series.modality,
            "number": judged.series.number,
            "description": judged.series.description,
            "images": len(judged.series.files),
            "folder": judged.series.folder,
            "taken_as": judged.taken_as,
            "reason": judged.reason,
        }
        for pairing in pairings
        for judged in pairing.judged
    ]
    write_rows(path, _SERIES_COLUMNS, rows)


def write_scans(path: Path, converted: Sequence[Converted]) -> Path:
    """The plausibility sheet: one line for each PET that was converted to SUV."""
    return write_scan_facts(path, {c.patient.patient_id: c.facts for c in converted if c.facts is not None})


def tell_unused(corrections: Corrections, pairings: Sequence[Pairing], path: Path | None, console: Console) -> None:
    """Lines of the corrections table that speak of no series: most likely misspelt."""
    series = [(pairing.patient_id, judged.series.uid) for pairing in pairings for judged in pairing.judged]
    for line in corrections.unused(series):
        console.say(f"{path}, line {line.row}: speaks of no series that is here; check id and series")


def tell_flagged(path: Path, converted: Sequence[Converted], console: Console) -> None:
    """How many PET scans have a fact outside its usual range."""
    flagged = [one.patient.patient_id for one in converted if one.facts is not None and one.facts.flags]
    if flagged:
        how_many = "1 PET scan is" if len(flagged) == 1 else f"{len(flagged)} PET scans are"
        console.say(f"{how_many} worth a look ('{flagged[0]}'): see flags in {path}")


def read_corrections(path: Path | None) -> Corrections:
    """The user's corrections table, or one without lines. Raises ManifestError."""
    return Corrections.read(path) if path is not None else Corrections()
