"""Every problem of one patient's images that can be found, not the first alone; what was found is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from engram.cohort.records import PatientFiles
from engram.config import StudyConfig
from engram.errors import ImagingError, StorageError
from engram.files import digest, file_digest, read_json, write_json
from engram.imaging.align import pet_on_ct_grid
from engram.imaging.plausibility import check_hu, check_suv
from engram.imaging.volume import Grid, Volume, read_volume
from engram.pipeline.patients import IMAGE_VERSION, images_section
from engram.roi.bones import BoneMap, merged
from engram.roi.build import check_region
from engram.roi.masks import read_label_map, read_mask

# Raised by hand whenever a check of images becomes stricter or says something else, so that none is passed over.
CHECK_VERSION = 3

Found = TypeVar("Found")
_CHECKS = {"ct": check_hu, "pet": check_suv}


@dataclass(frozen=True)
class Inspection:
    """What is known of one patient's images after all were read.

    digests: SHA-256 (hex) of the bytes of each file: ct, pet, labels:<scheme>, mask:<roi>.
    scans: SHA-256 (hex) of shape and voxels of ct and pet, which a copy has too, however it is compressed.
    problems: each with its row, column and file.
    """

    digests: dict[str, str]
    scans: dict[str, str]
    problems: tuple[ImagingError, ...]


def image_files(patient: PatientFiles) -> dict[str, Path]:
    """The files of a patient that are there, by their use: ct, pet, labels:<scheme>, mask:<roi>."""
    files = {"ct": patient.ct, "pet": patient.pet}
    files |= {f"labels:{scheme}": path for scheme, path in patient.labels.items()}
    files |= {f"mask:{roi}": path for roi, path in patient.masks.items()}
    return {use: path for use, path in files.items() if path is not None}


def column_of(use: str, config: StudyConfig) -> str | None:
    """The column of the manifest that names the file of this use."""
    images = images_section(config)
    if use.startswith("mask:"):
        return config.rois[use.removeprefix("mask:")].mask
    if use.startswith("labels:"):
        return images.label_columns[use.removeprefix("labels:")]
    return {"ct": images.ct, "pet": images.pet}[use]


def inspect(patient: PatientFiles, config: StudyConfig, cache: Path) -> Inspection:
    """Read every image of a patient, or what `cache` holds of the same bytes. Raises StorageError: disk full."""
    files = image_files(patient)
    digests, unreadable = _digests(files)
    readable = {use: path for use, path in files.items() if use in digests}
    kept = cache / f"{_address(config, digests)}.json"
    found = _read(kept)
    if found is None:
        found = _look(readable, config)
        write_json(kept, found)
    problems = [
        ImagingError(
            patient.patient_id, p["reason"], mend=p["mend"], value=p["value"], row=patient.row,
            column=column_of(p["use"], config), file=str(files[p["use"]]),
        )
        for p in (*unreadable, *found["problems"])
    ]  # fmt: skip
    return Inspection(digests, found["scans"], tuple(problems))


def _digests(files: dict[str, Path]) -> tuple[dict[str, str], list[dict[str, Any]]]:
    digests, problems = {}, []
    for use, path in files.items():
        try:
            digests[use] = file_digest(path)
        except StorageError as error:
            mend = "Check the file and its permissions."
            problems.append({"use": use, "reason": "image file unreadable", "value": str(error), "mend": mend})
    return digests, problems


def _address(config: StudyConfig, digests: dict[str, str]) -> str:
    """SHA-256 (hex) of all that decides what is found: the bytes, what is asked of them, and the code's version."""
    rois = {name: [roi.mask, roi.region, roi.settings] for name, roi in config.rois.items()}
    images = images_section(config)
    return digest(
        {
            "digests": digests,
            "rois": rois,
            "labels_in_order": list(config.label_columns),
            "masks_lie_on": "pet" if images.ct is None else "ct",
            "version": [IMAGE_VERSION, CHECK_VERSION],
        }
    )


def _read(path: Path) -> dict[str, Any] | None:
    """What was found before; None where there is nothing or it is damaged, which is then found again."""
    if not path.is_file():
        return None
    try:
        found = read_json(path)
        scans = {str(use): str(sha) for use, sha in found["scans"].items()}
        problems = [{name: p[name] for name in ("use", "reason", "value", "mend")} for p in found["problems"]]
    except (StorageError, AttributeError, KeyError, TypeError):
        return None
    return {"scans": scans, "problems": problems}


def _look(files: dict[str, Path], config: StudyConfig) -> dict[str, Any]:
    inspector = _Inspector(files, config)
    inspector.look()
    return {"scans": inspector.scans, "problems": inspector.problems}


@dataclass
class _Inspector:
    """Reads the files of a patient one after another and keeps every problem it meets, without the patient."""

    files: dict[str, Path]
    config: StudyConfig
    scans: dict[str, str] = field(default_factory=dict)
    problems: list[dict[str, Any]] = field(default_factory=list)

    def look(self) -> None:
        """A scan that cannot be read leaves the place of the masks open; all else is checked nonetheless."""
        ct, pet = self._scan("ct"), self._scan("pet")
        if ct is not None and pet is not None:
            self._attempt("pet", partial(pet_on_ct_grid, pet, ct, patient_id=""))
        reference = pet if images_section(self.config).ct is None else ct
        grid = reference.grid if reference is not None else None
        for roi in self.config.rois:
            if (path := self.files.get(use := f"mask:{roi}")) is not None:
                self._attempt(use, partial(read_mask, path, grid=grid, patient_id="", roi=roi))
        self._regions(ct, self._bones(grid), grid)

    def _scan(self, use: str) -> Volume | None:
        path = self.files.get(use)
        if path is None:
            return None
        volume = self._attempt(use, partial(read_volume, path, patient_id="", what=use.upper()))
        if volume is not None:
            self.scans[use] = voxel_digest(volume)
            self._attempt(use, partial(_CHECKS[use], volume, patient_id=""))
        return volume

    def _bones(self, grid: Grid | None) -> BoneMap | None:
        """All label maps as one; None where there is none, or one of them cannot be used."""
        uses = {f"labels:{scheme}": scheme for scheme in self.config.label_columns}
        maps = [self._label_map(use, scheme, grid) for use, scheme in uses.items() if use in self.files]
        read = [found for found in maps if found is not None]
        # A bone may lie in a map that is missing or unreadable, and maps without a scan's grid may not fit.
        if not read or len(read) < len(uses) or (grid is None and len(read) > 1):
            return None
        return merged(read)

    def _regions(self, ct: Volume | None, bones: BoneMap | None, grid: Grid | None) -> None:
        for name, roi in self.config.rois.items():
            source = bones if roi.needs_labels else ct
            if roi.region is None or source is None:
                continue
            use = f"labels:{next(iter(self.config.label_columns))}" if roi.needs_labels else "ct"
            self._attempt(use, partial(check_region, name, roi, bones=bones, ct=ct, grid=grid, patient_id=""))

    def _label_map(self, use: str, scheme: str, grid: Grid | None) -> BoneMap | None:
        path = self.files[use]
        return self._attempt(use, partial(read_label_map, path, grid=grid, patient_id="", scheme=scheme))

    def _attempt(self, use: str, step: Callable[[], Found]) -> Found | None:
        try:
            return step()
        except ImagingError as error:
            self.problems.append({"use": use, "reason": error.reason, "value": error.value, "mend": error.mend})
            return None


def voxel_digest(volume: Volume) -> str:
    """SHA-256 (hex) of shape and voxels; name, compression and number type of the file do not count."""
    sha = hashlib.sha256(repr(volume.grid.shape).encode())
    for plane in volume.voxels:
        sha.update((plane + np.float32(0)).tobytes())  # so that -0.0 is 0.0
    return sha.hexdigest()
