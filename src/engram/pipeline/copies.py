"""Scans that are in the table twice: the same patient could otherwise be in training and in test at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from engram.cohort.records import PatientFiles
from engram.config import StudyConfig
from engram.errors import ImagingError
from engram.pipeline.inspection import Inspection, column_of, image_files

_Owner = tuple[PatientFiles, str]  # a patient, and the use of the scan: ct or pet


def copied_scans(
    patients: Sequence[PatientFiles], found: Sequence[Inspection], config: StudyConfig
) -> Iterator[ImagingError]:
    """One error for each patient who has a scan, voxel by voxel, of another row, or one scan as CT and as PET."""
    owners: dict[str, list[_Owner]] = defaultdict(list)
    for patient, inspection in zip(patients, found, strict=True):
        for use, scan in inspection.scans.items():
            owners[scan].append((patient, use))
    for patient, inspection in zip(patients, found, strict=True):
        twins = {use: _twins((patient, use), owners[scan]) for use, scan in inspection.scans.items()}
        copied = [use for use, others in twins.items() if others]
        if copied:
            yield ImagingError(
                patient.patient_id,
                "scan identical to another",
                value="; ".join(_in_words(use, twins[use], patient.row) for use in copied),
                mend="Give each patient, and CT and PET, the scan of their own; keep one row a patient.",
                row=patient.row,
                column=column_of(copied[0], config),
            )


def _twins(one: _Owner, owners: Sequence[_Owner]) -> set[int]:
    """Rows of other files with the same voxels; two rows that name one file are told of by the manifest."""
    patient, use = one
    path = image_files(patient)[use].resolve()
    return {
        other.row
        for other, other_use in owners
        if (other.row == patient.row and other_use != use)
        or (other.row != patient.row and image_files(other)[other_use].resolve() != path)
    }


def _in_words(use: str, rows: set[int], own: int) -> str:
    others = sorted(rows - {own})
    where = f"row{'s' * (len(others) > 1)} {', '.join(map(str, others))}" if others else ""
    itself = f"the {'PET' if use == 'ct' else 'CT'} of the same patient" if own in rows else ""
    return f"{use.upper()} has the voxels of {' and '.join(filter(None, (itself, where)))}"
