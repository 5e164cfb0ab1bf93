"""Every file below a folder in one order on every machine, and what is left before it is opened."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from engram.cohort.imported import LeftFile
from engram.errors import StorageError

_BY_SUFFIX = {
    (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"): "an image that is not DICOM; name it in a manifest",
    (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz"): "an archive; unpack it first",
}


@dataclass
class Listing:
    """files: to be opened, by path. left: the others, with the reason."""

    files: list[Path] = field(default_factory=list)
    left: list[LeftFile] = field(default_factory=list)


def list_files(folder: Path) -> Listing:
    """All files at any depth. Links to folders are followed, and a folder is read once however it is reached.

    Raises StorageError where the folder is not there or cannot be listed.
    """
    try:
        entered = {_identity(folder.stat())}
        entries = _entries(folder)
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror or error}. Name the folder that holds the scans.") from error
    listing, waiting = Listing(), entries[::-1]
    while waiting:
        entry = waiting.pop()
        try:
            waiting += _sort_in(entry, listing, entered)[::-1]
        except OSError as error:
            listing.left.append(LeftFile(Path(entry.path), f"cannot be read ({error.strerror or error})"))
    return listing


def _sort_in(entry: os.DirEntry[str], listing: Listing, entered: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """Put one entry where it belongs; returns what is inside of it, if it is a folder to enter."""
    path = Path(entry.path)
    if (reason := _left_by_name(entry.name)) is not None:
        listing.left.append(LeftFile(path, reason))
    elif not entry.is_dir():
        regular = entry.is_file()
        listing.files.append(path) if regular else listing.left.append(LeftFile(path, _no_file(entry)))
    elif (here := _identity(entry.stat())) in entered:
        listing.left.append(LeftFile(path, "a link to a folder that is read already"))
    else:
        entered.add(here)
        return _entries(path)
    return []


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _left_by_name(name: str) -> str | None:
    if name.startswith(".") or name == "__MACOSX":
        return "hidden, or made by the operating system"
    if name.upper() == "DICOMDIR":
        return "an index of other files, which are read themselves"
    lower = name.lower()
    return next((reason for suffixes, reason in _BY_SUFFIX.items() if lower.endswith(suffixes)), None)


def _no_file(entry: os.DirEntry[str]) -> str:
    return "a link to nothing" if entry.is_symlink() else "not a regular file"
