"""Files to series: what the files of one series say alike, where they differ, and copies of one file."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from engram.cohort.imported import LeftFile
from engram.imaging.dicom.headers import FileHeader, SharedFacts
from engram.imaging.dicom.series import ImageSlice, PetFacts, Series

_SHARED = (
    "study_uid",
    "patient_id",
    "modality",
    "sop_class_uid",
    "frame_of_reference_uid",
    "image_type",
    "started",
)
_PET_FIELDS = tuple(f.name for f in fields(PetFacts) if f.name != "disagreeing")


@dataclass
class _Files:
    """What has been found of one series so far."""

    shared: SharedFacts
    files: list[Path] = field(default_factory=list)
    slices: list[ImageSlice] = field(default_factory=list)
    by_sop: dict[str, Path] = field(default_factory=dict)
    disagreeing: set[str] = field(default_factory=set)
    pet_disagreeing: set[str] = field(default_factory=set)

    def compare(self, other: SharedFacts) -> None:
        if other == self.shared:
            return
        self.disagreeing |= _differing(self.shared, other, _SHARED)
        if self.shared.pet is not None and other.pet is not None:
            self.pet_disagreeing |= _differing(self.shared.pet, other.pet, _PET_FIELDS) | set(other.pet.disagreeing)

    def series(self) -> Series:
        pet = self.shared.pet
        if pet is not None:
            together = self.pet_disagreeing | set(pet.disagreeing) | (self.disagreeing & {"started"})
            pet = replace(pet, disagreeing=tuple(sorted(together)))
        return Series(
            **{f.name: getattr(self.shared, f.name) for f in fields(SharedFacts) if f.name != "pet"},
            files=tuple(self.files),
            slices=tuple(self.slices),
            pet=pet,
            disagreeing=tuple(sorted(self.disagreeing)),
        )


@dataclass
class Gathering:
    """The series of a dump, file by file in the order of their paths. left: files that are in none."""

    left: list[LeftFile]
    series: dict[str, _Files] = field(default_factory=dict)

    def add(self, header: FileHeader | LeftFile) -> None:
        """Put a file into its series; a copy of one that is there already is left."""
        if isinstance(header, LeftFile):
            self.left.append(header)
            return
        found = self.series.setdefault(header.shared.uid, _Files(header.shared))
        first = found.by_sop.setdefault(header.sop_instance_uid, header.path) if header.sop_instance_uid else None
        if first not in (None, header.path):
            if _same_bytes(first, header.path):
                self.left.append(LeftFile(header.path, f"a copy of {first}"))
                return
            found.disagreeing.add("sop_instance_uid")
        found.compare(header.shared)
        found.files.append(header.path)
        if header.damage is not None:
            self.left.append(LeftFile(header.path, header.damage))
        elif header.image is not None:
            found.slices.append(header.image)

    def all_series(self) -> tuple[Series, ...]:
        """Every series, by the path of its first file."""
        return tuple(sorted((found.series() for found in self.series.values()), key=lambda s: str(s.files[0])))


def _differing(one: object, other: object, names: Sequence[str]) -> set[str]:
    return {name for name in names if getattr(one, name) != getattr(other, name)}


def _same_bytes(one: Path, other: Path) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False  # then nobody can say that it is a copy
