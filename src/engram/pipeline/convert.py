"""DICOM of one patient to CT in HU, PET in SUVbw and masks, as NIfTI; what is done already is not done again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from engram.cohort.imported import ImportedPatient
from engram.errors import ImagingError, StorageError
from engram.files import digest, file_digest, read_json, write_json
from engram.imaging.dicom.corrections import Corrections
from engram.imaging.dicom.pairing import Pairing
from engram.imaging.dicom.scan_facts import ScanFacts, scan_facts
from engram.imaging.dicom.scan_fit import Scan
from engram.imaging.dicom.series import Series
from engram.imaging.dicom.suv import suv_conversion
from engram.imaging.dicom.voxels import read_ct, read_pet
from engram.imaging.volume import Volume
from engram.imaging.write import write_nifti
from engram.pipeline.convert_masks import convert_masks

# Raised by hand whenever reading or conversion changes a voxel, so that no old file is taken for a new one.
CONVERTER_VERSION = 1

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class ConversionJob:
    """One patient's chosen series, and the folder that is theirs."""

    pairing: Pairing
    corrections: Corrections
    folder: Path


@dataclass(frozen=True)
class Converted:
    """What became of one patient. facts: of the PET, where it could be converted."""

    patient: ImportedPatient
    facts: ScanFacts | None
    problems: tuple[ImagingError, ...]


def convert(job: ConversionJob) -> Converted:
    """Write what can be made of one patient's DICOM; a scan or mask that cannot be made is a problem, told by name.

    Raises StorageError where the disk is full.
    """
    return _Converter(job).convert()


@dataclass
class _Converter:
    job: ConversionJob
    problems: list[ImagingError] = field(default_factory=list)

    def convert(self) -> Converted:
        pairing = self.job.pairing
        self.problems += pairing.problems
        ct = self._attempt(self._ct, pairing.ct)
        pet, facts = self._attempt(self._pet, pairing.pet) or (None, None)
        masks, problems = convert_masks(pairing, self.job.folder)
        patient = ImportedPatient(pairing.patient_id, ct=ct, pet=pet, masks=masks)
        return Converted(patient, facts, (*self.problems, *problems))

    def _attempt(self, step: Callable[[Scan], Made], scan: Scan | None) -> Made | None:
        if scan is None:
            return None
        try:
            return step(scan)
        except ImagingError as error:
            self.problems.append(error.placed(file=str(scan.series.folder)))
            return None

    def _ct(self, scan: Scan) -> Path:
        path, sources = self.job.folder / "ct.nii.gz", digest(_sources(scan.series))
        if _kept(path, sources) is None:
            volume = read_ct(scan.stack, patient_id=self.job.pairing.patient_id)
            _write(path, volume, sources, {"unit": "HU", "notes": list(scan.stack.notes)})
        return path

    def _pet(self, scan: Scan) -> tuple[Path, ScanFacts]:
        path, patient_id = self.job.folder / "pet.nii.gz", self.job.pairing.patient_id
        suv = suv_conversion(scan.series, patient_id=patient_id, corrections=self.job.corrections)
        factors = [float(factor) for factor in suv.factors]
        told = [suv.weight_kg, suv.dose_mbq, suv.half_life_s, suv.nuclide, suv.uptake_min]
        sources = digest([_sources(scan.series), factors, suv.method, list(suv.notes), told])
        kept = _kept(path, sources)
        if kept is not None:
            return path, ScanFacts(**{**kept["facts"], "notes": tuple(kept["facts"]["notes"])})
        by_path = {one.path: factor for one, factor in zip(scan.series.slices, factors, strict=True)}
        in_order = np.array([by_path[one.path] for one in scan.stack.slices])
        volume = read_pet(scan.stack, in_order, patient_id=patient_id)
        facts = scan_facts(suv, volume)
        if facts.impossible is not None:
            raise ImagingError(
                patient_id,
                "SUV of the PET is impossible",
                value=facts.impossible,
                mend="Check dose, weight, times and units of the headers; state what is right in the corrections.",
            )
        facts = replace(facts, notes=(*facts.notes, *scan.stack.notes))
        _write(path, volume, sources, {"unit": "SUVbw, g/mL", "facts": asdict(facts)})
        return path, facts


def _sources(series: Series) -> list[str]:
    """SHA-256 (hex) of every file's bytes, whatever the files are called."""
    return sorted(file_digest(one.path) for one in series.slices)


def _record_path(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".nii.gz") + ".json")


def _kept(path: Path, sources: str) -> dict[str, Any] | None:
    """What was written beside `path` where it was made of the same sources and is whole; else None."""
    try:
        record = read_json(_record_path(path))
        made = {"converter": CONVERTER_VERSION, "sources": sources, "sha256": file_digest(path)}
        return record if all(record[name] == value for name, value in made.items()) else None
    except (StorageError, KeyError, TypeError):
        return None


def _write(path: Path, volume: Volume, sources: str, record: dict[str, Any]) -> None:
    """The record comes last: a file without one is made again."""
    _record_path(path).unlink(missing_ok=True)
    write_nifti(_smallest(volume), volume.grid, path)
    made = {"converter": CONVERTER_VERSION, "sources": sources, "sha256": file_digest(path)}
    write_json(_record_path(path), {**made, **record})


def _smallest(volume: Volume) -> np.ndarray[tuple[int, ...], np.dtype[Any]]:
    """int16 where that keeps every value, as it does for most CTs; else float32."""
    lowest, highest = float(volume.voxels.min()), float(volume.voxels.max())
    limits = np.iinfo(np.int16)
    if lowest < limits.min or highest > limits.max or not all(np.array_equal(p, np.rint(p)) for p in volume.voxels):
        return volume.voxels
    return volume.voxels.astype(np.int16)
