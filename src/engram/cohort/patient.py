"""One row of the cohort table as one patient: usable, or with all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engram.cohort.cells import Row, parse_number, parse_when
from engram.cohort.columns import covariate_column
from engram.cohort.records import PatientFiles, PatientRecord, TrueHazard
from engram.config import Covariate, StudyConfig
from engram.config_models import Modality
from engram.errors import ClinicalError, ImagingError, OutcomeError, PatientError
from engram.limits import LONGEST_TIME_MONTHS
from engram.outcome import MONTHS_PER_UNIT

_EVENTS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}


@dataclass(frozen=True)
class Reading:
    """What one row gave. record: None where there are problems. files: the files named there, by column; images:
    the same by their use."""

    row: int
    patient_id: str
    record: PatientRecord | None
    problems: tuple[PatientError, ...]
    files: Mapping[str, Path]
    images: PatientFiles


def read_patient(row: Row, config: StudyConfig, folder: Path) -> Reading:
    """Read one row; relative paths start at `folder`. Never raises: all problems are collected."""
    reader = _RowReader(row, config, folder)
    masks = {name: path for name, roi in config.rois.items() if (path := reader.mask(name, roi.mask))}
    ct, pet, labels = reader.scan("CT"), reader.scan("PET"), reader.labels()
    images = PatientFiles(reader.patient_id, row.number, ct, pet, labels, masks)
    covariates, truth = reader.covariates(), reader.truth()
    group, order = reader.group(), reader.order()
    event, time = reader.event(), reader.time()
    record = None
    if event is not None and time is not None and not reader.problems:
        record = PatientRecord(
            **vars(images), covariates=covariates, event=event, time=time, truth=truth, group=group, order=order
        )
    return Reading(row.number, reader.patient_id, record, tuple(reader.problems), reader.files, images)


@dataclass
class _RowReader:
    """Reads the cells of one row and keeps every problem it meets."""

    row: Row
    config: StudyConfig
    folder: Path
    problems: list[PatientError] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    patient_id: str = field(init=False)

    def __post_init__(self) -> None:
        column = self.config.patient_id
        self.patient_id = f"row-{self.row.number}" if column is None else self.row.cells[column] or ""
        if not self.patient_id:
            self._refuse(ClinicalError, "patient id missing", "Give the patient an id of its own.", column)

    def event(self) -> bool | None:
        """True where the event was observed, False where censored."""
        text = self._outcome_cell(self.config.outcome.event)
        if text is None:
            return None
        if text.lower() not in _EVENTS:
            reason = f"{self.config.outcome.name} event is neither 0 nor 1"
            mend = "Write 1 or true (event), 0 or false (censored); 0.0 and 1.0 are accepted too, nothing else."
            self._refuse(OutcomeError, reason, mend, self.config.outcome.event)
        return _EVENTS.get(text.lower())

    def time(self) -> float | None:
        """Time to event or censoring, in `outcome.unit`."""
        outcome = self.config.outcome
        text = self._outcome_cell(outcome.time)
        if text is None:
            return None
        value, longest = parse_number(text), LONGEST_TIME_MONTHS / MONTHS_PER_UNIT[outcome.unit]
        if value is None:
            reason, mend = "time is not a number", f"Write a number of {outcome.unit} with a decimal point."
        elif value <= 0:
            reason, mend = "time is not positive", "It counts from time zero and must be greater than 0."
        elif value > longest:
            reason, mend = "time is beyond 100 years", f"outcome.unit says {outcome.unit}: check value and unit."
        else:
            return value
        self._refuse(OutcomeError, f"{outcome.name} {reason}", mend, outcome.time)
        return None

    def covariates(self) -> dict[str, float | str | None]:
        """The covariates by the study's name; a single missing one is None, to be imputed inside the folds."""
        declared = self.config.covariates
        cells = {name: self.row.cells[covariate_column(name, c)] for name, c in declared.items()}
        if declared and not any(cells.values()):
            mend = f"Fill in at least one of: {', '.join(declared)}."
            self._refuse(ClinicalError, "clinical annotation missing", mend)
        return {name: self._covariate(name, declared[name], text) for name, text in cells.items()}

    def truth(self) -> TrueHazard | None:
        """The true log-hazard, where the study declares one."""
        declared = self.config.truth
        if declared is None:
            return None
        columns = (declared.clinical, declared.imaging, declared.total)
        values = [self._number("true log-hazard", column) for column in columns]
        known = [value for value in values if value is not None]
        return TrueHazard(*known) if len(known) == len(columns) else None

    def group(self) -> str | None:
        """The site, where the splits keep sites apart."""
        column = self.config.evaluation.group
        return None if column is None else self._split_cell("site", column)

    def order(self) -> float | None:
        """Year or date as a number, where the splits follow time."""
        column = self.config.evaluation.order
        text = None if column is None else self._split_cell("year or date", column)
        value = None if text is None else parse_when(text)
        if text is not None and value is None:
            mend = "Write a number (2019), or a date as 2019-03-31."
            self._refuse(ClinicalError, "year or date of the splits is neither", mend, column)
        return value

    def _split_cell(self, what: str, column: str) -> str | None:
        text = self.row.cells[column]
        if text is None:
            mend = "Fill it in: without it nobody can say in which folds the patient may be."
            self._refuse(ClinicalError, f"{what} of the splits missing", mend, column)
        return text

    def scan(self, modality: Modality) -> Path | None:
        """The file of the CT or the PET, where the study needs it."""
        column = self.config.scan_columns.get(modality)
        return None if column is None else self._file(modality, column)

    def labels(self) -> dict[str, Path]:
        """The file of each label map that the study needs, by its scheme."""
        columns = self.config.label_columns
        return {scheme: path for scheme, column in columns.items() if (path := self._file("label map", column))}

    def mask(self, roi: str, column: str | None) -> Path | None:
        """The file of the ready mask of a region, where it has one."""
        return None if column is None else self._file(f"mask of {roi}", column)

    def _refuse(self, kind: type[PatientError], reason: str, mend: str, column: str | None = None) -> None:
        value = self.row.cells[column] if column else None
        self.problems.append(
            kind(self.patient_id, reason, mend=mend, column=column, value=value, row=self.row.number)
        )

    def _outcome_cell(self, column: str) -> str | None:
        text = self.row.cells[column]
        if text is None:
            mend = "Fill it in if it is known; a missing outcome is never imputed."
            self._refuse(OutcomeError, f"{self.config.outcome.name} missing", mend, column)
        return text

    def _covariate(self, name: str, covariate: Covariate, text: str | None) -> float | str | None:
        column = covariate_column(name, covariate)
        if text is None:
            return None
        if covariate.kind == "continuous":
            return self._number(name, column)
        if covariate.levels is not None and text not in covariate.levels:
            mend = f"Write one of {', '.join(covariate.levels)} (case counts), or leave the cell empty."
            self._refuse(ClinicalError, f"{name} is none of its levels", mend, column)
        return text

    def _number(self, name: str, column: str) -> float | None:
        text = self.row.cells[column]
        value = None if text is None else parse_number(text)
        if value is None:
            mend = "Write a plain number with a decimal point, without a unit."
            self._refuse(ClinicalError, f"{name} is not a number", mend, column)
        return value

    def _file(self, what: str, column: str) -> Path | None:
        text = self.row.cells[column]
        if text is None:
            self._refuse(ImagingError, f"{what} missing", "Write the path of its NIfTI file.", column)
            return None
        path = self.folder / text
        found = _kind_of(path)
        if found == "file":
            self.files[column] = path
            return path
        if found == "folder":
            reason, mend = f"{what} is a folder", "Name the NIfTI file itself; convert a DICOM series first."
        else:
            reason = f"{what} file not found"
            mend = f"Looked for {path}; relative paths start at the folder of the manifest."
        self._refuse(ImagingError, reason, mend, column)
        return None


def _kind_of(path: Path) -> str:
    try:
        return "file" if path.is_file() else "folder" if path.is_dir() else "nothing"
    except (OSError, ValueError):  # too long a name, a folder without permission, a NUL byte
        return "nothing"
