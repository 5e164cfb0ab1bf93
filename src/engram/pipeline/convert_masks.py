"""RTSTRUCT and DICOM SEG of one patient to masks on one grid: of the CT, or of the PET where there is no CT."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engram.errors import ImagingError
from engram.files import write_json
from engram.imaging.dicom.drawn import DrawnOn, drawn_on, read_masks
from engram.imaging.dicom.pairing import Pairing
from engram.imaging.dicom.scan_fit import Scan
from engram.imaging.mask_grid import mask_on_grid
from engram.imaging.write import write_nifti
from engram.pipeline.init_tables import column_name

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A mask on the stack of the scan it was drawn on. file: where it was read. notes: of the whole file."""

    name: str
    mask: Mask
    scan: Scan
    file: Path
    notes: tuple[str, ...]


def convert_masks(pairing: Pairing, folder: Path) -> tuple[dict[str, Path], list[ImagingError]]:
    """Write mask_<name>.nii.gz of every region, and masks.json with what a user should know of them.

    Returns files by name, and what could not be made. A name that was drawn on both scans gets "_pet" where it is
    the PET's. Raises StorageError: disk full.
    """
    converter = _Converter(pairing)
    drawn = converter.drawn()
    target = pairing.ct or pairing.pet
    masks: dict[str, Path] = {}
    names = Counter(_name(one) for one in drawn)
    for one in drawn:
        name = _name(one)
        if names[name] > 1 and one.scan is pairing.pet and pairing.ct is not None:
            name += "_pet"
        if name in masks:
            converter.refuse("two masks of one name", one.file, value=one.name, mend="Rename one of them.")
        elif target is not None:
            grid = target.stack.grid
            mask = one.mask if one.scan is target else mask_on_grid(one.mask, one.scan.stack.grid, grid)
            masks[name] = write_nifti(mask, grid, folder / f"mask_{name}.nii.gz")
    if drawn:
        notes = sorted({note for one in drawn for note in one.notes})
        write_json(folder / "masks.json", {"masks": sorted(masks), "notes": notes})
    return masks, converter.problems


def _name(drawn: _Drawn) -> str:
    """A part of a column and of a file's name; letters of other scripts do not stay."""
    return column_name(drawn.name) or f"region_{hashlib.sha256(drawn.name.encode()).hexdigest()[:8]}"


@dataclass
class _Converter:
    pairing: Pairing
    problems: list[ImagingError] = field(default_factory=list)

    def refuse(self, reason: str, file: Path, *, value: str | None, mend: str) -> None:
        self.problems.append(ImagingError(self.pairing.patient_id, reason, file=str(file), value=value, mend=mend))

    def drawn(self) -> list[_Drawn]:
        """Those of the CT first."""
        found = [one for series in self.pairing.masks for file in series.files for one in self._of(file)]
        return sorted(found, key=lambda one: one.scan is not self.pairing.ct)

    def _of(self, file: Path) -> list[_Drawn]:
        try:
            scans = self._scans(drawn_on(file, patient_id=self.pairing.patient_id))
        except ImagingError as error:
            self.problems.append(error.placed(file=str(file)))
            return []
        if not scans:
            mend = "Use it with the scan it was drawn on: series.csv says which CT and PET were taken."
            self.refuse("mask drawn on another scan", file, value=None, mend=mend)
            return []
        tried = [self._read(file, scan) for scan in scans]
        masks, problems = next((found for found in tried if not found[1]), tried[0])
        self.problems += problems
        return masks

    def _scans(self, on: DrawnOn) -> list[Scan]:
        """The scan that a file names; where it names none, those in its frame of reference."""
        scans = [scan for scan in (self.pairing.ct, self.pairing.pet) if scan is not None]
        if on.series_uid is not None:
            return [scan for scan in scans if scan.series.uid == on.series_uid]
        return [scan for scan in scans if on.frame_of_reference_uid in (None, scan.series.frame_of_reference_uid)]

    def _read(self, file: Path, scan: Scan) -> tuple[list[_Drawn], list[ImagingError]]:
        try:
            found = read_masks(file, scan.series, scan.stack, patient_id=self.pairing.patient_id)
        except ImagingError as error:
            return [], [error.placed(file=str(file))]
        masks = [_Drawn(name, mask, scan, file, found.notes) for name, mask in found.masks.items()]
        return masks, [error.placed(file=str(file)) for error in found.left]
