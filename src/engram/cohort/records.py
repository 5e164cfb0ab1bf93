"""Who is in the study: the patients that can be used, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engram.errors import CohortError, PatientError, Problem


@dataclass(frozen=True)
class TrueHazard:
    """The true log-hazard of a synthetic patient, in parts and in all; higher is worse. No model sees it."""

    clinical: float
    imaging: float
    total: float


@dataclass(frozen=True)
class PatientFiles:
    """The image files that a row of the manifest names.

    row: line of the CSV file, the header being line 1.
    ct, pet: files that exist, or None where the study does not need them or the row has none.
    labels: file of each label map that the study needs, by its scheme, in the order of the study file.
    masks: file of each region of interest that has a ready mask, by the region's name.
    """

    patient_id: str
    row: int
    ct: Path | None
    pet: Path | None
    labels: Mapping[str, Path]
    masks: Mapping[str, Path]


@dataclass(frozen=True)
class PatientRecord(PatientFiles):
    """One usable patient of the manifest, with every file that the study needs.

    covariates: by the study's name: a float (continuous), a level (categorical, ordinal), None where missing.
    event: True where the event was observed. time: greater than zero, in the study's `outcome.unit`. group, order:
    site, and year or date as a number, where the splits need them; no model sees them.
    """

    covariates: Mapping[str, float | str | None]
    event: bool
    time: float
    truth: TrueHazard | None = None
    group: str | None = None
    order: float | None = None


@dataclass(frozen=True)
class Cohort:
    """The usable patients in the order of the manifest, and every problem of the others.

    excluded: one or more errors for each unusable patient, by row. pool: rows of the manifest (blank rows apart).
    digest: SHA-256 (hex) of the manifest file. others: the files of the unusable patients that are there.
    """

    records: tuple[PatientRecord, ...]
    excluded: tuple[PatientError, ...]
    pool: int
    digest: str
    others: tuple[PatientFiles, ...] = ()

    @property
    def events(self) -> int:
        """How many usable patients had the event."""
        return sum(record.event for record in self.records)

    def problems(self) -> list[Problem]:
        """Every problem of every excluded patient, by row, for `engram check` to print."""
        return [_problem(error) for error in self.excluded]

    def exclude(self, errors: Sequence[PatientError]) -> Cohort:
        """Leave out the patients of `errors`, as when their voxels turn out to be unusable.

        Errors of patients who are left out already are kept beside those they have. An error without a row gets
        that of the usable patient it names. Raises ValueError where an error is of nobody in the cohort.
        """
        rows = {record.patient_id: record.row for record in self.records}
        placed = [error.placed(row=rows.get(error.patient_id)) for error in errors]
        known = {patient.row for patient in (*self.records, *self.others)}
        unknown = sorted({error.patient_id for error in placed if error.row not in known})
        if unknown:
            raise ValueError(f"not among the patients: {', '.join(unknown)}")
        gone = {error.row for error in placed}
        return replace(
            self,
            records=tuple(record for record in self.records if record.row not in gone),
            excluded=tuple(sorted((*self.excluded, *placed), key=lambda error: error.row or 0)),
            others=(*self.others, *(record for record in self.records if record.row in gone)),
        )


def check_analysable(events: int, n: int, folds: int) -> None:
    """Refuse a cohort on which `folds`-fold cross-validation of a survival model means nothing.

    events: patients with the event among the n. Raises CohortError with every reason at once.
    """
    if n == 0:
        raise CohortError(
            "nobody is left to analyse (n = 0). Mend the exclusions that 'engram check' lists, then run again."
        )
    problems = []
    if events == 0:
        problems.append(f"all {n} patients are censored. Check that outcome.event is 1 where the event happened")
    elif events < folds:
        mend = f"Set evaluation.folds to {events} or fewer" if events >= 2 else "At least 2 events are needed"
        problems.append(f"{events} event(s) for {folds} folds. {mend}")
    if n < 2 * folds:
        mend = "Add patients or set fewer evaluation.folds" if n >= 4 else "At least 4 patients are needed"
        problems.append(f"{n} patient(s) for {folds} folds, fewer than 2 a fold. {mend}")
    if problems:
        raise CohortError("the cohort cannot be analysed: " + "; ".join(problems) + ".")


def _problem(error: PatientError) -> Problem:
    what = f"{error.reason} in {error.file}" if error.file else error.reason
    return Problem(what, error.mend, error.row, error.column, error.value, error.patient_id)
