"""What the headers of a DICOM series say, kept small: a dump holds millions of files.

Nothing is interpreted here. A value that is absent, empty or unreadable is None; whoever needs it refuses the
series by name. Times carry no zone: a scanner writes the local time of its room.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class ImageSlice:
    """One image of a series (one file, one frame).

    position_mm: (x, y, z) LPS, centre of the first voxel (Image Position). orientation: row and column direction
    cosines (Image Orientation). pixel_spacing_mm: between rows, between columns. slope, intercept: of this slice.
    acquired: Acquisition Date and Time. frame_duration_s, frame_reference_s: Actual Frame Duration and Frame
    Reference Time, in seconds. transfer_syntax: its UID, which says whether pixels are compressed.
    philips_suv_factor, philips_activity_factor: (7053,1000) and (7053,1009), which may differ from slice to slice.
    """

    path: Path
    sop_instance_uid: str
    instance_number: int | None = None
    rows: int | None = None
    columns: int | None = None
    pixel_spacing_mm: tuple[float, float] | None = None
    orientation: tuple[float, float, float, float, float, float] | None = None
    position_mm: tuple[float, float, float] | None = None
    slope: float | None = None
    intercept: float | None = None
    acquired: datetime | None = None
    frame_duration_s: float | None = None
    frame_reference_s: float | None = None
    decay_factor: float | None = None
    philips_suv_factor: float | None = None
    philips_activity_factor: float | None = None
    transfer_syntax: str | None = None


@dataclass(frozen=True)
class PetFacts:
    """What a PET series says of its units, its tracer and its times; of its first slice, where all must agree.

    units: "BQML", "CNTS", "GML", ... suv_type: "BW", "LBM", ... decay_correction: "START", "ADMIN", "NONE".
    corrected: the list of Corrected Image ("ATTN", "DECY", ...). nuclide: code meaning or code value as written.
    injected: Radiopharmaceutical Start DateTime. injected_time_s: Radiopharmaceutical Start Time, in seconds since
    midnight, for it has no date. ge_scan_start: GE's private scan date and time, (0009,100d).
    disagreeing: names of the fields above whose value differs from slice to slice; such a series has no one SUV.
    """

    units: str | None = None
    suv_type: str | None = None
    decay_correction: str | None = None
    corrected: tuple[str, ...] = ()
    weight_kg: float | None = None
    dose_bq: float | None = None
    half_life_s: float | None = None
    nuclide: str | None = None
    tracer: str | None = None
    injected: datetime | None = None
    injected_time_s: float | None = None
    ge_scan_start: datetime | None = None
    series_type: tuple[str, ...] = ()
    manufacturer: str | None = None
    model: str | None = None
    disagreeing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Series:
    """One series: every file with its Series Instance UID. modality: "CT", "PT", "RTSTRUCT", "SEG", ...

    started: Series Date and Time. study_date: of the study, "YYYYMMDD". image_type: e.g. ("ORIGINAL", "PRIMARY").
    slices: of CT and PET, in the order of their paths; empty for everything else. files: all files, by path.
    pet: of PET series alone. patient_id: as the header has it; "" where it has none.
    disagreeing: names of the fields above whose value differs from file to file, and "sop_instance_uid" where two
    different files bear one; the value in its field then is the first file's.
    """

    uid: str
    study_uid: str
    patient_id: str
    modality: str
    sop_class_uid: str
    files: tuple[Path, ...]
    frame_of_reference_uid: str | None = None
    description: str | None = None
    number: int | None = None
    study_date: str | None = None
    started: datetime | None = None
    image_type: tuple[str, ...] = ()
    slices: tuple[ImageSlice, ...] = ()
    pet: PetFacts | None = None
    disagreeing: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of its first file, for messages."""
        return self.files[0].parent
