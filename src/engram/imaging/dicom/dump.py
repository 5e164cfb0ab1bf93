"""A folder of DICOM files, in any order and at any depth, to series; what is left has its reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engram.cohort.imported import LeftFile
from engram.imaging.dicom.gathering import Gathering
from engram.imaging.dicom.headers import IMAGE_CLASSES, FileHeader, read_header
from engram.imaging.dicom.listing import list_files
from engram.imaging.dicom.series import Series
from engram.jobs import Progress, run_jobs, tell_share

_BATCH = 128  # files of one job: a tenth of a second of work, and few enough that all workers end together
MIN_IMAGES = 3  # with two, nobody sees that one between them is missing

_ONE_OF = {
    "patient_id": "several patients (Patient ID (0010,0020))",
    "study_uid": "several studies (Study Instance UID (0020,000D))",
    "modality": "several modalities (Modality (0008,0060))",
    "sop_class_uid": "several kinds of object (SOP Class UID (0008,0016))",
    "frame_of_reference_uid": "several frames of reference (0020,0052)",
    "sop_instance_uid": "different files of one SOP Instance UID (0008,0018)",
}
_STORAGE = "1.2.840.10008.5.1.4.1.1."  # SOP classes: PS3.4 table B.5-1
_CLASSES = {
    f"{_STORAGE}2.1": "enhanced multi-frame CT; export it as one image a file",
    f"{_STORAGE}2.2": "legacy converted multi-frame CT; export it as one image a file",
    f"{_STORAGE}130": "enhanced multi-frame PET; export it as one image a file",
    f"{_STORAGE}128.1": "legacy converted multi-frame PET; export it as one image a file",
    **dict.fromkeys(
        (f"{_STORAGE}7{kind}" for kind in ("", ".1", ".2", ".3", ".4")),
        "secondary capture: a picture, not measured values",
    ),
}
_IMAGE_TYPES = {  # values of Image Type (0008,0008): PS3.3 C.8.2.1.1.1 and what vendors write from value 3 on
    "LOCALIZER": "localizer (scout)",
    "SCREEN SAVE": "screen capture",
    "MPR": "reformatted from another series",
    "REFORMATTED": "reformatted from another series",
    "MIP": "maximum intensity projection",
    "MINIP": "minimum intensity projection",
    "MAX_IP": "maximum intensity projection",
    "MIN_IP": "minimum intensity projection",
    "MAXIMUM INTENSITY PROJECTION": "maximum intensity projection",
    "PROJECTION IMAGE": "projection",
    "VRT": "volume rendering",
    "3D": "volume rendering",
    "FUSION": "fusion picture",
}
_SERIES_TYPES = ("DYNAMIC", "GATED")  # Series Type (0054,1000), value 1: PS3.3 C.8.9.1.1.1


@dataclass(frozen=True)
class Dump:
    """series: by the path of their first file. left: files in no series, and damaged ones of a series, by path."""

    series: tuple[Series, ...]
    left: tuple[LeftFile, ...] = ()


def walk(folder: Path, *, workers: int, progress: Progress | None = None) -> Dump:
    """Read the headers of every file below `folder` and sort them into series.

    workers: processes that read headers; 0 reads them here. progress: called with files done and files in all.
    A copy of a file, byte by byte and within one series, is left. Raises StorageError where there is no folder.
    """
    listing = list_files(folder)
    count = len(listing.files)
    batches = [tuple(listing.files[first : first + _BATCH]) for first in range(0, count, _BATCH)]
    tell = None if progress is None else (lambda done, total: progress(done * count / total, count))
    gathering = Gathering(left=listing.left)
    for batch in run_jobs(_read_batch, batches, workers=workers, progress=tell):
        for header in batch:
            gathering.add(header)
    return Dump(gathering.all_series(), tuple(sorted(gathering.left, key=lambda one: str(one.path))))


def _read_batch(paths: tuple[Path, ...]) -> list[FileHeader | LeftFile]:
    """Facts that many files share are one object here, and stay one on their way to the parent."""
    known: dict[Any, Any] = {}
    read = []
    for done, path in enumerate(paths, start=1):
        header = read_header(path)
        read.append(_with_shared(header, known) if isinstance(header, FileHeader) else header)
        tell_share(done / len(paths))
    return read


def _with_shared(header: FileHeader, known: dict[Any, Any]) -> FileHeader:
    image = header.image
    if image is not None:
        spacing, orientation = image.pixel_spacing_mm, image.orientation
        image = replace(
            image,
            pixel_spacing_mm=known.setdefault(spacing, spacing),
            orientation=known.setdefault(orientation, orientation),
        )
    return replace(header, shared=known.setdefault(header.shared, header.shared), image=image)


def series_problem(series: Series) -> str | None:
    """What is against a volume, in words for series.csv; None where headers say nothing against it.

    Whether the slices lie as a volume's must is what `build_stack` tells.
    """
    return _mixed(series) or _kind(series) or _incomplete(series)


def _mixed(series: Series) -> str | None:
    found = [words for name, words in _ONE_OF.items() if name in series.disagreeing]
    return f"it holds {' and '.join(found)}" if found else None


def _kind(series: Series) -> str | None:
    if series.sop_class_uid in _CLASSES:
        return _CLASSES[series.sop_class_uid]
    if IMAGE_CLASSES.get(series.modality) != series.sop_class_uid:
        return f"not a CT or PET image (SOP Class UID {series.sop_class_uid})"
    for value in series.image_type:
        if value.upper() in _IMAGE_TYPES:
            return f"{_IMAGE_TYPES[value.upper()]} (Image Type {'/'.join(series.image_type)})"
    kind = series.pet.series_type[0] if series.pet is not None and series.pet.series_type else ""
    return f"{kind.lower()} PET: several images of one place" if kind in _SERIES_TYPES else None


def _incomplete(series: Series) -> str | None:
    bad = len(series.files) - len(series.slices)
    if bad:
        return f"{bad} of its {len(series.files)} files are cut short or hold several frames"
    if len(series.slices) < MIN_IMAGES:
        return f"only {len(series.slices)} image(s), too few for a volume"
    return None
