"""RTSTRUCT and DICOM SEG of one patient to masks on one grid: of the CT, or of the PET where there is no CT."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engram.errors import ImagingError
from engram.imaging.dicom.contours import rasterise
from engram.imaging.dicom.pairing import Pairing, Scan
from engram.imaging.dicom.rtstruct import Contours, Structures, read_structures
from engram.imaging.dicom.seg import read_segments
from engram.imaging.mask_grid import mask_on_grid
from engram.imaging.write import write_nifti
from engram.pipeline.init_tables import column_name

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A mask on the stack of the scan it was drawn on. file: where it was read."""

    name: str
    mask: Mask
    scan: Scan
    file: Path


def convert_masks(pairing: Pairing, folder: Path) -> tuple[dict[str, Path], list[ImagingError]]:
    """Write mask_<name>.nii.gz of every region; return files by name, and what could not be made.

    A name that was drawn on both scans gets "_pet" where it is the PET's. Raises StorageError: disk full.
    """
    converter = _Converter(pairing)
    drawn = list(converter.drawn())
    target = pairing.ct or pairing.pet
    masks: dict[str, Path] = {}
    names = Counter(column_name(one.name) for one in drawn)
    for one in drawn:
        name = column_name(one.name)
        if names[name] > 1 and one.scan is pairing.pet and pairing.ct is not None:
            name += "_pet"
        if name in masks:
            converter.refuse("two masks of one name", one.file, value=one.name, mend="Rename one of them.")
        elif target is not None:
            grid = target.stack.grid
            mask = one.mask if one.scan is target else mask_on_grid(one.mask, one.scan.stack.grid, grid)
            masks[name] = write_nifti(mask, grid, folder / f"mask_{name}.nii.gz")
    return masks, converter.problems


@dataclass
class _Converter:
    pairing: Pairing
    problems: list[ImagingError] = field(default_factory=list)

    def refuse(self, reason: str, file: Path, *, value: str, mend: str) -> None:
        self.problems.append(ImagingError(self.pairing.patient_id, reason, file=str(file), value=value, mend=mend))

    def drawn(self) -> Iterator[_Drawn]:
        """Those of the CT first."""
        found = [
            one for series in self.pairing.masks for file in series.files for one in self._of(file, series.modality)
        ]
        yield from sorted(found, key=lambda one: one.scan is not self.pairing.ct)

    def _of(self, file: Path, modality: str) -> Iterator[_Drawn]:
        try:
            if modality == "SEG":
                yield from self._segments(file)
                return
            structures = read_structures(file, patient_id=self.pairing.patient_id)
        except ImagingError as error:
            self.problems.append(error.placed(file=str(file)))
            return
        for contours in structures.rois:
            if contours.polygons and (scan := self._scan(structures, contours, file)) is not None:
                yield from self._filled(contours, scan, file)

    def _filled(self, contours: Contours, scan: Scan, file: Path) -> Iterator[_Drawn]:
        try:
            region = rasterise(contours, scan.stack, patient_id=self.pairing.patient_id)
        except ImagingError as error:
            self.problems.append(error.placed(file=str(file)))
        else:
            yield _Drawn(contours.name, region.mask, scan, file)

    def _scan(self, structures: Structures, contours: Contours, file: Path) -> Scan | None:
        """The scan that a region was drawn on: the one it refers to, else the one in its frame of reference."""
        scans = [scan for scan in (self.pairing.ct, self.pairing.pet) if scan is not None]
        named = [scan for scan in scans if scan.series.uid == structures.referenced_series_uid]
        frame = contours.frame_of_reference_uid
        if named and frame in (None, named[0].series.frame_of_reference_uid):
            return named[0]
        if structures.referenced_series_uid is None:
            framed = [scan for scan in scans if frame is not None and scan.series.frame_of_reference_uid == frame]
            if framed:
                return framed[0]
        self.refuse(
            "mask drawn on another scan",
            file,
            value=contours.name,
            mend="Draw it on the CT or PET that was taken (series.csv), or take the scan it was drawn on.",
        )
        return None

    def _segments(self, file: Path) -> Iterator[_Drawn]:
        """On the CT's slices where the file lies on them, else on the PET's."""
        scans = [scan for scan in (self.pairing.ct, self.pairing.pet) if scan is not None]
        for i, scan in enumerate(scans):
            try:
                found = read_segments(file, scan.stack, patient_id=self.pairing.patient_id)
            except ImagingError:
                if i + 1 == len(scans):
                    raise
            else:
                yield from (_Drawn(name, mask, scan, file) for name, mask in found.items())
                return
