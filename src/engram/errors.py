"""Everything Engram can refuse, in one tree.

    EngramError
    ├── ConfigError          the study file is wrong
    ├── ManifestError        the cohort table is wrong as a whole (carries every problem found)
    ├── PatientError         one patient cannot be used; the others go on
    │   ├── OutcomeError     ... because of time or event
    │   ├── ClinicalError    ... because of covariates
    │   └── ImagingError     ... because of an image or a mask
    ├── CohortError          the patients that remain cannot be analysed (no events, too few, ...)
    ├── WeightsError         a checkpoint that is damaged or of another architecture
    │   └── AbsentWeightsError   ... that is not on this machine
    ├── StorageError         a file that could not be written or read back
    └── WorkerError          a worker process was ended from outside

Every message says what was wrong, the value, and the mend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self


class EngramError(Exception):
    """Base of every error that Engram raises on purpose."""


class ConfigError(EngramError):
    """The study file is wrong: an unknown field, a value out of range, a file that is not there."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the cohort table, and how to mend it."""

    what: str
    mend: str
    row: int | None = None  # line of the CSV file, the header being line 1
    column: str | None = None
    value: str | None = None
    patient_id: str | None = None

    def __str__(self) -> str:
        where = [f"row {self.row}" if self.row is not None else "", self.patient_id or ""]
        where += [f"column '{self.column}'" if self.column else ""]
        value = f" (value: {self.value!r})" if self.value is not None else ""
        prefix = ", ".join(part for part in where if part)
        return f"{prefix + ': ' if prefix else ''}{self.what}{value}. {self.mend}"


class ManifestError(EngramError):
    """The cohort table is wrong as a whole. `problems` holds all that were found, not only the first."""

    def __init__(self, path: str, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"{path}: {len(self.problems)} problem(s)\n{lines}")


class PatientError(EngramError):
    """One patient cannot be used. `reason` is the short text that the exclusion flow counts by."""

    stage: ClassVar[str] = "imaging"

    def __init__(
        self,
        patient_id: str,
        reason: str,
        *,
        mend: str,
        file: str | None = None,
        column: str | None = None,
        value: str | None = None,
        row: int | None = None,
    ) -> None:
        self.patient_id, self.reason, self.mend = patient_id, reason, mend
        self.file, self.column, self.value, self.row = file, column, value, row
        where = [f"row {row}" if row is not None else "", f"column '{column}'" if column else "", file or ""]
        place = ", ".join(part for part in where if part)
        shown = f" (value: {value})" if value is not None else ""
        # A row without an id is a patient all the same; an error without either is of a folder or a table.
        who = f"patient {patient_id or '(blank id)'}: " if patient_id or row is not None else ""
        super().__init__(f"{who}{reason}{shown}{' in ' + place if place else ''}. {mend}")

    def placed(self, *, row: int | None = None, column: str | None = None, file: str | None = None) -> Self:
        """The same error, with what it does not yet say of its place filled in."""
        return type(self)(
            self.patient_id,
            self.reason,
            mend=self.mend,
            file=self.file or file,
            column=self.column or column,
            value=self.value,
            row=row if self.row is None else self.row,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep keyword arguments when the error travels back from a worker process."""
        keywords = {
            "mend": self.mend,
            "file": self.file,
            "column": self.column,
            "value": self.value,
            "row": self.row,
        }
        return _rebuild_patient_error, (type(self), self.patient_id, self.reason, keywords)


def _rebuild_patient_error(
    kind: type[PatientError], patient_id: str, reason: str, kw: dict[str, Any]
) -> PatientError:
    return kind(patient_id, reason, **kw)


class OutcomeError(PatientError):
    """Time or event is missing or impossible (paper section 2.1: PFS is never imputed)."""

    stage = "outcome"


class ClinicalError(PatientError):
    """The clinical annotation of a patient is missing or impossible."""

    stage = "clinical"


class ImagingError(PatientError):
    """An image or a mask of a patient is missing, unreadable or makes no sense."""

    stage = "imaging"


class CohortError(EngramError):
    """The patients that remain cannot be analysed: all censored, fewer events than folds, nobody left."""


class WeightsError(EngramError):
    """A checkpoint is missing, damaged or of another architecture."""


class AbsentWeightsError(WeightsError):
    """Weights are not on this machine: a baseline that needs them becomes a row without numbers."""


class StorageError(EngramError):
    """A file could not be written or read back: disk full, damaged, without permission."""


class WorkerError(EngramError):
    """A worker process was ended from outside, most likely by the system for want of memory."""
