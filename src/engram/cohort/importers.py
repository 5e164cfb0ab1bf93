"""What a folder of scans is: a DICOM dump, subject folders of MOOSE, nnU-Net names, BIDS names. Never a guess.

Layouts are told by their names alone, as their own tools do: MOOSE (ENHANCE-PET/MOOSE, `file_utilities.py`),
nnU-Net v1 and v2 (`dataset_format.md`), BIDS. A folder of none, or of two at once, is refused with what was found.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

from engram.cohort.imported import Imported, ImportedPatient, LeftFile
from engram.errors import ImagingError

Layout = Literal["dicom", "moose", "nnunet", "bids"]

NIFTI = (".nii", ".nii.gz")
MOOSE_RUN = re.compile(r"moosez-(?:(?P<task>[A-Za-z]\w*)-)?(?P<when>\d{4}(?:-\d{2}){5})")
NNUNET_IMAGE = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})(?P<ending>\.nii(?:\.gz)?)")
BIDS_IMAGE = re.compile(r"(?P<subject>sub-[A-Za-z0-9]+)(?:_\w+-[A-Za-z0-9]+)*_(?P<suffix>ct|pet)\.nii(?:\.gz)?")
NNUNET_FOLDERS = ("imagesTr", "imagesTs")
_MOOSE_SCAN = re.compile(r"(?:(?P<ct>CT)|(?:FDG_)?(?:PT|PET))_.*\.nii(?:\.gz)?", re.IGNORECASE)
_DICOM_SUFFIXES = (".dcm", ".ima", ".dicom")
_LOOKED_AT = 2000  # files that are opened or named to tell a layout; a dump has millions
_SHOWN = 5


def detect_layout(folder: Path) -> Layout:
    """The layout of `folder`. Raises ImagingError where it is not there, of no known layout, or of two at once."""
    require_folder(folder)
    tests: dict[Layout, Callable[[Path], bool]] = {"nnunet": _nnunet, "bids": _bids, "moose": _moose}
    found = [layout for layout, looks_so in tests.items() if looks_so(folder)]
    if not found and any(is_dicom(path) for path in islice(files_below(folder), _LOOKED_AT)):
        return "dicom"
    if len(found) == 1:
        return found[0]
    reason = "folder is of two layouts at once" if found else "folder is of no known layout"
    raise ImagingError(
        "",
        reason,
        file=str(folder),
        value=", ".join(found) if found else _seen(folder),
        mend="Give a DICOM dump, subject folders with CT_*.nii.gz and PT_*.nii.gz (MOOSE), case_0000.nii.gz with "
        "dataset.json (nnU-Net), or sub-*/**/sub-*_ct.nii.gz (BIDS), one of them in one folder.",
    )


def require_folder(folder: Path) -> None:
    """Raises ImagingError where `folder` is not a folder that can be read."""
    visible(folder)


def imported(patients: Sequence[ImportedPatient], left: Sequence[LeftFile]) -> Imported:
    """In order; patients whose ids differ in case only are left, all of them, with the files that they have."""
    count = Counter(patient.patient_id.casefold() for patient in patients)
    twice = [patient for patient in patients if count[patient.patient_id.casefold()] > 1]
    lost = [
        LeftFile(path, f"patient id '{patient.patient_id}' differs from another one in case only: rename one")
        for patient in twice
        for path in (patient.ct, patient.pet, *patient.labels.values(), *patient.masks.values())
        if path is not None
    ]
    kept = sorted((p for p in patients if p not in twice), key=lambda patient: patient.patient_id)
    return Imported(tuple(kept), tuple(sorted([*left, *lost], key=lambda entry: entry.path)))


def scan_modality(name: str) -> Literal["CT", "PET"] | None:
    """What a MOOSE-named NIfTI file is: CT_*, PT_*, PET_* or FDG_PT_*; None where it is none of them."""
    match = _MOOSE_SCAN.fullmatch(name)
    return None if match is None else "CT" if match["ct"] else "PET"


def is_nifti(path: Path) -> bool:
    """Whether the name ends as that of a NIfTI file."""
    return path.name.lower().endswith(NIFTI)


def is_dicom(path: Path) -> bool:
    """Whether a file says so itself ("DICM" at byte 128) or by its suffix."""
    if path.suffix.lower() in _DICOM_SUFFIXES:
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def is_dicom_series(folder: Path) -> bool:
    """Whether the first files of a folder are DICOM files."""
    return any(is_dicom(path) for path in islice(files_below(folder), _SHOWN))


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, by name, without hidden files. Raises ImagingError where it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        value = error.strerror or str(error)
        mend = "Name the folder that holds the scans, and check that you may read it."
        raise ImagingError("", "folder of scans unreadable", file=str(folder), value=value, mend=mend) from error


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in a fixed order; hidden ones and links to folders are not followed."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if not name.startswith("."))


def _nnunet(folder: Path) -> bool:
    if any((folder / name).is_dir() for name in NNUNET_FOLDERS):
        return True
    return any(path.is_file() and NNUNET_IMAGE.fullmatch(path.name) for path in visible(folder))


def _bids(folder: Path) -> bool:
    subjects = (path for path in visible(folder) if path.is_dir() and path.name.startswith("sub-"))
    files = (path for subject in subjects for path in islice(files_below(subject), _LOOKED_AT))
    return any(BIDS_IMAGE.fullmatch(path.name) for path in files)


def _moose(folder: Path) -> bool:
    subjects = [path for path in visible(folder) if path.is_dir()]
    return any(_moose_entry(entry) for subject in subjects for entry in visible(subject))


def _moose_entry(entry: Path) -> bool:
    if entry.is_dir():
        return MOOSE_RUN.fullmatch(entry.name) is not None
    return scan_modality(entry.name) is not None


def _seen(folder: Path) -> str:
    """What a folder holds, for the refusal: never "0 of 0 subjects"."""
    entries, files = visible(folder), list(islice(files_below(folder), _LOOKED_AT))
    if not files:
        return f"no file in {sum(path.is_dir() for path in entries)} folders"
    kinds = Counter("".join(path.suffixes[-2:]).lower() or "no suffix" for path in files).most_common(_SHOWN)
    more = " or more" if len(files) == _LOOKED_AT else ""
    names = ", ".join(path.name for path in entries[:_SHOWN])
    return f"{len(files)}{more} files ({', '.join(f'{n} {kind}' for kind, n in kinds)}); first entries: {names}"
